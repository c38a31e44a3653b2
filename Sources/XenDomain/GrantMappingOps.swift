import GuestMemory
import Synchronization
import XenABI

/// map_grant_ref and unmap_grant_ref: a guest can map what it granted to itself; other domains grant it nothing.
enum GrantMappingOps {
    static func map(_ context: HypercallContext, _ count: UInt64) throws(XenError) -> Int64 {
        defer { context.domain.flushTLBs() }
        return try GrantTableOps.each(context, count, size: 32, status: 18, result: 18..<32) { context, wire throws(GrantStatus) in
            wire.set(20, UInt32.max)
            wire.set(24, UInt64(0))
            let handle = try mapOne(context, wire)
            wire.set(20, handle)
        }
    }

    private static func mapOne(_ context: HypercallContext, _ wire: Wire) throws(GrantStatus) -> UInt32 {
        let domain = context.domain
        let flags = wire.u32(8)
        // The control domain exists, but grants nothing.
        guard wire.u16(16) != DomainID.control else { throw .badReference }
        guard wire.u16(16) == domain.configuration.domainID else { throw .badDomain }
        guard flags & GrantFlags.hostMap != 0, flags & (GrantFlags.deviceMap | GrantFlags.containsPTE) == 0 else { throw .badReference }
        guard wire.u64(0) & 0xfff == 0, wire.u64(0) >> UInt64(GuestMemory.physicalAddressBits) == 0 else { throw .generalError }
        let reference = wire.u32(12)
        let readOnly = flags & GrantFlags.readOnly != 0
        let gfn = GuestFrameNumber(wire.u64(0) >> 12)
        let frame = try domain.acquireGrant(reference, by: domain.configuration.domainID, readOnly: readOnly)
        do throws(GrantStatus) {
            let mapping = GrantTable.Mapping(reference: reference, frame: frame, isReadOnly: readOnly, gfn: gfn)
            return try domain.memoryState.withLock { (state) throws(GrantStatus) in
                try place(mapping, &state, domain.memory)
            }
        } catch {
            domain.releaseGrant(reference, frame: frame, readOnly: readOnly)
            throw error
        }
    }

    private static func place(
        _ mapping: GrantTable.Mapping, _ state: inout MemoryState, _ memory: GuestMemory
    ) throws(GrantStatus)
        -> UInt32
    {
        if memory.isOccupied(mapping.gfn) {
            do throws(XenError) { try state.remove(mapping.gfn, memory) } catch { throw .generalError }
        }
        let handle = try state.grants.addMapping(mapping)
        do {
            try memory.map(mapping.gfn, to: mapping.frame, isWritable: !mapping.isReadOnly)
        } catch {
            state.grants.removeMapping(handle)
            throw .generalError
        }
        return handle
    }

    static func unmap(_ context: HypercallContext, _ count: UInt64) throws(XenError) -> Int64 {
        let domain = context.domain
        defer { domain.flushTLBs() }
        return try GrantTableOps.each(context, count, size: 24, status: 20, result: 20..<22) { _, wire throws(GrantStatus) in
            let mapping = try domain.memoryState.withLock { (state) throws(GrantStatus) in
                guard let mapping = state.grants.mapping(wire.u32(16)) else { throw .badHandle }
                guard mapping.gfn.rawValue == wire.u64(0) >> 12 else { throw .generalError }
                state.grants.removeMapping(wire.u32(16))
                domain.memory.unmap(mapping.gfn)
                return mapping
            }
            domain.releaseGrant(mapping.reference, frame: mapping.frame, readOnly: mapping.isReadOnly)
        }
    }
}

/// GNTTABOP_copy between pages of the guest, named by frame or by its own grants.
enum GrantCopyOps {
    private struct Side {
        var value: UInt64
        var domain: UInt16
        var offset: Int
        var isReference: Bool
    }

    static func copy(_ context: HypercallContext, _ count: UInt64) throws(XenError) -> Int64 {
        let size = context.pick(40, 24)
        let status = context.pick(36, 20)
        return try GrantTableOps.each(context, count, size: size, status: status, result: status..<status + 2) {
            context, wire throws(GrantStatus) in
            let word = context.wordSize
            let flags = wire.u16(context.pick(34, 18))
            func side(_ at: Int, _ bit: UInt16) -> Side {
                Side(
                    value: flags & bit != 0 ? UInt64(wire.u32(at)) : wire.word(at, is64Bit: context.is64Bit), domain: wire.u16(at + word),
                    offset: Int(wire.u16(at + word + 2)), isReference: flags & bit != 0)
            }
            let source = side(0, GrantFlags.copySourceReference)
            let destination = side(context.pick(16, 8), GrantFlags.copyDestinationReference)
            try copy(context, source, destination, byteCount: Int(wire.u16(context.pick(32, 16))))
        }
    }

    private static func copy(_ context: HypercallContext, _ source: Side, _ destination: Side, byteCount: Int) throws(GrantStatus) {
        guard source.offset + byteCount <= GuestMemory.pageSize, destination.offset + byteCount <= GuestMemory.pageSize else {
            throw .badCopyArgument
        }
        let domain = context.domain
        let from = try open(context, source, readOnly: true)
        defer { close(domain, source, from, readOnly: true) }
        let to = try open(context, destination, readOnly: false)
        defer { close(domain, destination, to, readOnly: false) }
        let target = SharedPlace(domain.memory, to, offset: destination.offset)
        target.copy(from: SharedPlace(domain.memory, from, offset: source.offset), byteCount: byteCount)
    }

    private static func open(_ context: HypercallContext, _ side: Side, readOnly: Bool) throws(GrantStatus) -> FrameIndex {
        let domain = context.domain
        guard context.isSelf(side.domain) else { throw side.isReference ? .badDomain : .permissionDenied }
        if side.isReference {
            let reference = UInt32(truncatingIfNeeded: side.value)
            return try domain.acquireGrant(reference, by: domain.configuration.domainID, readOnly: readOnly)
        }
        return try domain.memoryState.withLock { (state) throws(GrantStatus) in
            guard let (frame, isWritable) = domain.memory.lookup(GuestFrameNumber(side.value)), isWritable || readOnly else {
                throw .badPage
            }
            state.pin(frame)
            return frame
        }
    }

    private static func close(_ domain: Domain, _ side: Side, _ frame: FrameIndex, readOnly: Bool) {
        if side.isReference {
            domain.releaseGrant(UInt32(truncatingIfNeeded: side.value), frame: frame, readOnly: readOnly)
        } else {
            domain.unpin(frame)
        }
    }
}
