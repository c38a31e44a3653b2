import Bootloader
import ControlProtocol
import Glibc
import Testing

/// Boot loaders that are shell scripts.
@Suite("Boot loaders") struct BootloaderTests {
    private final class Screen {
        var bytes: [UInt8] = []
    }

    /// A guest's directory with a program in it.
    private final class Place {
        let path: String
        var guest = GuestDescription(
            domainID: 1, name: "t", uuid: "6b1f8b39-6e1e-4a64-9a0b-0a51d8b4c401", kernelPath: "", memoryKiB: 65536)
        var bootloader: BootloaderDescription

        init(_ script: String) throws {
            var template = Array("/tmp/martlet-boot-XXXXXX".utf8CString)
            let made = unsafe mkdtemp(&template) != nil
            try #require(made)
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            bootloader = BootloaderDescription(program: path + "/loader", diskPath: "/disks/a disk")
            bootloader.logPath = path + "/log"
            let prologue = """
                #!/bin/sh
                for word; do case $word in --output=*) out=${word#*=};; --output-directory=*) dir=${word#*=};; esac; done

                """
            try write("loader", prologue + script)
            unsafe chmod(bootloader.program, 0o700)
        }

        deinit {
            for name in names { unsafe unlink("\(path)/\(name)") }
            unsafe rmdir(path)
        }

        func write(_ name: String, _ text: String) throws {
            let file = unsafe fopen("\(path)/\(name)", "w")
            let bytes = Array(text.utf8)
            let count = unsafe fwrite(bytes, 1, bytes.count, file)
            unsafe fclose(file)
            try #require(count == bytes.count)
        }

        func text(_ name: String) -> String {
            guard let file = unsafe fopen("\(path)/\(name)", "r") else { return "" }
            defer { unsafe fclose(file) }
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = unsafe fread(&buffer, 1, buffer.count, file)
            return String(decoding: buffer[..<count], as: UTF8.self)
        }

        /// What is in the directory.
        var names: [String] {
            guard let stream = unsafe opendir(path) else { return [] }
            defer { unsafe closedir(stream) }
            var names: [String] = []
            while let entry = unsafe readdir(stream) {
                let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                    unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != "." && name != ".." { names.append(name) }
            }
            return names.sorted()
        }

        func run(_ console: BootloaderConsole = BootloaderConsole()) throws(OperatorError) -> BootloaderResult {
            try BootloaderRun(guest, bootloader, directory: path).run(console)
        }
    }

    @Test("what it extracts becomes the guest's; nothing else of it stays")
    func success() throws {
        let place = try Place(
            """
            echo kernel >"$dir/k.1"; echo ramdisk >"$dir/r.1"; mkdir "$dir/rest"; echo x >"$dir/rest/y"
            printf 'kernel %s\\0ramdisk %s\\0args root=/dev/xvda ro\\0' "$dir/k.1" "$dir/r.1" >"$out"
            """)
        let result = try place.run()
        #expect(result.kernelPath == place.path + "/boot-kernel" && result.ramdiskPath == place.path + "/boot-ramdisk")
        #expect(result.commandLine == "root=/dev/xvda ro")
        #expect(place.text("boot-kernel") == "kernel\n" && place.text("boot-ramdisk") == "ramdisk\n")
        #expect(place.names == ["boot-kernel", "boot-ramdisk", "loader", "log"])
        BootloaderRun.removeLeftovers(in: place.path)
        #expect(place.names == ["loader", "log"])
    }

    @Test("it is called as libxl calls pygrub: hints, format, directory, its own arguments, the disk")
    func arguments() throws {
        let place = try Place("printf '%s\\n' \"$@\" >\"${dir%/*}/words\"; printf 'kernel /bin/sh' >\"$out\"")
        place.guest.kernelPath = "/boot/k"
        place.guest.ramdiskPath = "/boot/r"
        place.guest.commandLine = "a b"
        place.bootloader.arguments = ["-q", "--entry=1"]
        place.bootloader.userID = 65534
        #expect(try place.run() == BootloaderResult(kernelPath: "/bin/sh"))
        let work = place.path + "/bootloader"
        #expect(
            place.text("words").split(separator: "\n").map(String.init) == [
                "--kernel=/boot/k", "--ramdisk=/boot/r", "--args=a b", "--runas=65534", "--quiet", "--output=\(work)/output",
                "--output-format=simple0", "--output-directory=\(work)", "-q", "--entry=1", "/disks/a disk",
            ])
    }

    @Test("its standard descriptors are a terminal of its own, which is shown and logged, and typed into")
    func terminal() throws {
        let place = try Place(
            "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && : >/dev/tty || exit 9; echo 'which one?'; read answer; "
                + "printf 'kernel /bin/sh\\0args entry=%s' \"$answer\" >\"$out\"")
        var pipe: [Int32] = [-1, -1]
        let made = unsafe Glibc.pipe(&pipe) == 0
        try #require(made)
        defer { close(pipe[0]) }
        let written = unsafe write(pipe[1], "second\n", 7)
        #expect(written == 7)
        close(pipe[1])
        let screen = Screen()
        var console = BootloaderConsole()
        console.input = pipe[0]
        console.show = { screen.bytes += $0 }
        #expect(try place.run(console).commandLine == "entry=second")
        // The terminal echoes what is typed, at whatever moment that is.
        #expect(String(decoding: screen.bytes, as: UTF8.self).contains("which one?\r\n"))
        #expect(place.text("log").contains("which one?"))
    }

    @Test(
        "failures name the program, what it did and the log, and leave nothing",
        arguments: [
            ("echo 'no kernel here' >&2; exit 3", "it failed with exit code 3: no kernel here"),
            ("kill -9 $$", "it was killed by signal 9"),
            ("exit 0", "it named no kernel"), ("echo garbage >\"$out\"", "it named no kernel, but \"garbage"),
            ("head -c 3000 /dev/urandom >\"$out\"", "it named no kernel"), ("printf 'kernel k' >\"$out\"", "which is no file"),
            ("printf 'kernel %s' \"$dir\" >\"$out\"", "which is no file"),
            ("ln -s /bin/sh \"$dir/k\"; printf 'kernel %s' \"$dir/k\" >\"$out\"", "which is no file"),
            (
                "echo k >\"$dir/k\"; printf 'kernel %s\\0ramdisk /no/where' \"$dir/k\" >\"$out\"",
                "the ramdisk \"/no/where\", which is no file"
            ),
            ("yes >\"$out\"", "it wrote more than 65536 bytes of output"),
        ])
    func failures(script: String, cause: String) throws {
        let place = try Place(script)
        let error = #expect(throws: OperatorError.self) { _ = try place.run() }
        #expect(error?.cause.hasPrefix("bootloader=\"\(place.bootloader.program)\": ") == true)
        #expect(error?.cause.contains(cause) == true, "\(error?.cause ?? "")")
        #expect(error?.remedy.isEmpty == false && error?.code == .creationFailed)
        #expect(place.names.filter { $0 != "log" } == ["loader"])
    }

    @Test("a program that does not exist cannot be started")
    func missing() throws {
        let place = try Place("")
        place.bootloader.program = place.path + "/nothing"
        let error = #expect(throws: OperatorError.self) { _ = try place.run() }
        #expect(error?.cause.contains("No such file or directory") == true)
        #expect(place.names.filter { $0 != "log" } == ["loader"])
    }

    @Test(
        "one that hangs is ended with all it started: by an interruption, by the escape character, when its time is over",
        arguments: ["interrupt", "escape", "time"])
    func hanging(how: String) throws {
        let place = try Place("trap '' TERM HUP INT; sleep 1000 & echo $! >\"${dir%/*}/child\"; sleep 1000")
        var console = BootloaderConsole()
        var pipe: [Int32] = [-1, -1]
        let made = unsafe Glibc.pipe(&pipe) == 0
        try #require(made)
        defer { for end in pipe { close(end) } }
        let childPath = place.path + "/child"
        switch how {
        case "interrupt": console.isInterrupted = { unsafe access(childPath, F_OK) == 0 }
        case "escape":
            console.input = pipe[0]
            let written = unsafe write(pipe[1], "a\u{1d}", 2)
            #expect(written == 2)
        default: console.timeoutMilliseconds = 1000
        }
        let error = #expect(throws: OperatorError.self) { _ = try place.run(console) }
        #expect(error?.cause.contains(how == "time" ? "has not ended in time" : "interrupted") == true)
        #expect(!place.names.contains("bootloader"))
        if let child = Int32(place.text("child").prefix { $0 != "\n" }) {
            // It may be a zombie of somebody else's for a moment.
            var isGone = false
            for _ in 0..<200 where !isGone {
                isGone = kill(child, 0) != 0 || Self.isZombie(child)
                usleep(10_000)
            }
            #expect(isGone)
        }
    }

    private static func isZombie(_ processID: Int32) -> Bool {
        guard let file = unsafe fopen("/proc/\(processID)/stat", "r") else { return true }
        defer { unsafe fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 512)
        let count = unsafe fread(&buffer, 1, buffer.count, file)
        return String(decoding: buffer[..<count], as: UTF8.self).contains(") Z ")
    }
}
