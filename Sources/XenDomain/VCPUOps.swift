import GuestMemory
import Synchronization
import VirtualCPU
import X86
import XenABI

/// vcpu_op(command, vCPU, argument).
enum VCPUOps {
    static let handle: HypercallTable.Handler = { context throws(XenError) in
        let vcpu = try context.vcpu(context.pick(context.arguments[1], context.arguments[1] & 0xffff_ffff))
        let argument = context.arguments[2]
        switch context.arguments[0] & 0xffff_ffff {
        case VCPUOp.initialise: try vcpu.initialise(VCPUContext.registers(context.read(argument, count: VCPUHVMContext.size)))
        case VCPUOp.up: try vcpu.goUp()
        case VCPUOp.down: vcpu.goDown()
        case VCPUOp.isUp: return vcpu.isOnline ? 1 : 0
        case VCPUOp.getRunstateInfo: try context.write(argument, runstate(vcpu).wire(is64Bit: context.is64Bit))
        case VCPUOp.registerRunstateArea: try registerRunstateArea(context, vcpu, argument)
        case VCPUOp.setPeriodicTimer: try Timers.setPeriodic(vcpu, period: context.read(argument, count: 8).u64(0))
        case VCPUOp.stopPeriodicTimer: Timers.stopPeriodic(vcpu)
        case VCPUOp.setSingleshotTimer: try setSingleshot(context, vcpu, argument)
        case VCPUOp.stopSingleshotTimer:
            guard vcpu === context.vcpu else { throw .invalidArgument }
            Timers.set(vcpu, nil) { $0.singleshot = $1 }
        case VCPUOp.registerVCPUInfo: try registerInfo(context, vcpu, argument)
        case VCPUOp.sendNMI:
            guard argument == 0 else { throw .invalidArgument }
            vcpu.raiseNMI()
        case VCPUOp.getPhysicalID: throw .invalidArgument
        case VCPUOp.registerTimeArea: try registerTimeArea(context, vcpu, argument)
        case VCPUOp.registerRunstatePhysArea, VCPUOp.registerTimePhysArea: try registerPhysicalArea(context, vcpu, argument)
        default: throw .notImplemented
        }
        return 0
    }

    private static func runstate(_ vcpu: VCPU) -> Runstate {
        let now = vcpu.domain.host.now()
        return vcpu.clock.withLock { $0.runstate.current(now: now) }
    }

    private static func setSingleshot(_ context: HypercallContext, _ vcpu: VCPU, _ argument: UInt64) throws(XenError) {
        guard vcpu === context.vcpu else { throw .invalidArgument }
        let deadline = try context.read(argument, count: context.pick(16, 12)).u64(0)
        Timers.set(vcpu, deadline) { $0.singleshot = $1 }
    }

    /// The address is used with the page tables that are loaded when the vCPU changes its state.
    private static func registerRunstateArea(_ context: HypercallContext, _ vcpu: VCPU, _ argument: UInt64) throws(XenError) {
        let address = try areaAddress(context, argument)
        let area = VCPUClock.GuestArea.linear(address)
        try context.write(address, runstate(vcpu).wire(is64Bit: context.is64Bit))
        vcpu.clock.withLock { $0.runstateArea = area }
    }

    /// The address is one form of a union that has 8 bytes for every caller.
    private static func areaAddress(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> UInt64 {
        try context.read(argument, count: 8).word(0, is64Bit: context.is64Bit)
    }

    private static func registerTimeArea(_ context: HypercallContext, _ vcpu: VCPU, _ argument: UInt64) throws(XenError) {
        let address = try areaAddress(context, argument)
        vcpu.clock.withLock { $0.timeArea = .linear(address) }
        try context.write(address, vcpu.timeInfo)
    }

    /// The later forms name a guest-physical address, which is looked up once; all ones unregisters.
    private static func registerPhysicalArea(_ context: HypercallContext, _ vcpu: VCPU, _ argument: UInt64) throws(XenError) {
        let domain = context.domain
        guard domain.configuration.version.isAtLeast(4, 18) else { throw .notImplemented }
        let isRunstate = context.arguments[0] & 0xffff_ffff == VCPUOp.registerRunstatePhysArea
        let address = try context.read(argument, count: 8).u64(0)
        guard address != .max else { return replaceArea(vcpu, isRunstate, .none) }
        let size = isRunstate ? context.pick(RunstateLayout.size64, RunstateLayout.size32) : VCPUTimeInfoLayout.size
        let place = try sharedPlace(domain, address >> 12, Int(address & 0xfff), size: size)
        if isRunstate { place.store(runstate(vcpu).wire(is64Bit: context.is64Bit)) } else { place.store(vcpu.timeInfo) }
        replaceArea(vcpu, isRunstate, .place(place))
    }

    private static func replaceArea(_ vcpu: VCPU, _ isRunstate: Bool, _ area: VCPUClock.GuestArea) {
        let old = vcpu.clock.withLock { clock -> VCPUClock.GuestArea in
            defer { if isRunstate { clock.runstateArea = area } else { clock.timeArea = area } }
            return isRunstate ? clock.runstateArea : clock.timeArea
        }
        if case .place(let place) = old { vcpu.domain.unpin(place.frame) }
    }

    /// A checked and pinned place for a structure the hypervisor writes into.
    private static func sharedPlace(_ domain: Domain, _ gfn: UInt64, _ offset: Int, size: Int) throws(XenError) -> SharedPlace {
        let isOld = !domain.configuration.version.isAtLeast(4, 18)
        guard offset & 3 == 0, offset <= GuestMemory.pageSize - size else { throw isOld ? .invalidArgument : .noSuchAddress }
        let frame: FrameIndex
        do throws(XenError) {
            frame = try domain.pin(GuestFrameNumber(gfn))
        } catch {
            if isOld { throw .invalidArgument }
            throw error
        }
        return SharedPlace(domain.memory, frame, offset: offset)
    }

    private static func registerInfo(_ context: HypercallContext, _ vcpu: VCPU, _ argument: UInt64) throws(XenError) {
        let domain = context.domain
        let wire = try context.read(argument, count: 16)
        let offset = wire.u32(8)
        guard offset < UInt32(GuestMemory.pageSize) else {
            throw domain.configuration.version.isAtLeast(4, 18) ? .noSuchAddress : .invalidArgument
        }
        guard vcpu === context.vcpu || !vcpu.isOnline else { throw .invalidArgument }
        guard !vcpu.hasRegisteredInfo else { throw domain.configuration.version.isAtLeast(4, 18) ? .busy : .invalidArgument }
        let place = try sharedPlace(domain, wire.u64(0), Int(offset), size: SharedInfoLayout.vcpuInfoSize)
        domain.events.withLock { _ in vcpu.moveInfo(to: place) }
    }
}
