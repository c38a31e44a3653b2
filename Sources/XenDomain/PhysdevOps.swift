import XenABI

/// physdev_op: a guest that uses no physical interrupts through event channels has none of it.
enum PhysdevOps {
    static let handle: HypercallTable.Handler = { context throws(XenError) in
        let usesPIRQ = context.domain.configuration.features.contains(.usesPIRQ)
        switch context.arguments[0] & 0xffff_ffff {
        // No interrupt source is left to map.
        case PhysdevOp.mapPIRQ, PhysdevOp.unmapPIRQ: throw usesPIRQ ? .invalidArgument : try mapping(context)
        default: throw .notImplemented
        }
    }

    /// Xen 4.20 began to look at the domain that is named before it refuses one without such interrupts.
    private static func mapping(_ context: HypercallContext) throws(XenError) -> XenError {
        guard context.domain.configuration.version.isAtLeast(4, 20) else { return .notImplemented }
        let isMap = context.arguments[0] & 0xffff_ffff == PhysdevOp.mapPIRQ
        let wire = try context.read(context.arguments[1], count: isMap ? context.pick(40, 36) : 8)
        try context.requireSelf(wire.u16(0))
        return .notSupported
    }
}
