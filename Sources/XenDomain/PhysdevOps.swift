import XenABI

/// physdev_op: a guest that uses no physical interrupts through event channels has none of it.
enum PhysdevOps {
    static let handle: HypercallTable.Handler = { context throws(XenError) in
        guard context.domain.configuration.features.contains(.usesPIRQ) else { throw .notImplemented }
        switch context.arguments[0] & 0xffff_ffff {
        // No interrupt source is left to map.
        case PhysdevOp.mapPIRQ, PhysdevOp.unmapPIRQ: throw .invalidArgument
        default: throw .notImplemented
        }
    }
}
