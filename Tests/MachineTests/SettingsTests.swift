import ControlProtocol
import Glibc
import HostIO
import Machine
import Testing
import VirtualCPU

@Suite("Changes to a guest that runs") struct SettingsTests {
    private func halted(_ change: (inout GuestDescription) -> Void = { _ in }) throws -> (guest: TestGuest, running: RunningGuest) {
        var guest = try TestGuest()
        change(&guest.description)
        let running = try guest.start { _ in .halted }
        #expect(try running.ask(.unpause) == .ok)
        return (guest, running)
    }

    private func saved(_ guest: TestGuest) throws -> GuestDescription {
        try GuestDescription(json: Array(Scratch.text("\(guest.directory)/guest.json").utf8))
    }

    private func end(_ running: RunningGuest) throws {
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    private func refusal(_ running: RunningGuest, _ request: ControlRequest) -> String? {
        do {
            let reply = try running.ask(request)
            return "answered \(reply)"
        } catch ControlClientError.refused(let error) {
            return error.cause
        } catch { return "\(error)" }
    }

    @Test("A new name stands in the xenstore, on disk and in the status")
    func rename() throws {
        let (guest, running) = try halted()
        #expect(try running.ask(.rename("other")) == .ok)
        let store = try StoreClient(guest.directory)
        #expect(store.read("/local/domain/7/name") == "other")
        #expect(store.read("/vm/\(guest.description.uuid)/name") == "other")
        #expect(try running.status.name == "other")
        #expect(try running.ask(.hello) == .hello(domainID: 7, name: "other"))
        #expect(try saved(guest).name == "other")
        for name in ["", "with space", "a/b", String(repeating: "x", count: 300)] {
            #expect(refusal(running, .rename(name))?.contains("is no name") == true)
        }
        try end(running)
    }

    @Test("A memory target within the limits is written for the guest, and kept for a restart")
    func memoryTarget() throws {
        let (guest, running) = try halted()
        #expect(try running.ask(.setMemoryTarget(kib: 6 << 10)) == .ok)
        #expect(try StoreClient(guest.directory).read("/local/domain/7/memory/target") == "6144")
        #expect(try running.status.targetMemoryKiB == 6 << 10)
        #expect(try saved(guest).memoryKiB == 6 << 10)
        #expect(refusal(running, .setMemoryTarget(kib: 9 << 10))?.contains("maxmem=8") == true)
        #expect(refusal(running, .setMemoryTarget(kib: 3))?.contains("too little") == true)
        try end(running)
    }

    @Test("A guest may be allowed more memory than it was created with, not less than it is to have")
    func maxMemory() throws {
        let (_, running) = try halted()
        #expect(try running.ask(.setMaxMemory(kib: 64 << 10)) == .ok)
        #expect(try running.status.maxMemoryKiB == 64 << 10)
        #expect(refusal(running, .setMaxMemory(kib: 4 << 10))?.contains("less than the guest is to have") == true)
        #expect(refusal(running, .setMaxMemory(kib: 1 << 40))?.contains("address space") == true)
        try end(running)
    }

    @Test("A guest with maxmem owns no more than its memory, and sees all")
    func memoryBelowMaximum() throws {
        let (guest, running) = try halted { $0.maxMemoryKiB = 32 << 10 }
        let status = try running.status
        #expect(status.currentMemoryKiB >= 8 << 10 && status.currentMemoryKiB < 9 << 10)
        #expect(status.maxMemoryKiB == 32 << 10 && status.targetMemoryKiB == 8 << 10)
        #expect(try StoreClient(guest.directory).read("/local/domain/7/memory/static-max") == "32768")
        try end(running)
    }

    @Test("vCPUs to be online are written one by one")
    func vcpus() throws {
        let (guest, running) = try halted { $0.maxVCPUs = 3 }
        #expect(try running.ask(.setVCPUs(2)) == .ok)
        let store = try StoreClient(guest.directory)
        #expect((0..<3).map { store.read("/local/domain/7/cpu/\($0)/availability") } == ["online", "online", "offline"])
        #expect(try saved(guest).vcpus == 2)
        #expect(refusal(running, .setVCPUs(0))?.contains("1 to 3") == true)
        #expect(refusal(running, .setVCPUs(4))?.contains("1 to 3") == true)
        try end(running)
    }

    @Test("A vCPU's thread is put on the processors asked for, at once and from the start")
    func affinity() throws {
        let (guest, running) = try halted {
            $0.maxVCPUs = 2
            $0.hardAffinity = [[0]]
        }
        #expect(try running.status.vcpus.map(\.hardAffinity) == [[0], nil])
        #expect(try eventually { try allowed(running, "vcpu0") == "0" })
        let last = sysconf(Int32(_SC_NPROCESSORS_ONLN)) - 1
        #expect(try running.ask(.setAffinity(vcpu: 1, hard: [last, last], soft: [0])) == .ok)
        #expect(try allowed(running, "vcpu1") == "\(last)")
        let status = try running.status.vcpus[1]
        #expect(last == 0 || status.hardAffinity == [last])
        #expect(last == 0 || status.softAffinity == [0])
        #expect(try saved(guest).hardAffinity(of: 1) == (last == 0 ? nil : [last]))
        #expect(try running.ask(.setAffinity(vcpu: 1, hard: nil, soft: Array(0...last))) == .ok)
        #expect(try running.status.vcpus[1].softAffinity == nil)
        #expect(refusal(running, .setAffinity(vcpu: 2, hard: [0], soft: nil))?.contains("no vCPU 2") == true)
        #expect(refusal(running, .setAffinity(vcpu: 0, hard: [], soft: nil))?.contains("no such set") == true)
        #expect(refusal(running, .setAffinity(vcpu: 0, hard: [5000], soft: nil))?.contains("no such set") == true)
        try end(running)
    }

    /// `Cpus_allowed_list` of a thread of this process that belongs to the guest; threads of other tests have the same names.
    private func allowed(_ running: RunningGuest, _ name: String) throws -> String? {
        let lists = Scratch.names(in: "/proc/self/task").compactMap { thread -> String? in
            let status = Scratch.text("/proc/self/task/\(thread)/status").split(separator: "\n")
            guard status.first == "Name:\t\(name)" else { return nil }
            return status.first { $0.hasPrefix("Cpus_allowed_list:") }.map { String($0.dropFirst(19)) }
        }
        return lists.min { $0.count < $1.count }
    }

    @Test("A description can be read, and replaced except for who the guest is")
    func description() throws {
        let (guest, running) = try halted()
        var new = guest.description
        new.onCrash = .preserve
        #expect(try running.ask(.updateDescription(new)) == .ok)
        #expect(try running.ask(.description) == .description(new))
        #expect(try saved(guest) == new)
        new.name = "other"
        #expect(refusal(running, .updateDescription(new))?.contains("cannot be changed this way") == true)
        try end(running)
    }

    @Test("A change that cannot be written to disk is refused and undone")
    func unwritable() throws {
        let (guest, running) = try halted()
        // A directory in the way of the new file: works for root, too.
        try #require(unsafe mkdir("\(guest.directory)/guest.json.new", 0o700) == 0)
        #expect(refusal(running, .rename("other"))?.contains("cannot be saved") == true)
        #expect(try StoreClient(guest.directory).read("/local/domain/7/name") == "tiny")
        #expect(try running.status.name == "tiny")
        try end(running)
    }

    @Test("SysRq is one character in the xenstore")
    func sysrq() throws {
        let (guest, running) = try halted()
        #expect(try running.ask(.sysrq("h")) == .ok)
        #expect(try StoreClient(guest.directory).read("/local/domain/7/control/sysrq") == "h")
        #expect(refusal(running, .sysrq("help"))?.contains("not one character") == true)
        try end(running)
    }

    @Test("Triggers a PVH guest has nothing for are refused with the reason", arguments: [Trigger.initialise, .power, .sleep, .s3resume])
    func noTrigger(trigger: Trigger) throws {
        let (_, running) = try halted()
        #expect(refusal(running, .trigger(trigger, vcpu: 0))?.contains("a PVH guest has no") == true)
        #expect(refusal(running, .trigger(.nmi, vcpu: 1))?.contains("no vCPU 1") == true)
        try end(running)
    }

    @Test("The trigger reset ends the guest as a reboot does")
    func reset() throws {
        let (_, running) = try halted { $0.onReboot = .destroy }
        #expect(try running.ask(.trigger(.reset, vcpu: 0)) == .ok)
        #expect(running.join() == .shutdown(reason: .reboot))
    }

    @Test("Debug keys print into the hypervisor's log, which can be cleared; unknown ones are named")
    func debugKeys() throws {
        let guest = try TestGuest()
        let running = try guest.start { cpu in
            cpu.log("the guest's own line\n")
            return .halted
        }
        #expect(try running.ask(.unpause) == .ok)
        let expected = ControlReply.log("(XEN) domain 7 is built\n(d7) the guest's own line\n")
        #expect(try eventually { try running.ask(.hypervisorLog(clears: false)) == expected })
        #expect(try running.ask(.debugKeys("qegadhmr")) == .ok)
        guard case .log(let text) = try running.ask(.hypervisorLog(clears: true)) else { throw ControlClientError.malformed("no log") }
        for part in [
            "(XEN) 'q' pressed", "VCPU0:", "max_pages=", "    1 [0/0]: vcpu=0 domain 0 port 21", "grant-table for domain 7 (v1): 1 frames",
            "Timers of domain 7", "rip=0x100000", "key 'g' =>", "resident=", "processor=",
        ] { #expect(text.contains(part), "\(part)") }
        #expect(try running.ask(.hypervisorLog(clears: false)) == .log(""))
        #expect(refusal(running, .debugKeys("qx"))?.contains("\"x\"") == true)
        #expect(try running.ask(.hypervisorLog(clears: false)) == .log(""))
        try end(running)
    }

    @Test("A flood of the guest leaves its last whole lines in the hypervisor's log, and fits a message")
    func flood() throws {
        let guest = try TestGuest()
        let running = try guest.start { cpu in
            for number in 0..<5000 { cpu.log("line \(number) \\\"\\\"\\\"\n") }
            return .halted
        }
        #expect(try running.ask(.unpause) == .ok)
        #expect(
            try eventually {
                guard case .log(let text) = try running.ask(.hypervisorLog(clears: false)) else { return false }
                return text.hasSuffix("line 4999 \\\"\\\"\\\"\n") && text.hasPrefix("(d7) line ") && text.utf8.count > 16_000
            })
        try end(running)
    }
}
