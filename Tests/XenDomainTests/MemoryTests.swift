import GuestMemory
import Testing
import XenABI
import XenDomain

@Suite("Memory operations") struct MemoryTests {
    /// A reservation of single pages; returns the number of extents done.
    private func reservation(_ machine: Machine, _ operation: Int, _ frames: [UInt64], order: UInt32 = 0, start: UInt64 = 0) -> Int64 {
        let at = Machine.scratch
        let wide = machine.cpus[0].is64Bit
        let list = at + 0x100
        machine.putWord(list, at: at)
        machine.putWord(UInt64(frames.count), at: at + (wide ? 8 : 4))
        machine.put(order, at: at + (wide ? 16 : 8))
        machine.put(UInt32(0), at: at + (wide ? 20 : 12))
        machine.put(DomainID.current, at: at + (wide ? 24 : 16))
        for (index, frame) in frames.enumerated() { machine.putWord(frame, at: list + UInt64(index) * (wide ? 8 : 4)) }
        return machine.call(Hypercall.memoryOp, start << 6 | UInt64(operation), at)
    }

    private func isPopulated(_ machine: Machine, _ frame: UInt64) -> Bool { machine.memory.lookup(GuestFrameNumber(frame)) != nil }

    @Test("The balloon gives pages back and gets zeroed ones", arguments: [true, false])
    func balloon(is64Bit: Bool) throws {
        let machine = try Machine(is64Bit: is64Bit)
        machine.put(UInt32(0xabcd), at: 0x300000)
        let before = machine.domain.totalPages
        #expect(reservation(machine, MemoryOp.decreaseReservation, [0x300, 0x301, 0x99999, 0x302]) == 2)
        #expect(machine.domain.totalPages == before - 2)
        #expect(!isPopulated(machine, 0x300) && isPopulated(machine, 0x302))
        #expect(machine.cpus[0].flushes == 1)
        #expect(reservation(machine, MemoryOp.populatePhysmap, [0x300, 0x5000]) == 2)
        #expect(machine.domain.totalPages == before)
        #expect(machine.get(0x300000, as: UInt32.self) == 0)
        #expect(isPopulated(machine, 0x5000))
    }

    @Test("A continued operation starts where it says")
    func continuation() throws {
        let machine = try Machine()
        #expect(reservation(machine, MemoryOp.decreaseReservation, [0x300, 0x301], start: 1) == 2)
        #expect(isPopulated(machine, 0x300) && !isPopulated(machine, 0x301))
        #expect(reservation(machine, MemoryOp.decreaseReservation, [0x302], start: 5) == 5)
    }

    @Test("Large extents are taken whole and have to be aligned")
    func order() throws {
        let machine = try Machine()
        #expect(reservation(machine, MemoryOp.decreaseReservation, [0x400], order: 3) == 1)
        #expect((0x400..<0x408).allSatisfy { !isPopulated(machine, $0) } && isPopulated(machine, 0x408))
        #expect(reservation(machine, MemoryOp.populatePhysmap, [0x404], order: 3) == 0)
        #expect(reservation(machine, MemoryOp.populatePhysmap, [0x400], order: 3) == 1)
        #expect(reservation(machine, MemoryOp.populatePhysmap, [0x400], order: 10) == 0)
    }

    @Test("A domain cannot own more than its maximum")
    func maximum() throws {
        let machine = try Machine()
        let room = machine.domain.configuration.maximumPages - machine.domain.totalPages
        let frames = (0..<UInt64(300)).map { 0x8000 + $0 }
        #expect(reservation(machine, MemoryOp.populatePhysmap, frames) == Int64(room))
        #expect(machine.domain.totalPages == machine.domain.configuration.maximumPages)
    }

    @Test("Frames beyond the address width are refused")
    func outOfRange() throws {
        let machine = try Machine()
        #expect(reservation(machine, MemoryOp.populatePhysmap, [1 << 28, 1 << 60]) == 0)
        #expect(reservation(machine, MemoryOp.decreaseReservation, [.max]) == 0)
        #expect(machine.addToPhysmap(space: PhysmapSpace.sharedInfo, index: 0, gfn: 1 << 40) == XenError.invalidArgument.result)
    }

    @Test("Mapping the shared page over RAM releases the RAM; mapping it again moves it")
    func sharedInfo() throws {
        let machine = try Machine()
        let before = machine.domain.totalPages
        #expect(machine.mapSharedInfo(at: 0x300) == 0)
        #expect(machine.domain.totalPages == before - 1)
        #expect(machine.get(0x300000 + 3072, as: UInt32.self) != 0)
        #expect(machine.mapSharedInfo(at: 0x6000) == 0)
        #expect(!isPopulated(machine, 0x300) && isPopulated(machine, 0x6000))
        #expect(machine.domain.totalPages == before - 1)
        #expect(reservation(machine, MemoryOp.decreaseReservation, [0x6000]) == 1)
        #expect(machine.domain.totalPages == before - 1)
        #expect(machine.mapSharedInfo(at: 0x300) == 0)
        #expect(machine.addToPhysmap(space: PhysmapSpace.sharedInfo, index: 1, gfn: 0x301) == XenError.invalidArgument.result)
    }

    @Test(
        "add_to_physmap names spaces, domains and ranges it does not do",
        arguments: [
            // space, index, domain, error
            (PhysmapSpace.gmfnForeign, UInt64(0), DomainID.current, XenError.notImplemented),
            (PhysmapSpace.deviceMMIO, 0, DomainID.current, .notImplemented),
            (77, 0, DomainID.current, .notImplemented), (PhysmapSpace.grantTable, 64, DomainID.current, .invalidArgument),
            (PhysmapSpace.grantTable, 1 << 31, DomainID.current, .invalidArgument),
            (PhysmapSpace.gmfn, 0x99999, DomainID.current, .invalidArgument),
            (PhysmapSpace.sharedInfo, 0, 0, .notPermitted), (PhysmapSpace.sharedInfo, 0, 9, .noSuchDomain),
        ])
    func refused(space: UInt32, index: UInt64, domain: UInt16, error: XenError) throws {
        #expect(try Machine().addToPhysmap(space: space, index: index, gfn: 0x300, domain: domain) == error.result)
    }

    @Test("A page can be moved to another frame")
    func move() throws {
        let machine = try Machine()
        machine.put(UInt32(0xabcd), at: 0x300000)
        let before = machine.domain.totalPages
        #expect(machine.addToPhysmap(space: PhysmapSpace.gmfn, index: 0x300, gfn: 0x301) == 0)
        #expect(machine.get(0x301000, as: UInt32.self) == 0xabcd)
        #expect(!isPopulated(machine, 0x300))
        #expect(machine.domain.totalPages == before - 1)
    }

    @Test("The batch reports an error per entry", arguments: [true, false])
    func batch(is64Bit: Bool) throws {
        let machine = try Machine(is64Bit: is64Bit)
        let at = Machine.scratch
        let word = UInt64(is64Bit ? 8 : 4)
        machine.put(DomainID.current, at: at)
        machine.put(UInt16(PhysmapSpace.grantTable), at: at + 2)
        machine.put(UInt16(3), at: at + 4)
        machine.put(UInt16(0), at: at + 6)
        machine.putWord(at + 0x100, at: at + 8)
        machine.putWord(at + 0x200, at: at + 8 + word)
        machine.putWord(at + 0x300, at: at + 8 + 2 * word)
        for (index, value) in [0, 99, 1].enumerated() {
            machine.putWord(UInt64(value), at: at + 0x100 + UInt64(index) * word)
            machine.putWord(0x6000 + UInt64(index), at: at + 0x200 + UInt64(index) * word)
        }
        #expect(machine.call(Hypercall.memoryOp, UInt64(MemoryOp.addToPhysmapBatch), at) == 0)
        #expect((0..<3).map { machine.get(at + 0x300 + UInt64($0) * 4, as: Int32.self) } == [0, -22, 0])
        #expect(isPopulated(machine, 0x6000) && !isPopulated(machine, 0x6001) && isPopulated(machine, 0x6002))
        #expect(machine.call(Hypercall.memoryOp, 4 << 6 | UInt64(MemoryOp.addToPhysmapBatch), at) == XenError.domain.result)
    }

    @Test("remove_from_physmap empties a frame once", arguments: [true, false])
    func remove(is64Bit: Bool) throws {
        let machine = try Machine(is64Bit: is64Bit)
        machine.put(UInt32(DomainID.current), at: Machine.scratch)
        machine.putWord(0x300, at: Machine.scratch + (is64Bit ? 8 : 4))
        #expect(machine.call(Hypercall.memoryOp, UInt64(MemoryOp.removeFromPhysmap), Machine.scratch) == 0)
        #expect(machine.call(Hypercall.memoryOp, UInt64(MemoryOp.removeFromPhysmap), Machine.scratch) == XenError.noEntry.result)
    }

    @Test("A short buffer gets a part of the memory map")
    func memoryMap() throws {
        let machine = try Machine()
        machine.put(UInt32(2), at: Machine.scratch)
        machine.put(Machine.scratch + 0x100, at: Machine.scratch + 8)
        #expect(machine.call(Hypercall.memoryOp, UInt64(MemoryOp.memoryMap), Machine.scratch) == 0)
        #expect(machine.get(Machine.scratch, as: UInt32.self) == 2)
        #expect(machine.get(Machine.scratch + 0x100 + 40, as: UInt64.self) == 0)
    }
}

@Suite("Grant tables") struct GrantTests {
    private static let table: UInt64 = 0x600_0000

    private func prepared(is64Bit: Bool = true) throws -> Machine {
        let machine = try Machine(is64Bit: is64Bit)
        #expect(machine.addToPhysmap(space: PhysmapSpace.grantTable, index: 0, gfn: Self.table >> 12) == 0)
        return machine
    }

    private func grant(_ machine: Machine, _ reference: UInt64, flags: UInt16, domain: UInt16, frame: UInt32) {
        machine.put(frame, at: Self.table + reference * 8 + 4)
        machine.put(UInt32(domain) << 16 | UInt32(flags), at: Self.table + reference * 8)
    }

    private func flags(_ machine: Machine, _ reference: UInt64) -> UInt16 { machine.get(Self.table + reference * 8) }

    @Test("Console and store are granted to the control domain from the start")
    func reserved() throws {
        let machine = try prepared()
        #expect(machine.bytes(Self.table, 16) == [1, 0, 0, 0, 0xff, 0xef, 0x0f, 0, 1, 0, 0, 0, 0xfc, 0xef, 0x0f, 0])
    }

    @Test("Using a grant marks it, and the page stays until it is released")
    func acquire() throws {
        let machine = try prepared()
        grant(machine, 8, flags: 1, domain: 0, frame: 0x300)
        let frame = try machine.domain.acquireGrant(8, readOnly: false)
        #expect(flags(machine, 8) == 1 | 8 | 16)
        let reader = try machine.domain.acquireGrant(8, readOnly: true)
        #expect(reader == frame)
        machine.domain.releaseGrant(8, frame: frame, readOnly: false)
        #expect(flags(machine, 8) == 1 | 8)
        // The guest gives the page up while it is in use: it is not given out again.
        machine.put(UInt32(DomainID.current), at: Machine.scratch)
        machine.put(UInt64(0x300), at: Machine.scratch + 8)
        #expect(machine.call(Hypercall.memoryOp, UInt64(MemoryOp.removeFromPhysmap), Machine.scratch) == 0)
        let next = try machine.memory.allocateFrame()
        #expect(next != frame)
        machine.domain.releaseGrant(8, frame: reader, readOnly: true)
        #expect(flags(machine, 8) == 1)
        #expect(try machine.memory.allocateFrame() == frame)
    }

    @Test(
        "Grants that do not allow the use are refused",
        arguments: [
            // flags, domain, frame, read only, status
            (UInt16(0), UInt16(0), UInt32(0x300), true, GrantStatus.badReference), (2, 0, 0x300, true, .badReference),
            (1, 5, 0x300, true, .badReference),
            (5, 0, 0x300, false, .badReference), (1, 0, 0x99999, true, .badPage),
        ])
    func denied(flags: UInt16, domain: UInt16, frame: UInt32, readOnly: Bool, status: GrantStatus) throws {
        let machine = try prepared()
        grant(machine, 9, flags: flags, domain: domain, frame: frame)
        #expect(throws: status) { try machine.domain.acquireGrant(9, readOnly: readOnly) }
        #expect(self.flags(machine, 9) == flags)
        #expect(throws: GrantStatus.badReference) { try machine.domain.acquireGrant(1 << 20, readOnly: true) }
    }

    private func map(
        _ machine: Machine, reference: UInt32, at gfn: UInt64, flags: UInt32, domain: UInt16 = 2
    ) -> (
        status: Int16, handle: UInt32
    ) {
        let at = Machine.scratch
        machine.put(gfn << 12, at: at)
        machine.put(flags, at: at + 8)
        machine.put(reference, at: at + 12)
        machine.put(UInt32(domain), at: at + 16)
        #expect(machine.call(Hypercall.grantTableOp, GrantTableOp.mapGrantRef, at, 1) == 0)
        return (machine.get(at + 18), machine.get(at + 20))
    }

    private func unmap(_ machine: Machine, _ handle: UInt32, at gfn: UInt64) -> Int16 {
        machine.put(gfn << 12, at: Machine.scratch)
        machine.put(UInt64(0), at: Machine.scratch + 8)
        machine.put(UInt64(handle), at: Machine.scratch + 16)
        #expect(machine.call(Hypercall.grantTableOp, GrantTableOp.unmapGrantRef, Machine.scratch, 1) == 0)
        return machine.get(Machine.scratch + 20)
    }

    @Test("A guest can map what it granted to itself")
    func mapping() throws {
        let machine = try prepared()
        grant(machine, 8, flags: 1, domain: 2, frame: 0x300)
        #expect(map(machine, reference: 8, at: 0x7000, flags: GrantFlags.hostMap, domain: 3).status == -2)
        #expect(map(machine, reference: 8, at: 0x7000, flags: 0).status == -3)
        #expect(map(machine, reference: 9, at: 0x7000, flags: GrantFlags.hostMap).status == -3)
        let (status, handle) = map(machine, reference: 8, at: 0x7000, flags: GrantFlags.hostMap)
        #expect(status == 0)
        machine.put(UInt32(77), at: 0x700_0000)
        #expect(machine.get(0x30_0000, as: UInt32.self) == 77)
        #expect(flags(machine, 8) == 1 | 8 | 16)
        // A mapped grant is no page that can be ballooned away.
        machine.put(UInt32(DomainID.current), at: Machine.scratch)
        machine.put(UInt64(0x7000), at: Machine.scratch + 8)
        #expect(machine.call(Hypercall.memoryOp, UInt64(MemoryOp.removeFromPhysmap), Machine.scratch) == XenError.busy.result)
        #expect(unmap(machine, handle + 1, at: 0x7000) == -4)
        #expect(unmap(machine, handle, at: 0x7001) == -1)
        #expect(unmap(machine, handle, at: 0x7000) == 0)
        #expect(unmap(machine, handle, at: 0x7000) == -4)
        #expect(flags(machine, 8) == 1)
        #expect(machine.memory.lookup(GuestFrameNumber(0x7000)) == nil)
    }

    @Test("A copy goes between frames and own grants, within one page", arguments: [true, false])
    func copy(is64Bit: Bool) throws {
        let machine = try prepared(is64Bit: is64Bit)
        let word = UInt64(is64Bit ? 8 : 4)
        grant(machine, 8, flags: 1, domain: 2, frame: 0x301)
        machine.put(UInt64(0x1122_3344_5566_7788), at: 0x30_0010)
        func copy(flags: UInt16, source: UInt64, target: UInt64, offset: UInt16, length: UInt16) -> Int16 {
            let at = Machine.scratch
            let second = at + 2 * word
            machine.putWord(source, at: at)
            machine.put(UInt32(DomainID.current) | 0x10 << 16, at: at + word)
            machine.putWord(target, at: second)
            machine.put(UInt32(DomainID.current) | UInt32(offset) << 16, at: second + word)
            machine.put(UInt32(length) | UInt32(flags) << 16, at: at + 4 * word)
            #expect(machine.call(Hypercall.grantTableOp, GrantTableOp.copy, at, 1) == 0)
            return machine.get(at + 4 * word + 4)
        }
        #expect(copy(flags: 2, source: 0x300, target: 8, offset: 0x20, length: 8) == 0)
        #expect(machine.get(0x30_1020, as: UInt64.self) == 0x1122_3344_5566_7788)
        #expect(flags(machine, 8) == 1)
        #expect(copy(flags: 0, source: 0x300, target: 0x302, offset: 0xffc, length: 8) == -10)
        #expect(copy(flags: 0, source: 0x99999, target: 0x302, offset: 0, length: 8) == -9)
        #expect(copy(flags: 1, source: 9, target: 0x302, offset: 0, length: 8) == -3)
    }

    @Test("The table grows to its limit, by mapping and by setup_table", arguments: [true, false])
    func growth(is64Bit: Bool) throws {
        let machine = try prepared(is64Bit: is64Bit)
        let at = Machine.scratch
        func size() -> UInt32 {
            machine.put(UInt32(DomainID.current), at: at)
            #expect(machine.call(Hypercall.grantTableOp, GrantTableOp.querySize, at, 1) == 0)
            return machine.get(at + 4)
        }
        #expect(machine.addToPhysmap(space: PhysmapSpace.grantTable, index: 4, gfn: 0x7000) == 0)
        #expect(size() == 5)
        func setup(_ count: UInt32) -> (Int64, Int16) {
            machine.put(UInt32(DomainID.current), at: at)
            machine.put(count, at: at + 4)
            machine.putWord(at + 0x100, at: at + (is64Bit ? 16 : 12))
            return (machine.call(Hypercall.grantTableOp, GrantTableOp.setupTable, at, 1), machine.get(at + 8))
        }
        #expect(setup(6) == (0, 0))
        #expect(size() == 6)
        #expect(machine.word(at + 0x100) == Self.table >> 12)
        #expect(setup(65) == (0, -1))
        #expect(size() == 6)
        #expect(setup(64) == (0, 0))
        #expect(size() == 64)
    }

    @Test("Operations that are not offered, and bad counts, are refused")
    func refused() throws {
        let machine = try prepared()
        for command in [3, 4, 7, 9, 12] as [UInt64] {
            #expect(machine.call(Hypercall.grantTableOp, command, Machine.scratch, 1) == XenError.notImplemented.result)
        }
        for command in [2, 6, 8, 10] as [UInt64] {
            #expect(machine.call(Hypercall.grantTableOp, command, Machine.scratch, 2) == XenError.invalidArgument.result)
        }
        #expect(machine.call(Hypercall.grantTableOp, 0, Machine.scratch, 0x8000_0000) == XenError.invalidArgument.result)
        #expect(machine.call(Hypercall.grantTableOp, 0, 0x5000_0000, 1) == XenError.badAddress.result)
        machine.put(UInt64(8) | 9 << 32, at: Machine.scratch)
        grant(machine, 8, flags: 1, domain: 2, frame: 0x300)
        #expect(machine.call(Hypercall.grantTableOp, GrantTableOp.swapGrantRef, Machine.scratch, 1) == 0)
        #expect(flags(machine, 8) == 0 && flags(machine, 9) == 1)
    }
}
