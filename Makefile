# Every target is a script or one command; the scripts also run without make.
.PHONY: demo test build check fmt bench fuzz guests clean

demo: ## build, fetch Debian's kernel, boot it with a shell
	scripts/demo

test: ## all tests
	scripts/test

build: ## the programs, in .build/release
	scripts/build

check: ## format, imports and words
	scripts/check

fmt: ## format all Swift files
	swift format --in-place --parallel $$(git ls-files --cached --others --exclude-standard '*.swift')

bench: ## boot times against QEMU TCG
	scripts/install-packages guest bench
	scripts/build
	scripts/guests
	scripts/bench $(BENCH)

fuzz: ## randomised tests without end; ROUNDS=N for N rounds
	scripts/fuzz

guests: ## fetch the guest's newest kernel
	scripts/install-packages guest
	scripts/guests --update

clean:
	rm -rf .build guests
