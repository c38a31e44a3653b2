import GuestMemory
import LocalAPIC
import Synchronization
import VirtualCPU
import XenABI

/// hvm_op(command, argument).
enum HVMOps {
    static let handle: HypercallTable.Handler = { context throws(XenError) in
        let argument = context.arguments[1]
        switch context.arguments[0] & 0xffff_ffff {
        case HVMOp.setParameter: try setParameter(context, argument)
        case HVMOp.getParameter: try getParameter(context, argument)
        case HVMOp.flushTLBs:
            guard argument == 0 else { throw .invalidArgument }
            context.domain.flushTLBs()
        case HVMOp.pagetableDying:
            // Only shadow paging would have a use for it.
            _ = try context.read(argument, count: 16)
            throw .invalidArgument
        case HVMOp.getTime: try context.store(argument, context.domain.host.now())
        case HVMOp.xentrace: _ = try context.read(argument, count: 12)
        case HVMOp.getMemoryType: try getMemoryType(context, argument)
        case HVMOp.setEventChannelUpcallVector: try setUpcallVector(context, argument)
        case HVMOp.guestRequestVMEvent: guard argument == 0 else { throw .invalidArgument }
        case HVMOp.alternativeP2M: throw .notSupported
        default: throw .notImplemented
        }
        return 0
    }

    /// What a guest may do with a parameter of its own.
    enum Access {
        case readWrite, readOnly, exists, refused, deprecated
    }

    static func access(_ index: Int) -> Access {
        switch index {
        case 0, 2, 15, 18, 19, 34, 36, 37: .readWrite
        case 1, 17: .readOnly
        case 35: .exists
        case 4, 13, 20...26, 30: .deprecated
        default: .refused
        }
    }

    private static func request(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> (index: Int, value: UInt64) {
        let wire = try context.read(argument, count: 16)
        guard wire.u32(4) < UInt32(HVMParameter.count) else { throw .invalidArgument }
        try context.requireSelf(wire.u16(0))
        return (Int(wire.u32(4)), wire.u64(8))
    }

    private static func getParameter(_ context: HypercallContext, _ argument: UInt64) throws(XenError) {
        let (index, _) = try request(context, argument)
        switch access(index) {
        case .deprecated: throw .invalidArgument
        case .refused: throw .notPermitted
        case .readWrite, .readOnly, .exists: break
        }
        try context.store(argument &+ 8, context.domain.parameter(index))
    }

    private static func setParameter(_ context: HypercallContext, _ argument: UInt64) throws(XenError) {
        let (index, value) = try request(context, argument)
        switch access(index) {
        case .deprecated: throw .invalidArgument
        case .refused, .readOnly: throw .notPermitted
        case .exists: throw .exists
        case .readWrite: break
        }
        context.domain.control.withLock { $0.parameters[index] = value }
        if index == HVMParameter.callbackIRQ { setCallback(context, value) }
    }

    /// Vectors are taken over; interrupt lines are stored without effect where nothing routes them.
    private static func setCallback(_ context: HypercallContext, _ value: UInt64) {
        let domain = context.domain
        domain.latchBitness(is64Bit: context.is64Bit)
        guard value >> HVMParameter.callbackTypeShift == HVMParameter.callbackTypeVector else { return }
        for vcpu in domain.vcpus { vcpu.setGlobalVector(UInt8(truncatingIfNeeded: value)) }
    }

    private static func setUpcallVector(_ context: HypercallContext, _ argument: UInt64) throws(XenError) {
        let wire = try context.read(argument, count: 8)
        let vector = wire[4]
        guard context.domain.configuration.features.contains(.hasLAPIC) else { throw .notImplemented }
        guard vector >= 0x10 else { throw .invalidArgument }
        try context.vcpu(UInt64(wire.u32(0))).setUpcallVector(vector)
    }

    /// RAM or nothing: no other kind of memory exists here.
    private static func getMemoryType(_ context: HypercallContext, _ argument: UInt64) throws(XenError) {
        var wire = try context.read(argument, count: 16)
        try context.requireSelf(wire.u16(0))
        let isRAM = context.domain.memory.isOccupied(GuestFrameNumber(wire.u64(8)))
        wire.set(2, UInt16(isRAM ? 0 : 2))
        try context.write(argument, wire)
    }
}
