import GuestMemory
import Testing
import XenABI
import XenDomain

/// Guests that set up the FIFO ABI by halves, or take back what they gave.
@Suite("Event channels, FIFO without pages and control blocks") struct FIFOEdgeTests {
    private static let control: UInt64 = 0x30_0000
    private static let array: UInt64 = 0x31_0000

    /// Ports from 3 on are IPIs of the named vCPUs.
    private func machine(vcpus: Int = 1, ports: [UInt32] = [0]) throws -> Machine {
        var configuration = Machine.configuration(vcpus: vcpus)
        configuration.maximumEventChannels = 4000
        let machine = try Machine(configuration)
        machine.mapSharedInfo()
        for vcpu in ports { #expect(machine.events(EventChannelOp.bindIPI, [vcpu, 0]).result == 0) }
        return machine
    }

    private func initialise(_ machine: Machine, vcpu: UInt32 = 0, gfn: UInt64 = control >> 12, offset: UInt32 = 0) -> Int64 {
        machine.events(EventChannelOp.initControl, [UInt32(truncatingIfNeeded: gfn), UInt32(gfn >> 32), offset, vcpu, 0, 0]).result
    }

    private func expand(_ machine: Machine, gfn: UInt64 = array >> 12) -> Int64 {
        machine.events(EventChannelOp.expandArray, [UInt32(truncatingIfNeeded: gfn), UInt32(gfn >> 32)]).result
    }

    private func send(_ machine: Machine, _ port: UInt32, on vcpu: Int = 0) -> Int64 {
        machine.events(EventChannelOp.send, [port], on: vcpu).result
    }

    private func word(_ machine: Machine, _ port: UInt32) -> UInt32 { machine.get(Self.array + UInt64(port) * 4) }
    private func head(_ machine: Machine, block: UInt64 = control) -> UInt32 { machine.get(block + 8 + 7 * 4) }

    @Test("What is raised while no page is there waits for the page, once, and is linked in the order of ports")
    func missingPage() throws {
        let machine = try machine(ports: [0, 0, 0])
        #expect(initialise(machine) == 0)
        for port in [5, 3, 5, 5] as [UInt32] { #expect(send(machine, port) == 0) }
        machine.domain.notify(1)
        #expect(machine.get(0x104000, as: UInt8.self) == 0 && head(machine) == 0)
        // Nothing of it is pending in the guest's eyes, so there is nothing to unmask.
        #expect(machine.events(EventChannelOp.unmask, [5]).result == 0)
        #expect(expand(machine) == 0)
        #expect(head(machine) == 1 && machine.get(0x104000, as: UInt8.self) == 1)
        #expect(word(machine, 1) & FIFOEvent.linkMask == 3 && word(machine, 3) & FIFOEvent.linkMask == 5)
        #expect(word(machine, 5) == FIFOEvent.pending | FIFOEvent.linked)
        #expect(word(machine, 4) == 0)
    }

    @Test("A later page that is missing keeps its own events only")
    func secondPage() throws {
        let machine = try machine(ports: Array(repeating: 0, count: 1100))
        #expect(initialise(machine) == 0 && expand(machine) == 0)
        #expect(send(machine, 1050) == 0 && send(machine, 4) == 0)
        #expect(head(machine) == 4)
        machine.put(UInt32(0), at: Self.control + 8 + 7 * 4)
        machine.put(UInt32(0), at: Self.array + 16)
        #expect(expand(machine, gfn: Self.array >> 12 + 1) == 0)
        #expect(head(machine) == 1050 && word(machine, 1050) == FIFOEvent.pending | FIFOEvent.linked)
    }

    @Test("A port that is closed and bound anew forgets what it waited with")
    func closed() throws {
        let machine = try machine()
        #expect(initialise(machine) == 0 && send(machine, 3) == 0)
        #expect(machine.events(EventChannelOp.close, [3]).result == 0)
        #expect(machine.events(EventChannelOp.bindIPI, [0, 0]).fields[1] == 3)
        #expect(expand(machine) == 0)
        #expect(word(machine, 3) == 0 && head(machine) == 0)
    }

    @Test("An event for a vCPU without a control block stays pending; unmasking it links it once the block is there")
    func missingBlock() throws {
        let machine = try machine(vcpus: 2, ports: [1])
        #expect(initialise(machine) == 0 && expand(machine) == 0)
        #expect(send(machine, 3) == 0)
        #expect(word(machine, 3) == FIFOEvent.pending, "not linked anywhere")
        #expect(head(machine) == 0)
        let second = Self.control + 0x80
        #expect(initialise(machine, vcpu: 1, offset: 0x80) == 0)
        #expect(machine.events(EventChannelOp.unmask, [3]).result == 0)
        #expect(word(machine, 3) == FIFOEvent.pending | FIFOEvent.linked && head(machine, block: second) == 3)
        #expect(machine.get(0x104040, as: UInt8.self) == 1)
    }

    @Test("A poller hears of an event that cannot be linked")
    func poller() throws {
        let machine = try machine(vcpus: 2, ports: [1])
        #expect(initialise(machine) == 0 && expand(machine) == 0)
        machine.put(Machine.scratch + 0x100, at: Machine.scratch)
        machine.put(UInt32(1), at: Machine.scratch + 8)
        machine.put(UInt64(0), at: Machine.scratch + 16)
        machine.put(UInt32(3), at: Machine.scratch + 0x100)
        machine.cpus[0].onRun = { machine.call(Hypercall.schedOp, SchedOp.poll, Machine.scratch) }
        #expect(machine.domain.vcpus[0].step(machine.cpus[0]) == .wait)
        #expect(send(machine, 3, on: 1) == 0)
        #expect(machine.domain.vcpus[0].isRunnable)
    }

    @Test("A refused first control block leaves the domain with two levels", arguments: [UInt64(0x9_9999), 0xfee00, 1 << 40, .max])
    func refusedBlock(gfn: UInt64) throws {
        let machine = try machine()
        #expect(initialise(machine, gfn: gfn) == XenError.invalidArgument.result)
        #expect(expand(machine) == XenError.notSupported.result)
        #expect(send(machine, 3) == 0)
        #expect(machine.get(0x104800, as: UInt32.self) == 1 << 3)
        #expect(initialise(machine) == 0 && expand(machine) == 0)
        #expect(head(machine) == 3, "what was pending is carried over")
    }

    @Test("A second control block for a vCPU is refused, and the first one stays")
    func secondBlock() throws {
        let machine = try machine()
        #expect(initialise(machine) == 0 && expand(machine) == 0)
        #expect(initialise(machine, gfn: 0x320) == XenError.invalidArgument.result)
        #expect(send(machine, 3) == 0 && head(machine) == 3)
    }

    @Test("Array pages that are no writable RAM are refused, and so is one page too many", arguments: [UInt64(0x9_9999), 1 << 40, .max])
    func refusedPage(gfn: UInt64) throws {
        let machine = try machine()
        #expect(initialise(machine) == 0)
        #expect(expand(machine, gfn: gfn) == XenError.invalidArgument.result)
        #expect(send(machine, 3) == 0)
        for page in 0..<128 as Range<UInt64> { #expect(expand(machine, gfn: 0x400 + page) == 0) }
        #expect(expand(machine, gfn: 0x500) == XenError.noSpace.result)
        #expect(head(machine) == 3)
    }

    @Test("Pages the guest gives back while they are in use are written to no more than before, and by nobody else")
    func givenBack() throws {
        let machine = try machine(ports: [0, 0])
        #expect(initialise(machine) == 0 && expand(machine) == 0)
        let at = Machine.scratch
        for gfn in [Self.control >> 12, Self.array >> 12] {
            machine.put(DomainID.current, at: at)
            machine.put(gfn, at: at + 8)
            #expect(machine.call(Hypercall.memoryOp, UInt64(MemoryOp.removeFromPhysmap), at) == 0)
        }
        // Fresh pages at the same frames are others: the old ones belong to the queues until these are reset.
        machine.put(at + 0x100, at: at)
        machine.put(UInt64(2), at: at + 8)
        machine.put(UInt64(0), at: at + 16)
        machine.put(DomainID.current, at: at + 24)
        machine.put(Self.control >> 12, at: at + 0x100)
        machine.put(Self.array >> 12, at: at + 0x108)
        #expect(machine.call(Hypercall.memoryOp, UInt64(MemoryOp.populatePhysmap), at) == 2)
        for port in [3, 4, 3] as [UInt32] { #expect(send(machine, port) == 0) }
        #expect(machine.bytes(Self.control, 4096).allSatisfy { $0 == 0 } && machine.bytes(Self.array, 4096).allSatisfy { $0 == 0 })
        #expect(machine.events(EventChannelOp.reset, [0x7ff0]).result == 0)
        #expect(machine.domain.shutdownReason == nil)
    }

    @Test("One page for everything: words, control blocks and whatever the guest writes there", arguments: 0..<4 as Range<UInt64>)
    func onePage(seed: UInt64) throws {
        let machine = try machine(vcpus: 2, ports: (0..<30).map { $0 & 1 })
        #expect(initialise(machine, gfn: 0x310, offset: 0x10) == 0)
        #expect(initialise(machine, vcpu: 1, gfn: 0x310, offset: 0x18) == 0)
        #expect(expand(machine) == 0)
        var random = SeededRandom(seed: seed + 1)
        for _ in 0..<5000 {
            machine.put(UInt32.random(in: 0...UInt32.max, using: &random), at: Self.array + UInt64.random(in: 0..<64, using: &random) * 4)
            let port = UInt32.random(in: 1..<33, using: &random)
            switch random.next() % 6 {
            case 0: _ = machine.events(EventChannelOp.setPriority, [port, UInt32(random.next() & 15)])
            case 1: _ = machine.events(EventChannelOp.unmask, [port])
            case 2:
                _ = machine.events(EventChannelOp.close, [port])
                _ = machine.events(EventChannelOp.bindIPI, [UInt32(random.next() & 1), 0])
            default: _ = send(machine, port)
            }
        }
        #expect(machine.domain.shutdownReason == nil)
        #expect(machine.events(EventChannelOp.reset, [0x7ff0]).result == 0)
    }
}
