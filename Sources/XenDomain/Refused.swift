import XenABI

/// Calls that exist but are not for a guest without privileges.
enum Refused {
    static let outright: HypercallTable.Handler = { _ throws(XenError) in throw .notPermitted }
    static let unsupported: HypercallTable.Handler = { _ throws(XenError) in throw .notSupported }

    /// The argument is copied before the privilege is checked, so a bad pointer is told first.
    static let afterReading: HypercallTable.Handler = { context throws(XenError) in
        _ = try context.read(context.arguments[0], count: 128)
        throw .notPermitted
    }

    /// mmuext_op: a foreign owner does not exist for this caller, and its own page tables are its own affair.
    static let mmuExtended: HypercallTable.Handler = { context throws(XenError) in
        let owner = UInt16(truncatingIfNeeded: context.arguments[3])
        throw context.arguments[3] <= 0xffff && context.isSelf(owner) ? .invalidArgument : .noSuchDomain
    }

    /// dm_op(domid, buffer count, buffers).
    static let deviceModel: HypercallTable.Handler = { context throws(XenError) in
        guard context.arguments[1] & 0xffff_ffff <= UInt64(Hypercall.deviceModelBufferLimit) else { throw .tooBig }
        let target = UInt16(truncatingIfNeeded: context.arguments[0])
        throw context.isSelf(target) ? .notPermitted : .noSuchDomain
    }
}
