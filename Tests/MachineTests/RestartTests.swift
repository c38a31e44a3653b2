import ControlProtocol
import Glibc
import HostIO
import Machine
import Testing
import VirtualCPU
import X86

/// Guests in a runtime directory, where restarts move them.
@Suite("Restarts with new domain IDs") struct RestartTests {
    /// A guest whose directory is named by its domain ID.
    private func guest(_ code: [UInt8] = [0xf4]) throws -> TestGuest { try TestGuest(code: code, nested: "run/7") }

    private func runtime(_ guest: TestGuest) -> String { "\(guest.scratch.path)/run" }

    @Test("A restart gets the next domain ID; directory, control and console go along")
    func newDomainID() throws {
        let guest = try guest()
        _ = try guest.scratch.write("run/last-domid", Array("11\n".utf8))
        let running = try guest.start { cpu in
            cpu.print("domain \(cpu.domainID)\n")
            return cpu.domainID == 7 ? cpu.shutDown(1) : .halted
        }
        var client = try ControlClient(directory: guest.directory)
        let console = Descriptor(try UnixSocket.connect(directory: guest.directory, name: UnixSocket.consoleName).release())
        #expect(try client.ask(.unpause) == .ok)
        #expect(try eventually { try client.ask(.hello) == .hello(domainID: 12, name: "tiny") })
        let place = "\(runtime(guest))/12"
        #expect(Scratch.names(in: runtime(guest)) == ["12", "last-domid", "lock"])
        #expect(try GuestDescription(json: Array(Scratch.text("\(place)/guest.json").utf8)).domainID == 12)
        #expect(try StoreClient(place).read("/local/domain/12/name") == "tiny")
        #expect(eventually { guest.consoleLog.contains("domain 12\n") })
        var late = try ControlClient(directory: place)
        #expect(try late.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
        var text: [UInt8] = []
        while case .bytes = console.read(into: &text, limit: 4096) {}
        #expect(String(decoding: text, as: UTF8.self) == "domain 7\ndomain 12\n")
        #expect(
            ShutdownReasonTests.lines(guest.log) == [
                "Domain 7 has shut down, reason code 1 0x1", "Action for shutdown reason code 1 is restart",
                "Domain 7 needs to be cleaned up: destroying the domain", "Done. Rebooting now", "Domain 12 has been destroyed.",
            ])
    }

    @Test("A restart waits for whoever holds the runtime directory, and serves its clients meanwhile")
    func lockedDirectory() throws {
        let guest = try guest()
        var lock: FileDescriptor? = try GuestLock.take(directory: runtime(guest), waiting: false)
        let running = try guest.start { $0.domainID == 7 ? $0.shutDown(1) : .halted }
        var client = try ControlClient(directory: guest.directory)
        #expect(try client.ask(.unpause) == .ok)
        usleep(2_500_000)
        #expect(try client.ask(.hello) == .hello(domainID: 7, name: "tiny"))
        if let held = lock.take() { _ = consume held }
        #expect(try eventually { try client.ask(.hello) == .hello(domainID: 1, name: "tiny") })
        #expect(try client.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("rename-restart keeps the dead guest under another name and UUID; a new process runs a new one")
    func renameRestart() throws {
        var guest = try guest(ShutdownReasonTests.kernel("3"))
        guest.description.onCrash = .renameRestart
        let child = try GuestChild(guest, place: "run/7")
        _ = try child.readReport()
        var client = try ControlClient(directory: guest.directory)
        #expect(try client.ask(.unpause) == .ok)
        // The second one finds the name taken, within the same minute, and stays as it is.
        #expect(eventually { guest.log.contains("which exists") || guest.log.split(separator: "Preserving").count > 2 })
        guard case .status(let dead) = try client.ask(.status) else { throw ControlClientError.malformed("no status") }
        #expect(dead.state.letters == "---sc-" && dead.domainID == 7)
        #expect(dead.name.wholeMatch(of: /tiny-\d{8}T\d{4}Z/) != nil && dead.uuid != guest.description.uuid)
        #expect(try StoreClient(guest.directory).read("/vm/\(dead.uuid)/name") == dead.name)
        var second = try ControlClient(directory: "\(runtime(guest))/1")
        guard case .status(let next) = try second.ask(.status) else { throw ControlClientError.malformed("no status") }
        #expect(next.state.letters == "---sc-" && next.uuid == guest.description.uuid || next.name.hasPrefix("tiny-"))
        #expect(next.processID != dead.processID)
        for entry in Scratch.names(in: runtime(guest)) where Int(entry) != nil && entry != "7" {
            var other = try ControlClient(directory: "\(runtime(guest))/\(entry)")
            #expect(try other.ask(.destroy) == .ok)
        }
        #expect(eventually { Scratch.names(in: runtime(guest)) == ["7", "last-domid", "lock"] })
        #expect(try client.ask(.destroy) == .ok)
        #expect(child.wait() == 0)
        #expect(Scratch.names(in: runtime(guest)) == ["last-domid", "lock"])
    }

    @Test("A soft reset keeps domain ID, memory and registers; ports, grants, xenstore and console begin anew")
    func softReset() throws {
        let guest = try guest()
        let running = try guest.start { cpu in
            if cpu.word(at: 0x3000) == 0 {
                cpu.setGeneral(.rbp, 0x1234)
                cpu.store(1, at: 0x3000)
                cpu.print("before\n")
                return cpu.shutDown(5)
            }
            guard cpu.word(at: 0x3000) == 1, cpu.general(.rbp) == 0x1234, cpu.general(.rax) == 0 else { return .crashed("not kept") }
            cpu.store(2, at: 0x3000)
            cpu.print("after\n")
            return .halted
        }
        let console = Descriptor(try UnixSocket.connect(directory: guest.directory, name: UnixSocket.consoleName).release())
        #expect(try running.ask(.rename("other")) == .ok)
        #expect(try running.ask(.unpause) == .ok)
        #expect(try eventually { try running.status.state.letters == "-b----" && guest.consoleLog == "before\nafter\n" })
        #expect(try running.status.domainID == 7)
        #expect(try StoreClient(guest.directory).read("/local/domain/7/name") == "other")
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
        var text: [UInt8] = []
        while case .bytes = console.read(into: &text, limit: 4096) {}
        #expect(String(decoding: text, as: UTF8.self) == "before\nafter\n")
        #expect(
            ShutdownReasonTests.lines(guest.log) == [
                "Domain 7 has shut down, reason code 5 0x5", "Action for shutdown reason code 5 is soft-reset", "Done. Rebooting now",
                "Domain 7 has been destroyed.",
            ])
    }
}
