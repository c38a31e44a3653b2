import ControlProtocol
import Glibc
import HostIO
import Machine
import Synchronization
import Testing
import VirtualCPU

@Suite("Lifecycle of a guest") struct LifecycleTests {
    @Test("A new guest is paused and executes nothing before it is unpaused")
    func startsPaused() throws {
        let guest = try TestGuest()
        let running = try guest.start { $0.compute() }
        usleep(20_000)
        let before = try running.status
        #expect(before.state.letters == "--p---")
        #expect(before.instructionCount == 0 && before.startedNanoseconds == nil && before.uptimeNanoseconds == 0)
        #expect(before.currentMemoryKiB >= 8 << 10)
        #expect(try running.ask(.unpause) == .ok)
        #expect(try eventually { try running.status.state.letters == "r-----" })
        #expect(try running.status.startedNanoseconds != nil)
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("Once pause is answered no vCPU executes, until unpause")
    func pause() throws {
        let guest = try TestGuest()
        let running = try guest.start { $0.compute() }
        for _ in 0..<20 {
            #expect(try running.ask(.unpause) == .ok)
            usleep(500)
            #expect(try running.ask(.pause) == .ok)
            let count = try running.status.instructionCount
            usleep(2000)
            #expect(try running.status.instructionCount == count)
            #expect(try running.status.state.paused)
        }
        #expect(try running.status.instructionCount ?? 0 > 0)
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("A guest that never gives way is destroyed promptly and leaves no socket")
    func destroy() throws {
        var guest = try TestGuest()
        guest.description.maxVCPUs = 3
        let running = try guest.start { $0.compute() }
        #expect(try running.ask(.unpause) == .ok)
        let start = monotonicMilliseconds()
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
        #expect(monotonicMilliseconds() - start < 2000)
        #expect(Scratch.names(in: guest.directory) == [UnixSocket.controlName])
        #expect(guest.log.contains("statistics: instructions="))
    }

    @Test("A guest's own end is reported with its reason", arguments: [0, 3, 4, 17] as [UInt32])
    func ownEnd(reason: UInt32) throws {
        let guest = try TestGuest()
        let running = try guest.start { $0.shutDown(reason) }
        var waiter = try ControlClient(directory: guest.directory)
        try waiter.send(.wait)
        #expect(try waiter.ask(.hello) == .hello(domainID: 7, name: "tiny"))
        #expect(try running.ask(.unpause) == .ok)
        let expected = GuestEnd.shutdown(reason: ShutdownReason(rawValue: UInt8(reason)))
        #expect(try waiter.receive() == .ended(expected))
        #expect(running.join() == expected)
        #expect(guest.log.contains("reason code \(reason) "))
    }

    @Test("A guest that is to be preserved stays, shut down, until it is destroyed")
    func preserve() throws {
        var guest = try TestGuest()
        guest.description.onCrash = .preserve
        let running = try guest.start { _ in .crashed("jumped into nowhere") }
        #expect(try running.ask(.unpause) == .ok)
        #expect(try eventually { try running.status.state.letters == "---sc-" })
        #expect(guest.log.contains("jumped into nowhere"))
        #expect(guest.log.contains("rip=0x100000"))
        #expect(throws: ControlClientError.self) { try running.ask(.shutdown(.poweroff)) }
        #expect(running.end == nil)
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("A restart builds the guest anew; console clients and log stay")
    func restart() throws {
        let guest = try TestGuest()
        let lives = Atomic<Int>(0)
        let running = try guest.start { cpu in
            let life = lives.add(1, ordering: .relaxed).newValue
            cpu.print("life \(life)\n")
            return cpu.shutDown(life == 1 ? 1 : 0)
        }
        let console = try UnixSocket.connect(directory: guest.directory, name: UnixSocket.consoleName)
        #expect(try running.ask(.unpause) == .ok)
        #expect(running.join() == .shutdown(reason: .poweroff))
        #expect(lives.load(ordering: .relaxed) == 2)
        var text: [UInt8] = []
        let reader = Descriptor(console.release())
        while case .bytes = reader.read(into: &text, limit: 4096) {}
        #expect(String(decoding: text, as: UTF8.self) == "life 1\nlife 2\n")
        #expect(guest.consoleLog == "life 1\nlife 2\n")
        #expect(guest.log.contains("Done. Rebooting now"))
    }

    @Test("A restart that fails ends the guest and says why")
    func failingRestart() throws {
        let guest = try TestGuest()
        let running = try guest.start { $0.shutDown(1) }
        unsafe unlink(guest.description.kernelPath)
        #expect(try running.ask(.unpause) == .ok)
        guard case .failed(let message) = running.join() else {
            Issue.record("the guest did not fail")
            return
        }
        #expect(message.contains("kernel") && message.contains("No such file"))
    }

    @Test("A guest that runs out of time is destroyed")
    func timeout() throws {
        var guest = try TestGuest()
        guest.description.timeoutSeconds = 1
        let running = try guest.start { $0.compute() }
        #expect(try running.ask(.unpause) == .ok)
        #expect(running.join() == .timeout)
    }

    @Test("An idle guest uses less than one per cent of a processor")
    func idle() throws {
        let guest = try TestGuest()
        let running = try guest.start { _ in .halted }
        #expect(try running.ask(.unpause) == .ok)
        #expect(try eventually { try running.status.state.letters == "-b----" })
        let before = try running.status.vcpuTimesNanoseconds[0]
        usleep(500_000)
        #expect(try running.status.vcpuTimesNanoseconds[0] - before < 5_000_000)
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("A request to shut down is written where the guest looks for it", arguments: [ShutdownMode.poweroff, .reboot, .halt])
    func shutdownRequest(mode: ShutdownMode) throws {
        let guest = try TestGuest()
        let running = try guest.start { _ in .halted }
        #expect(try running.ask(.shutdown(mode)) == .ok)
        #expect(try StoreClient(guest.directory).read("/local/domain/7/control/shutdown") == mode.rawValue)
        #expect(throws: ControlClientError.self) { try running.ask(.shutdown(.suspend)) }
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("A guest works in a directory whose path is too long for a socket")
    func longPath() throws {
        let guest = try TestGuest(nested: String(repeating: "long/", count: 30) + "guest")
        let running = try guest.start { cpu in
            cpu.print("here\n")
            return cpu.shutDown(0)
        }
        let console = Descriptor(try UnixSocket.connect(directory: guest.directory, name: UnixSocket.consoleName).release())
        #expect(try running.ask(.unpause) == .ok)
        #expect(running.join() == .shutdown(reason: .poweroff))
        var text: [UInt8] = []
        while case .bytes = console.read(into: &text, limit: 4096) {}
        #expect(String(decoding: text, as: UTF8.self) == "here\n")
    }

    @Test("What a guest writes to the hypervisor's port stands in the log, harmless and bounded")
    func hypervisorLog() throws {
        let guest = try TestGuest()
        let running = try guest.start { cpu in
            cpu.log("hello\u{1b}[2J\n")
            for number in 0..<10_000 { cpu.log("line \(number)\n") }
            return cpu.shutDown(0)
        }
        #expect(try running.ask(.unpause) == .ok)
        #expect(running.join() == .shutdown(reason: .poweroff))
        let log = guest.log
        #expect(log.contains("guest: hello\\x1b[2J\n"))
        #expect(log.contains("lines left out"))
        #expect(log.split(separator: "\n").count < 4300)
    }

    @Test("Clients that send rubbish or hang up do no harm")
    func rubbish() throws {
        let guest = try TestGuest()
        let running = try guest.start { _ in .halted }
        for text in ["rubbish\n", "{\"version\":1,\"request\":\"dance\"}\n", "{\"version\":9,\"request\":\"hello\"}\n", "half a line"] {
            let client = Descriptor(try UnixSocket.connect(directory: guest.directory, name: UnixSocket.controlName).release())
            let bytes = Array(text.utf8)
            #expect(client.send(bytes[...]) == .bytes(bytes.count))
            guard text.hasSuffix("\n") else { continue }
            var reply: [UInt8] = []
            guard case .bytes = client.read(into: &reply, limit: 4096) else {
                Issue.record("no reply to \(text)")
                continue
            }
            #expect(String(decoding: reply, as: UTF8.self).contains("\"error\""))
        }
        var many: [Descriptor] = []
        for _ in 0..<100 {
            many.append(Descriptor(try UnixSocket.connect(directory: guest.directory, name: UnixSocket.controlName).release()))
        }
        many = []
        #expect(eventually { (try? running.ask(.hello)) == .hello(domainID: 7, name: "tiny") })
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }
}
