import GuestMemory
import Synchronization
import XenABI

/// grant_table_op(command, array, count).
enum GrantTableOps {
    static let handle: HypercallTable.Handler = { context throws(XenError) in
        let count = context.arguments[2] & 0xffff_ffff
        switch context.arguments[0] & 0xffff_ffff {
        case GrantTableOp.mapGrantRef: return try GrantMappingOps.map(context, count)
        case GrantTableOp.unmapGrantRef: return try GrantMappingOps.unmap(context, count)
        case GrantTableOp.copy: return try GrantCopyOps.copy(context, count)
        case GrantTableOp.swapGrantRef: return try swap(context, count)
        case GrantTableOp.setupTable: return try single(context, count, setupTable)
        case GrantTableOp.querySize: return try single(context, count, querySize)
        case GrantTableOp.setVersion: return try single(context, count, setVersion)
        case GrantTableOp.getVersion: return try single(context, count, getVersion)
        default: throw .notImplemented
        }
    }

    /// Operations that take exactly one structure.
    private static func single(
        _ context: HypercallContext, _ count: UInt64, _ body: (HypercallContext, UInt64) throws(XenError) -> Void
    ) throws(XenError) -> Int64 {
        guard count == 1 else { throw .invalidArgument }
        try body(context, context.arguments[1])
        return 0
    }

    /// Runs `body` for each structure of the array. A status goes into each; only an unreadable array is an error.
    static func each(
        _ context: HypercallContext, _ count: UInt64, size: Int, status: Int, result: Range<Int>,
        _ body: (HypercallContext, inout Wire) throws(GrantStatus) -> Void
    ) throws(XenError) -> Int64 {
        guard count <= UInt64(Int32.max) else { throw .invalidArgument }
        for index in 0..<count {
            guard !context.mustStop else { break }
            let address = context.arguments[1] &+ index &* UInt64(size)
            var wire = try context.read(address, count: size)
            var outcome = GrantStatus.okay
            do throws(GrantStatus) { try body(context, &wire) } catch { outcome = error }
            wire.set(status, outcome.rawValue)
            try context.write(address, wire, result)
        }
        return 0
    }

    /// What a guest is told about the table of the domain it names: `.okay` for its own.
    private static func stranger(_ domainID: UInt16, _ context: HypercallContext) -> GrantStatus {
        if context.isSelf(domainID) { return .okay }
        return domainID == DomainID.control ? .permissionDenied : .badDomain
    }

    private static func querySize(_ context: HypercallContext, _ argument: UInt64) throws(XenError) {
        var wire = try context.read(argument, count: 16)
        let status = stranger(wire.u16(0), context)
        let (count, limit) = context.domain.memoryState.withLock { ($0.grants.frames.count, $0.grants.maximumFrames) }
        if status == .okay {
            wire.set(4, UInt32(count))
            wire.set(8, UInt32(limit))
        }
        wire.set(12, status.rawValue)
        try context.write(argument, wire)
    }

    /// Grows the table and answers where the guest has mapped its frames; all ones where it has not.
    private static func setupTable(_ context: HypercallContext, _ argument: UInt64) throws(XenError) {
        var wire = try context.read(argument, count: context.pick(24, 16))
        let count = wire.u32(4)
        let list = wire.word(context.pick(16, 12), is64Bit: context.is64Bit)
        var status = stranger(wire.u16(0), context)
        if status == .okay, count > UInt32(context.domain.configuration.maximumGrantFrames) {
            status = .generalError
        } else if status == .okay {
            for (index, gfn) in try growTable(context.domain, Int(count)).enumerated() {
                let address = list &+ UInt64(index * context.wordSize)
                do throws(XenError) {
                    if context.is64Bit {
                        try context.store(address, gfn)
                    } else {
                        try context.store(address, UInt32(truncatingIfNeeded: gfn))
                    }
                } catch { status = .badVirtualAddress }
            }
        }
        wire.set(8, status.rawValue)
        try context.write(argument, wire, 8..<10)
    }

    private static func growTable(_ domain: Domain, _ count: Int) throws(XenError) -> [UInt64] {
        try domain.memoryState.withLock { (state) throws(XenError) in
            for frame in try state.grants.grow(to: count, domain.memory) { state.special[frame] = SpecialPage() }
            return state.grants.frames.prefix(count).map { frame in
                state.special[frame]?.gfn?.rawValue ?? .max
            }
        }
    }

    /// Only version 1 is offered; asking for version 2 is answered as by a hypervisor that was told so.
    private static func setVersion(_ context: HypercallContext, _ argument: UInt64) throws(XenError) {
        let version = try context.read(argument, count: 4).u32(0)
        guard version == 1 || version == 2 else { throw .invalidArgument }
        try context.store(argument, UInt32(1))
        guard version == 1 else { throw .notImplemented }
    }

    private static func getVersion(_ context: HypercallContext, _ argument: UInt64) throws(XenError) {
        var wire = try context.read(argument, count: 8)
        try context.requireSelf(wire.u16(0))
        wire.set(4, UInt32(1))
        try context.write(argument, wire)
    }

    /// Exchanges two entries that nobody uses.
    private static func swap(_ context: HypercallContext, _ count: UInt64) throws(XenError) -> Int64 {
        let domain = context.domain
        return try each(context, count, size: 12, status: 8, result: 8..<10) { _, wire throws(GrantStatus) in
            try domain.memoryState.withLock { (state) throws(GrantStatus) in
                let (a, b) = (wire.u32(0), wire.u32(4))
                guard let first = state.grants.entry(a, domain.memory), let second = state.grants.entry(b, domain.memory) else {
                    throw .badReference
                }
                guard !state.grants.isActive(a), !state.grants.isActive(b) else { throw .tryAgain }
                let old = first.load64(0)
                first.store64(0, second.load64(0))
                second.store64(0, old)
            }
        }
    }
}
