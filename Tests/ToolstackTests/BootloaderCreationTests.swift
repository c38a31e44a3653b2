import ControlProtocol
import Glibc
import Testing

@testable import Toolstack

/// `create` with `bootloader=`, by the command line, with scripts for boot loaders and a stand-in for the guest's process.
@Suite("create with a boot loader") struct BootloaderCreationTests {
    private func configuration(_ script: String, _ more: String = "", in scratch: Scratch) -> String {
        let program = scratch.write("loader", "#!/bin/sh\n\(script)\n")
        unsafe chmod(program, 0o700)
        let disk = scratch.write("disk.raw", "x")
        return scratch.write(
            "t.cfg", "name='t'\ntype='pvh'\nmemory=64\nextra='from=config'\nbootloader='\(program)'\ndisk=['\(disk),raw,xvda,rw']\n\(more)")
    }

    private static let find = """
        for word; do case $word in --output=*) out=${word#*=};; --output-directory=*) dir=${word#*=};; esac; done
        echo looking around; echo k >"$dir/k"; echo r >"$dir/r"
        printf 'kernel %s\\0ramdisk %s\\0' "$dir/k" "$dir/r" >"$out"
        """

    private func names(_ directory: String) -> [String] { ((try? Files.names(in: directory)) ?? []).sorted() }

    @Test("what it finds is the guest's kernel; arguments and hints are handed to it; its words are in a log")
    func success() throws {
        let scratch = try Scratch()
        let file = configuration("printf '%s\\n' \"$@\" >'\(scratch.path)/words'\n" + Self.find, "bootloader_args=['-q']", in: scratch)
        let run = try CommandRun.martlet(["create", file], in: scratch)
        try #require(run.code == 0, "\(run.errors)")
        #expect(run.output.isEmpty)
        let guest = try scratch.registry().find("t")
        let boot = guest.description.boot
        #expect(boot.kernelPath == "\(guest.directory)/boot-kernel" && boot.ramdiskPath == "\(guest.directory)/boot-ramdisk")
        #expect(boot.commandLine == "from=config")
        #expect(String(decoding: try Files.read(boot.kernelPath), as: UTF8.self) == "k\n")
        let words = String(decoding: try Files.read(scratch.path + "/words"), as: UTF8.self).split(separator: "\n")
        #expect(words.first == "--args=from=config" && words.suffix(2) == ["-q", "\(scratch.path)/disk.raw"])
        #expect(String(decoding: try Files.read(scratch.path + "/log/t.bootloader.log"), as: UTF8.self) == "looking around\r\n")
        #expect(!names(guest.directory).contains("bootloader"))
    }

    @Test("with -c its terminal is shown; what is piped in is for the guest")
    func console() throws {
        let scratch = try Scratch()
        let run = try CommandRun.martlet(["create", "-c", configuration(Self.find, in: scratch)], in: scratch, input: "poweroff\n")
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.output.hasPrefix("looking around\r\n") && run.output.contains("POWEROFF"))
    }

    @Test(
        "what goes wrong is said with file and line, program, cause and remedy; nothing stays",
        arguments: [
            ("exit 1", "", "it failed with exit code 1"), ("echo no file system; exit 2", "", "it failed with exit code 2: no file system"),
            ("exit 0", "", "it named no kernel"), ("echo garbage", "", "it named no kernel"),
            ("exit 0", "bootloader='/no/such/program'", "there is no such program"),
            ("exit 0", "bootloader='no-such-program'", "there is no such program"),
            ("exit 0", "disk=[]", "there is no disk to boot from"), ("exit 0", "disk=['/d,qcow2,xvda,rw']", "/d"),
        ])
    func failures(script: String, more: String, cause: String) throws {
        let scratch = try Scratch()
        let run = try CommandRun.martlet(["create", "-q", configuration(script, more, in: scratch)], in: scratch)
        #expect([3, 6].contains(run.code))
        #expect(run.errors.contains(cause) && run.errors.hasPrefix(scratch.path + "/t.cfg:"), "\(run.errors)")
        #expect(run.errorLines.last?.hasPrefix("  ") == true, "the second line is the remedy")
        #expect(names(scratch.runtimeDirectory).filter { $0 != "lock" && $0 != "last-domid" } == [])
    }

    @Test("one that hangs is ended by a signal to create, with all it started, and nothing stays", arguments: [SIGINT, SIGTERM])
    func interrupted(signal: Int32) throws {
        let scratch = try Scratch()
        let file = configuration(
            "sleep 1000 & echo $! >'\(scratch.path)/child.new'; mv '\(scratch.path)/child.new' '\(scratch.path)/child'; wait", in: scratch)
        let script = scratch.write(
            "start.sh",
            "'\(Scratch.product("martlet"))' create -q '\(file)' & p=$!; n=0; while [ ! -e '\(scratch.path)/child' ] && [ $n -lt 400 ]; do sleep 0.05; n=$((n+1)); done; "
                + "kill -\(signal) $p; wait $p; echo $? >'\(scratch.path)/code'")
        _ = try CommandRun.program("/bin/sh", [script], in: scratch)
        #expect(String(decoding: try Files.read(scratch.path + "/code"), as: UTF8.self) == "3\n")
        let child = Int32(String(decoding: try Files.read(scratch.path + "/child"), as: UTF8.self).prefix { $0 != "\n" }) ?? 0
        var isGone = false
        for _ in 0..<200 where !isGone {
            let stat = (try? Files.read("/proc/\(child)/stat")).map { String(decoding: $0, as: UTF8.self) }
            isGone = stat?.contains(") Z ") ?? true
            usleep(10_000)
        }
        #expect(isGone)
        #expect(names(scratch.runtimeDirectory).filter { $0 != "lock" && $0 != "last-domid" } == [])
    }

    @Test("check tells whether there is such a program")
    func check() throws {
        let scratch = try Scratch()
        let good = try CommandRun.martlet(["check", configuration("exit 0", in: scratch)], in: scratch)
        #expect(good.output.contains("/loader finds the kernel"))
        let bad = try CommandRun.martlet(["check", configuration("exit 0", "bootloader='no-such-program'", in: scratch)], in: scratch)
        #expect(bad.code == 1 && bad.output.contains("bootloader=\"no-such-program\": there is no such program"))
    }

    @Test("features the engine lacks are named with their place, and the guest starts")
    func cpuid() throws {
        let scratch = try Scratch()
        let kernel = scratch.write("kernel", "x")
        let text = "name='t'\ntype='pvh'\nkernel='\(kernel)'\nmemory=64\nextra='poor'\ncpuid='host,avx=1,sse3=0,family=6'\n"
        let run = try CommandRun.martlet(["create", "-q", scratch.write("t.cfg", text)], in: scratch)
        #expect(run.code == 0)
        let place = "\(scratch.path)/t.cfg:6: warning: `cpuid': "
        let warnings = ["sse3=0: sse3 cannot be", "avx=1: this engine has no avx", "family: family cannot be"]
        for warning in warnings { #expect(run.errors.contains(place + warning), "\(run.errors)") }
        #expect(run.errorLines.count == 6)
        #expect(try scratch.registry().find("t").description.cpuid?.count == 1)
    }
}
