import ControlProtocol
import Glibc
import HostIO
import Machine
import Testing

@Suite("Guests on the interpreter") struct InterpretedGuestTests {
    @Test("A guest prints, logs and powers off", arguments: [[0x0f, 0x01, 0xc1], [0x0f, 0x01, 0xd9]] as [[UInt8]])
    func hello(hypercall: [UInt8]) throws {
        var program = TinyProgram()
        program.hypercall = hypercall
        program.log("tiny kernel\n")
        program.print("hello, world\n")
        program.shutDown(0)
        let guest = try TestGuest(code: program.bytes)
        let running = try guest.start()
        let console = Descriptor(try UnixSocket.connect(directory: guest.directory, name: UnixSocket.consoleName).release())
        #expect(try running.ask(.unpause) == .ok)
        #expect(running.join() == .shutdown(reason: .poweroff))
        var text: [UInt8] = []
        while case .bytes = console.read(into: &text, limit: 4096) {}
        #expect(String(decoding: text, as: UTF8.self) == "hello, world\n")
        #expect(guest.consoleLog == "hello, world\n")
        #expect(guest.log.contains("guest: tiny kernel\n"))
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var code: [UInt8]
        var words: [String]
    }

    static let faults = [
        // JMP to an address without memory.
        Fault(testDescription: "a jump into nowhere", code: [0xb8, 0, 0, 0, 0xf0, 0xff, 0xe0], words: ["rip=0xf0000000"]),
        // LIDT of a table without entries, then UD2.
        Fault(
            testDescription: "a triple fault", code: [0x0f, 0x01, 0x1d, 0x80, 0x00, 0x10, 0x00, 0x0f, 0x0b],
            words: ["triple fault", "rip=0x100007"]),
        // CR3 to an address without memory, then CR0.PG.
        Fault(
            testDescription: "page tables in nowhere",
            code: [0xb8, 0, 0, 0, 0xf0, 0x0f, 0x22, 0xd8, 0x0f, 0x20, 0xc0, 0x0d, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0, 0xf4],
            words: ["cr3=0xf0000000"]),
    ]

    @Test("A guest that breaks down is reported as crashed, with its registers in the log", arguments: faults)
    func breakdown(fault: Fault) throws {
        var guest = try TestGuest(code: fault.code + [UInt8](repeating: 0, count: 0x200 - fault.code.count))
        guest.description.onReboot = .destroy
        let running = try guest.start()
        #expect(try running.ask(.unpause) == .ok)
        #expect(running.join() == .shutdown(reason: fault.words.contains("triple fault") ? .reboot : .crash))
        let log = guest.log
        for word in fault.words { #expect(log.contains(word), "\(log)") }
        #expect(Scratch.names(in: guest.directory) == [UnixSocket.controlName])
    }

    @Test("A guest that loops for ever is paused and destroyed promptly")
    func endlessLoop() throws {
        let guest = try TestGuest(code: [0xeb, 0xfe])
        let running = try guest.start()
        #expect(try running.ask(.unpause) == .ok)
        usleep(20_000)
        let start = monotonicMilliseconds()
        #expect(try running.ask(.pause) == .ok)
        #expect(try running.status.instructionCount ?? 0 > 1000)
        #expect(try running.ask(.unpause) == .ok)
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
        #expect(monotonicMilliseconds() - start < 2000)
    }

    @Test("A guest that floods the hypervisor's log is destroyed promptly, its log bounded")
    func flood() throws {
        // MOV EDX, 0xe9; MOV AL, '\n'; OUT DX, AL; JMP -3
        let guest = try TestGuest(code: [0xba, 0xe9, 0, 0, 0, 0xb0, 0x0a, 0xee, 0xeb, 0xfd])
        let running = try guest.start()
        #expect(try running.ask(.unpause) == .ok)
        usleep(200_000)
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
        #expect(guest.log.split(separator: "\n").count < 4300)
    }

    /// Each turn moves the producer index of the xenstore's ring on without ever taking an answer: whole requests of zeros,
    /// then more than the ring holds.
    @Test("A guest that floods the xenstore is destroyed promptly", arguments: [1, 16, 127] as [UInt8])
    func storeFlood(step: UInt8) throws {
        var program = TinyProgram()
        // ADD DWORD [0xfeffc804], step
        program.add(0x83, 0x05, 0x04, 0xc8, 0xff, 0xfe, step)
        program.call(32, 4, argument: [1])
        program.repeatForever()
        let guest = try TestGuest(code: program.bytes)
        let running = try guest.start()
        #expect(try running.ask(.unpause) == .ok)
        usleep(200_000)
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("A guest that halts with interrupts on sleeps and costs nothing")
    func idle() throws {
        // STI; HLT; JMP -3
        let guest = try TestGuest(code: [0xfb, 0xf4, 0xeb, 0xfd])
        let running = try guest.start()
        #expect(try running.ask(.unpause) == .ok)
        #expect(try eventually { try running.status.state.letters == "-b----" })
        let before = try running.status.vcpuTimesNanoseconds[0]
        usleep(500_000)
        #expect(try running.status.vcpuTimesNanoseconds[0] - before < 5_000_000)
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("A guest that halts with interrupts off has powered off")
    func dead() throws {
        let guest = try TestGuest(code: [0xf4])
        let running = try guest.start()
        #expect(try running.ask(.unpause) == .ok)
        #expect(running.join() == .shutdown(reason: .poweroff))
    }

    @Test("A guest sleeps until the time it asked for, not shorter")
    func timer() throws {
        var program = TinyProgram()
        program.sleep(untilNanoseconds: 300_000_000)
        program.shutDown(0)
        let guest = try TestGuest(code: program.bytes)
        let start = monotonicMilliseconds()
        let running = try guest.start()
        #expect(try running.ask(.unpause) == .ok)
        #expect(running.join() == .shutdown(reason: .poweroff))
        #expect(monotonicMilliseconds() - start >= 300)
    }

    @Test("The watchdog ends a guest that no longer feeds it")
    func watchdog() throws {
        var program = TinyProgram()
        program.call(29, 6, argument: [0, 1])
        program.add(0xeb, 0xfe)
        let guest = try TestGuest(code: program.bytes)
        let running = try guest.start()
        #expect(try running.ask(.unpause) == .ok)
        #expect(running.join() == .shutdown(reason: .watchdog))
    }
}
