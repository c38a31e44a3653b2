import GuestMemory
import Testing
import XenABI
import XenDomain

/// A guest whose map shows 64 MiB and that owns 48.
@Suite("A guest with less memory than its map shows") struct DemandTests {
    private static let owed = 0x1000

    private func machine() throws -> Machine {
        var configuration = Machine.configuration()
        configuration.demandPages = Self.owed
        configuration.initialPages -= Self.owed
        configuration.maximumPages -= Self.owed
        return try Machine(configuration)
    }

    private func frames(_ machine: Machine, _ operation: Int, _ first: UInt64, _ count: Int = 1) -> Int64 {
        let at = Machine.scratch
        machine.put(at + 0x100, at: at)
        machine.put(UInt64(count), at: at + 8)
        machine.put(UInt64(0), at: at + 16)
        machine.put(DomainID.current, at: at + 24)
        var done: Int64 = 0
        for index in 0..<UInt64(count) {
            machine.put(UInt64(1), at: at + 8)
            machine.put(first + index, at: at + 0x100)
            done += machine.call(Hypercall.memoryOp, UInt64(operation), at)
        }
        return done
    }

    private func reservation(_ machine: Machine) -> Int64 {
        machine.put(DomainID.current, at: Machine.scratch)
        return machine.call(Hypercall.memoryOp, UInt64(MemoryOp.currentReservation), Machine.scratch)
    }

    private func touch(_ machine: Machine, _ frames: Range<UInt64>) {
        for frame in frames { _ = machine.memory.lookup(GuestFrameNumber(frame)) }
    }

    @Test("What it owns is what memory= says, touched or not; the structure it passed is its first page")
    func owns() throws {
        let machine = try machine()
        let total = machine.domain.totalPages
        #expect(reservation(machine) == Int64(total))
        #expect(machine.memory.demand == GuestMemory.Demand(frames: 0x4000 - 1, stock: 0x3000 - 1))
        touch(machine, 0x1000..<0x2000)
        #expect(reservation(machine) == Int64(total))
        #expect(machine.memory.demand == GuestMemory.Demand(frames: 0x3000 - 1, stock: 0x2000 - 1))
    }

    @Test("One that touches more than it owns is stopped, and the reason names cause and remedy")
    func stopped() throws {
        let machine = try machine()
        touch(machine, 0x0..<0x3000)
        #expect(machine.domain.shutdownReason == nil && machine.memory.demand.stock == 0)
        touch(machine, 0x3000..<0x3002)
        #expect(machine.domain.shutdownReason == .crash)
        let record = machine.host.take()
        #expect(record.shutdowns == [.crash] && record.crashes.count == 1)
        let message = try #require(record.crashes.first)
        #expect(message.contains("gfn 0x3000") && message.contains("64 MiB") && message.contains("raise memory="))
    }

    @Test("One whose balloon has given back what it owes may touch all that is left", arguments: [true, false])
    func balloon(touchesFirst: Bool) throws {
        let machine = try machine()
        let total = machine.domain.totalPages
        // Some balloons zero a page before they give it back: then it was touched, and is there for another frame.
        for frame in 0x3000..<0x4000 as Range<UInt64> {
            if touchesFirst { touch(machine, frame..<frame + 1) }
            #expect(frames(machine, MemoryOp.decreaseReservation, frame) == 1)
        }
        #expect(machine.domain.totalPages == total && machine.domain.demandPages == 0)
        touch(machine, 0..<0x3000)
        #expect(machine.domain.shutdownReason == nil)
        #expect(machine.memory.demand == GuestMemory.Demand(frames: 0, stock: 0))
        // From now on what it gives back is gone, and comes back only with populate_physmap.
        #expect(frames(machine, MemoryOp.decreaseReservation, 0x2ff0, 4) == 4)
        #expect(machine.domain.totalPages == total - 4)
        #expect(frames(machine, MemoryOp.populatePhysmap, 0x3000, 4) == 4)
        #expect(machine.domain.totalPages == total && machine.memory.demand.stock == 0)
    }

    @Test("A frame that was emptied untouched after the debt was paid gives its page back")
    func untouched() throws {
        let machine = try machine()
        let total = machine.domain.totalPages
        #expect(frames(machine, MemoryOp.decreaseReservation, 0x3000, 0x1000) == 0x1000)
        #expect(frames(machine, MemoryOp.decreaseReservation, 0x2000, 0x10) == 0x10)
        #expect(machine.domain.totalPages == total - 0x10)
        let demand = machine.memory.demand
        #expect(demand.frames == demand.stock)
    }

    @Test("A higher target counts at once and pays for frames that wait; a lower one is the balloon's work")
    func target() throws {
        let machine = try machine()
        let total = machine.domain.totalPages
        machine.domain.raiseTarget(ramPages: 0x2000)
        #expect(machine.domain.totalPages == total && machine.domain.demandPages == Self.owed)
        machine.domain.raiseTarget(ramPages: 0x3800)
        #expect(machine.domain.totalPages == total + 0x800 && machine.domain.demandPages == 0x800)
        machine.domain.raiseTarget(ramPages: 0x9000)
        #expect(machine.domain.totalPages == total + 0x1000 && machine.domain.demandPages == 0)
        touch(machine, 0..<0x4000)
        #expect(machine.domain.shutdownReason == nil)
    }

    @Test("Pages of the hypervisor and grants take the place of frames that wait")
    func special() throws {
        let machine = try machine()
        let total = machine.domain.totalPages
        #expect(machine.mapSharedInfo(at: 0x300) == 0)
        #expect(machine.domain.totalPages == total && machine.domain.demandPages == Self.owed - 1)
        #expect(machine.get(0x300000 + 3072, as: UInt32.self) != 0)
        // Whether a frame is RAM can be asked without touching it.
        let frames = machine.memory.demand.frames
        machine.put(UInt64(0x7ff0), at: Machine.scratch)
        machine.put(UInt64(0x3fff), at: Machine.scratch + 8)
        #expect(machine.call(Hypercall.hvmOp, HVMOp.getMemoryType, Machine.scratch) == 0)
        #expect(machine.get(Machine.scratch + 2, as: UInt16.self) == 0 && machine.memory.demand.frames == frames)
    }
}
