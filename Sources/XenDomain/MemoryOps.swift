import GuestMemory
import Synchronization
import XenABI

/// memory_op(command, argument). The upper bits of the command say where a continued operation goes on.
enum MemoryOps {
    static let handle: HypercallTable.Handler = { context throws(XenError) in
        let command = context.arguments[0] & 0xffff_ffff
        let operation = Int(command & (1 << MemoryOp.commandBits - 1))
        let start = command >> MemoryOp.commandBits
        switch operation {
        case MemoryOp.increaseReservation, MemoryOp.decreaseReservation, MemoryOp.populatePhysmap:
            return reservation(context, operation, start)
        case MemoryOp.maximumRAMPage: return maximumRAMPage(context.domain)
        case MemoryOp.currentReservation, MemoryOp.maximumReservation, MemoryOp.maximumGPFN: return try counts(context, operation)
        case MemoryOp.addToPhysmap: return try PhysmapOps.add(context)
        case MemoryOp.addToPhysmapBatch: return try PhysmapOps.addBatch(context, start)
        case MemoryOp.removeFromPhysmap: return try PhysmapOps.remove(context)
        case MemoryOp.memoryMap: return try memoryMap(context)
        default: return try refuse(context, operation)
        }
    }

    /// Operations for others. What Xen copies before it checks the privilege is copied here, too.
    private static func refuse(_ context: HypercallContext, _ operation: Int) throws(XenError) -> Int64 {
        let argument = context.arguments[1]
        switch operation {
        case MemoryOp.getSharingFreedPages, MemoryOp.getSharingSharedPages: return 0
        case MemoryOp.machphysMFNList, MemoryOp.machphysCompatMFNList: throw .notSupported
        case MemoryOp.exchange:
            _ = try context.read(argument, count: context.pick(72, 44))
            throw .notImplemented
        case MemoryOp.setMemoryMap, MemoryOp.setPoDTarget, MemoryOp.getPoDTarget, MemoryOp.accessOp, MemoryOp.acquireResource:
            _ = try context.read(argument, count: foreignSize(context, operation))
            throw .notPermitted
        case MemoryOp.getVNUMAInfo:
            _ = try context.read(argument, count: 40)
            throw .notSupported
        case MemoryOp.reservedDeviceMemoryMap:
            _ = try context.read(argument, count: context.pick(24, 16))
            try context.store(argument &+ 4, UInt32(0))
            return 0
        default: throw .notImplemented
        }
    }

    /// Bytes of the structure of an operation on another domain.
    private static func foreignSize(_ context: HypercallContext, _ operation: Int) -> Int {
        switch operation {
        case MemoryOp.setMemoryMap: context.pick(24, 12)
        case MemoryOp.accessOp: context.pick(32, 24)
        case MemoryOp.acquireResource: 32
        default: 40
        }
    }

    private static func maximumRAMPage(_ domain: Domain) -> Int64 {
        Int64(truncatingIfNeeded: domain.configuration.maximumMachineFrame ?? UInt64(domain.memory.poolPageCount - 1))
    }

    private static func counts(_ context: HypercallContext, _ operation: Int) throws(XenError) -> Int64 {
        let domainID = try context.read(context.arguments[1], count: 2).u16(0)
        try context.requireSelf(domainID)
        return switch operation {
        case MemoryOp.currentReservation: Int64(context.domain.totalPages)
        case MemoryOp.maximumReservation: Int64(context.domain.maximumPages)
        default: Int64(truncatingIfNeeded: context.domain.memory.highestFrame.rawValue)
        }
    }

    private static func memoryMap(_ context: HypercallContext) throws(XenError) -> Int64 {
        let argument = context.arguments[1]
        let request = try context.read(argument, count: context.pick(16, 8))
        let room = Int(request.u32(0))
        let buffer = request.word(context.pick(8, 4), is64Bit: context.is64Bit)
        let map = context.domain.configuration.memoryMap.prefix(room)
        for (index, entry) in map.enumerated() {
            var wire = Wire(count: MemoryMapEntry.wireSize)
            wire.set(0, entry.address)
            wire.set(8, entry.size)
            wire.set(16, entry.type.rawValue)
            try context.write(buffer &+ UInt64(index * MemoryMapEntry.wireSize), wire)
        }
        try context.store(argument, UInt32(map.count))
        return 0
    }

    // MARK: - reservations

    private struct Reservation {
        var list: UInt64
        var count: UInt64
        var order: UInt32
    }

    /// Returns how many extents are done; a bad argument does none.
    private static func reservation(_ context: HypercallContext, _ operation: Int, _ start: UInt64) -> Int64 {
        guard let request = try? readReservation(context), start <= request.count else { return Int64(start) }
        var index = start
        while index < request.count, !context.mustStop {
            guard let gfn = try? context.readWord(request.list, index: index) else { break }
            guard change(context.domain, operation, GuestFrameNumber(gfn), pages: 1 << UInt64(request.order)) else { break }
            index += 1
        }
        if index != start { context.domain.flushTLBs() }
        return Int64(truncatingIfNeeded: index)
    }

    private static func readReservation(_ context: HypercallContext) throws(XenError) -> Reservation {
        let wire = try context.read(context.arguments[1], count: context.pick(32, 20))
        let request = Reservation(
            list: wire.word(0, is64Bit: context.is64Bit), count: wire.word(context.pick(8, 4), is64Bit: context.is64Bit),
            order: wire.u32(context.pick(16, 8)))
        try context.requireSelf(wire.u16(context.pick(24, 16)))
        guard request.order <= MemoryOp.maximumExtentOrder else { throw .notPermitted }
        return request
    }

    /// One extent of a reservation. Pages without a place (increase_reservation) are not given to a guest that has its own
    /// physical map: it could not use them.
    private static func change(_ domain: Domain, _ operation: Int, _ gfn: GuestFrameNumber, pages: UInt64) -> Bool {
        guard gfn.rawValue & (pages - 1) == 0 || operation == MemoryOp.decreaseReservation else { return false }
        return domain.memoryState.withLock { state in
            for offset in 0..<pages {
                let frame = GuestFrameNumber(gfn.rawValue &+ offset)
                do throws(XenError) {
                    switch operation {
                    case MemoryOp.populatePhysmap: try state.populate(frame, domain.memory)
                    case MemoryOp.decreaseReservation: try state.remove(frame, domain.memory)
                    default: return false
                    }
                } catch { return false }
            }
            return true
        }
    }
}
