# Every target is a script or one command; the scripts also run without make.
.PHONY: demo test build check fmt bench bench-store fuzz guests man install clean

demo: ## build, fetch Debian's kernel, boot it with a shell; GUEST=debian for a whole Debian system
	scripts/demo $(GUEST)

test: ## all tests
	scripts/test

build: ## the programs, in .build/release
	scripts/build

check: ## format, imports and words
	scripts/check

fmt: ## format all Swift files
	swift format --in-place --parallel $$(git ls-files --cached --others --exclude-standard '*.swift')

bench: ## boot times, disk and network against QEMU TCG
	scripts/install-packages guest image bench
	scripts/build
	scripts/guests
	scripts/bench $(BENCH)
	scripts/debian-image
	scripts/bench-devices $(BENCH_DEVICES)

bench-store: ## operations per second through the xenstore socket
	scripts/bench-store

fuzz: ## fuzz targets and randomised tests without end; ROUNDS=N for N rounds
	scripts/fuzz

guests: ## fetch the guests' newest kernel and packages
	scripts/install-packages guest image
	scripts/guests --update
	scripts/debian-image --update

man: ## renew the manual page from the program
	scripts/man

install: ## below PREFIX (/usr/local); DESTDIR for packages, XL=1 also as xl
	scripts/install

clean:
	rm -rf .build guests
