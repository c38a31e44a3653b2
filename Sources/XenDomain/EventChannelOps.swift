import GuestMemory
import Synchronization
import XenABI

/// event_channel_op(command, argument). Structures have the same layout in both modes.
enum EventChannelOps {
    static let handle: HypercallTable.Handler = { context throws(XenError) in
        let argument = context.arguments[1]
        switch context.arguments[0] & 0xffff_ffff {
        case EventChannelOp.bindInterdomain: return try bindInterdomain(context, argument)
        case EventChannelOp.bindVIRQ: return try bindVIRQ(context, argument)
        case EventChannelOp.bindPIRQ:
            // No interrupt line belongs to a guest without devices of its own.
            _ = try context.read(argument, count: 12)
            throw .invalidArgument
        case EventChannelOp.close: return try close(context, argument)
        case EventChannelOp.send: return try send(context, argument)
        case EventChannelOp.status: return try status(context, argument)
        case EventChannelOp.allocUnbound: return try allocUnbound(context, argument)
        case EventChannelOp.bindIPI: return try bindIPI(context, argument)
        case EventChannelOp.bindVCPU: return try bindVCPU(context, argument)
        case EventChannelOp.unmask: return try unmask(context, argument)
        case EventChannelOp.reset, EventChannelOp.resetContinuation: return try reset(context, argument)
        case EventChannelOp.initControl: return try initControl(context, argument)
        case EventChannelOp.expandArray: return try expandArray(context, argument)
        case EventChannelOp.setPriority: return try setPriority(context, argument)
        default: throw .notImplemented
        }
    }

    /// Writes the new port into the caller's structure; when that fails the port is given back.
    private static func report(_ port: Int, at address: UInt64, _ context: HypercallContext) throws(XenError) -> Int64 {
        do throws(XenError) {
            try context.store(address, UInt32(port))
        } catch {
            context.domain.events.withLock { context.domain.closePort(port, &$0) }
            throw error
        }
        return 0
    }

    private static func allocUnbound(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        let wire = try context.read(argument, count: 8)
        try context.requireSelf(wire.u16(0))
        let named = wire.u16(2)
        let remote = named == DomainID.current ? context.domain.configuration.domainID : named
        let domain = context.domain
        let port = try domain.events.withLock { (events) throws(XenError) in
            try events.allocate(.unbound(remoteDomain: remote), within: domain.eventPortCount(events))
        }
        return try report(port, at: argument &+ 4, context)
    }

    /// Only ports of the caller itself can be named: backends connect from their side.
    private static func bindInterdomain(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        let wire = try context.read(argument, count: 12)
        let remotePort = wire.u32(4)
        let domain = context.domain
        guard context.isSelf(wire.u16(0)) else { throw wire.u16(0) == DomainID.control ? .invalidArgument : .noSuchDomain }
        let own = domain.configuration.domainID
        let port = try domain.events.withLock { (events) throws(XenError) in
            guard try events.bound(remotePort).kind == .unbound(remoteDomain: own) else { throw .invalidArgument }
            let kind = EventChannel.Kind.interdomain(remoteDomain: own, remotePort: remotePort)
            let port = try events.allocate(kind, within: domain.eventPortCount(events))
            events.channels[Int(remotePort)].kind = .interdomain(remoteDomain: own, remotePort: UInt32(port))
            domain.raise(port, &events)
            return port
        }
        return try report(port, at: argument &+ 8, context)
    }

    private static func bindVIRQ(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        let wire = try context.read(argument, count: 12)
        let virq = wire.u32(0)
        guard virq < UInt32(VIRQ.count) else { throw .invalidArgument }
        guard VIRQ.isPerVCPU(virq) || wire.u32(4) == 0 else { throw .invalidArgument }
        let vcpu = try context.vcpu(UInt64(wire.u32(4))).index
        let domain = context.domain
        let port = try domain.events.withLock { (events) throws(XenError) in
            guard events[virq: virq, vcpu] == 0 else { throw .exists }
            let port = try events.allocate(.virq(virq), vcpu: vcpu, within: domain.eventPortCount(events))
            events[virq: virq, vcpu] = port
            return port
        }
        return try report(port, at: argument &+ 8, context)
    }

    private static func bindIPI(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        let vcpu = try context.vcpu(UInt64(context.read(argument, count: 8).u32(0))).index
        let domain = context.domain
        let port = try domain.events.withLock { (events) throws(XenError) in
            try events.allocate(.ipi, vcpu: vcpu, within: domain.eventPortCount(events))
        }
        return try report(port, at: argument &+ 4, context)
    }

    private static func close(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        let port = try context.read(argument, count: 4).u32(0)
        let domain = context.domain
        try domain.events.withLock { (events) throws(XenError) in
            _ = try events.bound(port)
            domain.closePort(Int(port), &events)
        }
        return 0
    }

    private static func send(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        let port = try context.read(argument, count: 4).u32(0)
        let domain = context.domain
        let own = domain.configuration.domainID
        let handler = try domain.events.withLock { (events) throws(XenError) -> HostPortHandler? in
            let channel = try events.bound(port)
            switch channel.kind {
            case .interdomain(own, let remotePort): domain.raise(Int(remotePort), &events)
            case .interdomain: return channel.handler
            case .ipi: domain.raise(Int(port), &events)
            case .unbound: break
            case .virq, .free, .reserved: throw .invalidArgument
            }
            return nil
        }
        handler?()
        return 0
    }

    private static func status(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        var wire = try context.read(argument, count: 24)
        try context.requireSelf(wire.u16(0))
        let port = wire.u32(4)
        let channel = try context.domain.events.withLock { (events) throws(XenError) in try events.channel(port) }
        wire.set(12, UInt32(channel.vcpu))
        switch channel.kind {
        case .free, .reserved: wire.set(8, EventChannelStatus.closed)
        case .unbound(let remote):
            wire.set(8, EventChannelStatus.unbound)
            wire.set(16, remote)
        case .interdomain(let remote, let remotePort):
            wire.set(8, EventChannelStatus.interdomain)
            wire.set(16, remote)
            wire.set(20, remotePort)
        case .virq(let virq):
            wire.set(8, EventChannelStatus.virq)
            wire.set(16, virq)
        case .ipi: wire.set(8, EventChannelStatus.ipi)
        }
        try context.write(argument, wire)
        return 0
    }

    private static func bindVCPU(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        let wire = try context.read(argument, count: 8)
        let port = wire.u32(0)
        let vcpu = try context.vcpu(UInt64(wire.u32(4))).index
        try context.domain.events.withLock { (events) throws(XenError) in
            switch try events.bound(port).kind {
            case .unbound, .interdomain: break
            case .virq(let virq) where !VIRQ.isPerVCPU(virq): break
            default: throw .invalidArgument
            }
            events.channels[Int(port)].vcpu = vcpu
        }
        return 0
    }

    private static func unmask(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        let port = try context.read(argument, count: 4).u32(0)
        let domain = context.domain
        try domain.events.withLock { (events) throws(XenError) in
            _ = try events.bound(port)
            domain.unmask(Int(port), &events)
        }
        return 0
    }

    private static func reset(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        try context.requireSelf(context.read(argument, count: 2).u16(0))
        context.domain.resetEvents()
        return 0
    }

    private static func initControl(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        let wire = try context.read(argument, count: 24)
        let offset = wire.u32(8)
        let vcpu = try context.vcpu(UInt64(wire.u32(12))).index
        guard offset <= UInt32(GuestMemory.pageSize - FIFOEvent.controlBlockSize), offset & 7 == 0 else { throw .invalidArgument }
        let domain = context.domain
        let frame = try domain.pinForEvents(GuestFrameNumber(wire.u64(0)))
        do throws(XenError) {
            let place = SharedPlace(domain.memory, frame, offset: Int(offset))
            try domain.events.withLock { (events) throws(XenError) in try domain.initialiseControl(place, vcpu: vcpu, &events) }
        } catch {
            domain.unpin(frame)
            throw error
        }
        try context.store(argument &+ 16, FIFOEvent.linkBits)
        return 0
    }

    private static func expandArray(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        let gfn = try context.read(argument, count: 8).u64(0)
        let domain = context.domain
        guard domain.events.withLock({ $0.isFIFO }) else { throw .notSupported }
        let frame = try domain.pinForEvents(GuestFrameNumber(gfn))
        do throws(XenError) {
            let page = SharedPlace(domain.memory, frame)
            try domain.events.withLock { (events) throws(XenError) in try domain.expandArray(page, &events) }
        } catch {
            domain.unpin(frame)
            throw error
        }
        return 0
    }

    private static func setPriority(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        let wire = try context.read(argument, count: 8)
        let priority = wire.u32(4)
        try context.domain.events.withLock { (events) throws(XenError) in
            _ = try events.bound(wire.u32(0))
            guard events.isFIFO else { throw .notImplemented }
            guard priority < UInt32(FIFOEvent.queueCount) else { throw .invalidArgument }
            events.channels[Int(wire.u32(0))].priority = UInt8(priority)
        }
        return 0
    }
}

extension Domain {
    /// Frees a port in use; the other end of a connection within the domain becomes unbound.
    func closePort(_ port: Int, _ events: inout EventChannels) {
        let channel = events.channels[port]
        switch channel.kind {
        case .virq(let virq): events[virq: virq, channel.vcpu == 0 || VIRQ.isPerVCPU(virq) ? channel.vcpu : 0] = 0
        case .interdomain(configuration.domainID, let remotePort):
            events.channels[Int(remotePort)].kind = .unbound(remoteDomain: configuration.domainID)
        default: break
        }
        clearPending(port, events)
        let last = (channel.lastVCPU, channel.lastPriority)
        events.channels[port] = EventChannel()
        // A word that is still linked stays in the guest's queue; its queue must be remembered.
        (events.channels[port].lastVCPU, events.channels[port].lastPriority) = last
    }

    /// EVTCHNOP_reset: closes every port and goes back to the two-level ABI.
    func resetEvents() {
        let places = events.withLock { events -> [SharedPlace] in
            for port in 1..<events.channels.count where events.channels[port].kind != .free { closePort(port, &events) }
            let places = events.fifo.pages + events.fifo.blocks.compactMap { $0?.place }
            events.isFIFO = false
            events.fifo = FIFOState(vcpuCount: vcpus.count)
            return places
        }
        for place in places { unpin(place.frame) }
    }

    /// Pins a page for the FIFO ABI; any page that cannot be shared is an invalid argument there.
    func pinForEvents(_ gfn: GuestFrameNumber) throws(XenError) -> FrameIndex {
        do throws(XenError) { return try pin(gfn) } catch { throw .invalidArgument }
    }
}
