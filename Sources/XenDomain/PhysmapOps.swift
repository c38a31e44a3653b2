import GuestMemory
import Synchronization
import XenABI

/// add_to_physmap, its batch, and remove_from_physmap.
enum PhysmapOps {
    static func add(_ context: HypercallContext) throws(XenError) -> Int64 {
        let wire = try context.read(context.arguments[1], count: context.pick(24, 16))
        try context.requireSelf(wire.u16(0))
        let space = wire.u32(4)
        let index = wire.word(8, is64Bit: context.is64Bit)
        let gfn = wire.word(context.pick(16, 12), is64Bit: context.is64Bit)
        guard space != PhysmapSpace.gmfnForeign else { throw .notImplemented }
        let count = space == PhysmapSpace.gmfnRange ? UInt64(wire.u16(2)) : 1
        defer { context.domain.flushTLBs() }
        for offset in 0..<count { try map(context.domain, space, index &+ offset, GuestFrameNumber(gfn &+ offset)) }
        return 0
    }

    static func addBatch(_ context: HypercallContext, _ start: UInt64) throws(XenError) -> Int64 {
        let wire = try context.read(context.arguments[1], count: context.pick(32, 20))
        try context.requireSelf(wire.u16(0))
        let space = UInt32(wire.u16(2))
        let count = UInt64(wire.u16(4))
        guard start <= count else { throw .domain }
        guard space != PhysmapSpace.gmfnForeign else { throw .notPermitted }
        let indices = wire.word(8, is64Bit: context.is64Bit)
        let frames = wire.word(context.pick(16, 12), is64Bit: context.is64Bit)
        let errors = wire.word(context.pick(24, 16), is64Bit: context.is64Bit)
        defer { context.domain.flushTLBs() }
        for position in start..<count {
            let index = try context.readWord(indices, index: position)
            let gfn = try context.readWord(frames, index: position)
            var code: Int32 = 0
            do throws(XenError) {
                try map(context.domain, space, index, GuestFrameNumber(gfn))
            } catch { code = -error.rawValue }
            try context.store(errors &+ position &* 4, code)
        }
        return 0
    }

    static func remove(_ context: HypercallContext) throws(XenError) -> Int64 {
        let wire = try context.read(context.arguments[1], count: context.pick(16, 8))
        try context.requireSelf(wire.u16(0))
        let gfn = GuestFrameNumber(wire.word(context.pick(8, 4), is64Bit: context.is64Bit))
        let domain = context.domain
        try domain.memoryState.withLock { (state) throws(XenError) in try state.remove(gfn, domain.memory) }
        domain.flushTLBs()
        return 0
    }

    private static func map(_ domain: Domain, _ space: UInt32, _ index: UInt64, _ gfn: GuestFrameNumber) throws(XenError) {
        let memory = domain.memory
        try domain.memoryState.withLock { (state) throws(XenError) in
            switch space {
            case PhysmapSpace.sharedInfo:
                guard index == 0 else { throw .invalidArgument }
                try state.mapSpecial(state.sharedInfo, at: gfn, memory)
            case PhysmapSpace.grantTable:
                // Status frames belong to version 2 of the table.
                guard index & PhysmapSpace.grantStatusFlag == 0, index < UInt64(state.grants.maximumFrames) else { throw .invalidArgument }
                let added = try state.grants.grow(to: Int(index) + 1, memory)
                for frame in added { state.special[frame] = SpecialPage() }
                try state.mapSpecial(state.grants.frames[Int(index)], at: gfn, memory)
            case PhysmapSpace.gmfn, PhysmapSpace.gmfnRange: try state.move(GuestFrameNumber(index), to: gfn, memory)
            default: throw .notImplemented
            }
        }
    }
}
