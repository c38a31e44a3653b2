import ControlProtocol
import Glibc
import HostIO
import TestSupport
import Testing

/// The programs as they are installed, killed at any moment.
@Suite("Killed programs") struct KillTests {
    fileprivate struct Installation {
        let scratch: Scratch
        let configuration: String

        init() throws {
            scratch = try Scratch()
            var program = TinyProgram()
            program.add(0xfb, 0xf4, 0xeb, 0xfd)
            let kernel = try scratch.write("kernel", ELFWriter.pvhKernel(bytes: program.bytes, memorySize: 0x4000).bytes())
            let text = "name=\"victim\"\ntype=\"pvh\"\nkernel=\"\(kernel)\"\nmemory=16\n"
            configuration = try scratch.write("victim.cfg", Array(text.utf8))
        }

        var runtime: String { "\(scratch.path)/run" }

        /// Starts `martlet`; what it prints goes to a file.
        func start(_ words: String...) throws -> Int32 {
            var actions = unsafe posix_spawn_file_actions_t()
            unsafe posix_spawn_file_actions_init(&actions)
            defer { unsafe posix_spawn_file_actions_destroy(&actions) }
            unsafe posix_spawn_file_actions_addopen(&actions, 1, "\(scratch.path)/output", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
            unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
            for number in 3..<Int32(64) { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
            let executable = Scratch.product("martlet")
            let arguments = unsafe ([executable] + words).map { unsafe strdup($0) } + [nil]
            let settings = ["MARTLET_RUNTIME_DIR=\(runtime)", "MARTLET_LOG_DIR=\(scratch.path)/log"]
            let variables = unsafe settings.map { unsafe strdup($0) } + [nil]
            defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
            var child: Int32 = 0
            let code = unsafe posix_spawn(&child, executable, &actions, nil, arguments, variables)
            try #require(code == 0)
            return child
        }

        func wait(_ child: Int32) -> Int32 {
            var status: Int32 = 0
            while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
            return status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
        }

        /// Runs `martlet` to its end.
        func run(_ words: String...) throws -> (code: Int32, output: String) {
            let child: Int32 =
                switch words.count {
                case 1: try start(words[0])
                default: try start(words[0], words[1])
                }
            return (wait(child), Scratch.text("\(scratch.path)/output"))
        }

        /// The processes of guests below this runtime directory.
        var processes: [Int32] {
            Scratch.names(in: "/proc").compactMap { Int32($0) }.filter { Scratch.text("/proc/\($0)/cmdline").contains(runtime) }
        }
    }

    @Test("However early or late `create` is killed, the guest is there in full or not at all, and its name can be used")
    func creator() throws {
        let place = try Installation()
        for moment in 0..<24 {
            let child = try place.start("create", place.configuration)
            usleep(UInt32(moment * 4000))
            kill(child, SIGKILL)
            _ = place.wait(child)
            // A guest's process that was just started notices within moments that nobody waits for its report.
            #expect(eventually { place.processes.isEmpty || Scratch.text("\(place.runtime)/\(place.guests.first ?? "")/guest.json") != "" })
            usleep(50_000)
            let listing = try place.run("list")
            #expect(listing.code == 0)
            if listing.output.contains("victim") {
                #expect(place.processes.count == 1)
                #expect(try place.run("destroy", "victim").code == 0)
            }
            #expect(eventually { place.processes.isEmpty }, "an orphan stays after \(moment)")
            let again = try place.run("create", place.configuration)
            #expect(again.code == 0, "\(again.output)")
            #expect(try place.run("destroy", "victim").code == 0)
            #expect(eventually { place.guests.isEmpty && place.processes.isEmpty })
        }
    }

    @Test("A guest's process that is killed leaves nothing that stands in the way")
    func guest() throws {
        let place = try Installation()
        for _ in 0..<6 {
            #expect(try place.run("create", place.configuration).code == 0)
            let process = try #require(place.processes.first)
            kill(process, SIGKILL)
            #expect(eventually { place.processes.isEmpty })
            let listing = try place.run("list")
            #expect(listing.code == 0 && !listing.output.contains("victim"))
            #expect(place.guests.isEmpty)
        }
    }
}

extension KillTests.Installation {
    /// The directories of guests.
    fileprivate var guests: [String] { Scratch.names(in: runtime).filter { Int($0) != nil } }
}
