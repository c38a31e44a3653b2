import Synchronization
public import XenABI

/// Raising events: the part every source shares.
extension Domain {
    var sharedLayout: SharedInfoLayout { is32Bit ? .bits32 : .bits64 }

    /// Ports the current ABI can express.
    func eventPortCount(_ events: borrowing EventChannels) -> Int {
        events.isFIFO ? FIFOEvent.wordsPerPage * FIFOEvent.pageLimit : sharedLayout.eventPortCount
    }

    /// Makes an event pending, with the lock held.
    func raise(_ port: Int, _ events: inout EventChannels) {
        if events.isFIFO { raiseFIFO(port, &events) } else { raiseTwoLevel(port, events.channels[port].vcpu) }
    }

    private func raiseTwoLevel(_ port: Int, _ vcpu: Int) {
        let layout = sharedLayout
        guard port < layout.eventPortCount else { return }
        let offset = (port &>> 5) &* 4
        let bit = UInt32(1) &<< UInt32(port & 31)
        guard sharedInfo.or32(layout.eventPending &+ offset, bit) & bit == 0 else { return }
        if sharedInfo.load32(layout.eventMask &+ offset) & bit == 0 { selectWord(of: port, vcpu, layout) }
        wakePollers(of: port)
    }

    private func selectWord(of port: Int, _ vcpu: Int, _ layout: SharedInfoLayout) {
        let word = port / layout.wordBits
        let selector = layout.wordBits == 64 ? VCPUInfoLayout.pendingSelector64 : VCPUInfoLayout.pendingSelector32
        let bit = UInt32(1) &<< UInt32(word & 31)
        let old = vcpus[vcpu].info.or32(selector &+ (word &>> 5) &* 4, bit)
        if old & bit == 0 { vcpus[vcpu].markEventsPending() }
    }

    /// EVTCHNOP_unmask.
    func unmask(_ port: Int, _ events: inout EventChannels) {
        if events.isFIFO {
            guard let word = events.fifo.word(port) else { return }
            _ = word.and32(0, ~FIFOEvent.masked)
            if word.load32(0) & FIFOEvent.pending != 0 { raiseFIFO(port, &events) }
            return
        }
        let layout = sharedLayout
        guard port < layout.eventPortCount else { return }
        let offset = (port &>> 5) &* 4
        let bit = UInt32(1) &<< UInt32(port & 31)
        let wasMasked = sharedInfo.and32(layout.eventMask &+ offset, ~bit) & bit != 0
        if wasMasked, sharedInfo.load32(layout.eventPending &+ offset) & bit != 0 {
            selectWord(of: port, events.channels[port].vcpu, layout)
        }
    }

    func isPending(_ port: Int, _ events: borrowing EventChannels) -> Bool {
        if events.isFIFO { return (events.fifo.word(port)?.load32(0) ?? 0) & FIFOEvent.pending != 0 }
        return bit(of: port, in: sharedLayout.eventPending)
    }

    func isMasked(_ port: Int, _ events: borrowing EventChannels) -> Bool {
        if events.isFIFO { return (events.fifo.word(port)?.load32(0) ?? FIFOEvent.masked) & FIFOEvent.masked != 0 }
        return bit(of: port, in: sharedLayout.eventMask)
    }

    private func bit(of port: Int, in bitmap: Int) -> Bool {
        guard port < sharedLayout.eventPortCount else { return false }
        return sharedInfo.load32(bitmap &+ (port &>> 5) &* 4) &>> UInt32(port & 31) & 1 != 0
    }

    func clearPending(_ port: Int, _ events: borrowing EventChannels) {
        if events.isFIFO {
            _ = events.fifo.word(port)?.and32(0, ~FIFOEvent.pending)
        } else if port < sharedLayout.eventPortCount {
            _ = sharedInfo.and32(sharedLayout.eventPending &+ (port &>> 5) &* 4, ~(1 &<< UInt32(port & 31)))
        }
    }

    /// Wakes vCPUs in SCHEDOP_poll that named the port, masked or not.
    func wakePollers(of port: Int) {
        guard pollerCount.load(ordering: .sequentiallyConsistent) != 0 else { return }
        for vcpu in vcpus { vcpu.pollEvent(on: port) }
    }

    /// Raises a virtual interrupt on a vCPU; nothing happens while the guest has not bound it.
    func raiseVIRQ(_ virq: UInt32, on vcpu: Int) {
        events.withLock { events in
            let port = events[virq: virq, vcpu]
            if port != 0 { raise(port, &events) }
        }
    }

    // MARK: - the control domain's side

    /// Binds a backend to a port of the guest: one the guest left unbound for the control domain, or one that is
    /// connected to it already (then the handler replaces the old one).
    ///
    /// A port the guest left unbound may have been sent on before; as in Xen, a new connection starts pending, so the handler
    /// is called once before this returns. Ports the builder connected are silent: look at their rings after binding.
    ///
    /// - Parameters:
    ///   - replacesHandler: Whether a port that is connected already may be taken over. A guest that names a port to a backend
    ///     could name one that another backend uses.
    ///   - handler: Called on the sending vCPU's thread for each event the guest sends. Must not block.
    /// - Returns: The port number on the control domain's side.
    /// - Throws: `.invalidArgument` when the port is neither; nothing has changed then.
    /// - Complexity: O(1). Safe from any thread.
    @discardableResult
    public func bindHost(
        _ port: UInt32, replacesHandler: Bool = true, handler: @escaping HostPortHandler
    ) throws(XenError) -> UInt32 {
        let (hostPort, isNew) = try events.withLock { (events) throws(XenError) -> (UInt32, Bool) in
            let channel = try events.bound(port)
            let hostPort: UInt32
            let isNew: Bool
            switch channel.kind {
            case .unbound(DomainID.control):
                (hostPort, isNew) = (events.takeHostPort(), true)
                events.channels[Int(port)].kind = .interdomain(remoteDomain: DomainID.control, remotePort: hostPort)
            case .interdomain(DomainID.control, let port) where replacesHandler: (hostPort, isNew) = (port, false)
            default: throw .invalidArgument
            }
            events.channels[Int(port)].handler = handler
            return (hostPort, isNew)
        }
        if isNew { handler() }
        return hostPort
    }

    /// Ends a backend's binding; the guest's port becomes unbound, as after a close by the peer. Ports that are not bound
    /// to the control domain stay as they are.
    public func unbindHost(_ port: UInt32) {
        events.withLock { events in
            guard Int(port) < events.channels.count,
                case .interdomain(DomainID.control, _) = events.channels[Int(port)].kind
            else { return }
            events.channels[Int(port)].kind = .unbound(remoteDomain: DomainID.control)
            events.channels[Int(port)].handler = nil
        }
    }

    /// Sends an event from the control domain's side to the guest. Ports that are not connected to it are ignored.
    /// Safe from any thread.
    public func notify(_ port: UInt32) {
        events.withLock { events in
            guard Int(port) < events.channels.count,
                case .interdomain(DomainID.control, _) = events.channels[Int(port)].kind
            else { return }
            raise(Int(port), &events)
        }
    }

    /// Makes a new port of the guest that is connected to the control domain.
    ///
    /// - Returns: The guest's port and the control domain's port.
    /// - Throws: `.noSpace` when the domain has no port left.
    public func makeHostPort() throws(XenError) -> (port: UInt32, hostPort: UInt32) {
        try events.withLock { (events) throws(XenError) in
            let hostPort = events.takeHostPort()
            let kind = EventChannel.Kind.interdomain(remoteDomain: DomainID.control, remotePort: hostPort)
            let port = try events.allocate(kind, within: eventPortCount(events))
            return (UInt32(port), hostPort)
        }
    }
}
