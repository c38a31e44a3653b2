internal import CSlirp
internal import Glibc
internal import HostIO

/// A network of the guest's own out of ordinary sockets of the host, by libslirp: DHCP, DNS, NAT, and ports of the host that lead to the
/// guest. Needs no right and no setting up.
///
///     10.0.2.2   the host, whose loopback services the guest reaches there; DHCP server and router
///     10.0.2.3   DNS, answered by the host's own name server
///     10.0.2.15  the guest, by DHCP; up to 10.0.2.254 are given out
///     fec0::2, fec0::3  host and DNS over IPv6; the guest's address comes from router advertisements of fec0::/64
@safe
public final class UserNetwork: FrameLink {
    /// A port of the host that leads to the guest.
    public struct Forward: Hashable, Sendable {
        public var isUDP: Bool
        /// IPv4; empty for every address of the host.
        public var hostAddress: String
        public var hostPort: UInt16
        /// IPv4; empty for 10.0.2.15.
        public var guestAddress: String
        public var guestPort: UInt16

        public init(isUDP: Bool, hostAddress: String, hostPort: UInt16, guestAddress: String, guestPort: UInt16) {
            self.isUDP = isUDP
            self.hostAddress = hostAddress
            self.hostPort = hostPort
            self.guestAddress = guestAddress
            self.guestPort = guestPort
        }
    }

    public weak var receiver: (any FrameReceiver)?
    /// libslirp takes TCP segments of any size over IPv4, but none larger than the MTU over IPv6; it looks at checksums.
    public let abilities: FrameAbilities = [.tcp4]

    private var slirp: OpaquePointer?
    private let callbacks: UnsafeMutablePointer<SlirpCb>
    private let log: @Sendable (String) -> Void
    private var timers: [SlirpTimer] = []
    /// The set of the round, while libslirp fills or reads it.
    private var poll: PollSet?
    private var isPrepared = false
    private var complaintCount = 0
    fileprivate(set) var budget: SocketBudget

    /// - Parameters:
    ///   - mtu: of the guest's interface.
    ///   - hostName: what DHCP calls the guest; empty for nothing.
    /// - Throws: ``LinkFailure`` naming the forward at fault. Nothing is open then.
    public convenience init(
        mtu: UInt32, hostName: String, forwards: [Forward], log: @escaping @Sendable (String) -> Void
    ) throws(LinkFailure) {
        try self.init(mtu: mtu, hostName: hostName, forwards: forwards, socketLimit: SocketBudget.limitOfProcess, log: log)
    }

    /// - Parameter socketLimit: sockets of the host's that the guest may hold.
    init(
        mtu: UInt32, hostName: String, forwards: [Forward], socketLimit: Int, log: @escaping @Sendable (String) -> Void
    ) throws(LinkFailure) {
        self.log = log
        budget = SocketBudget(limit: socketLimit)
        unsafe callbacks = UnsafeMutablePointer<SlirpCb>.allocate(capacity: 1)
        unsafe callbacks.initialize(to: Self.callbackTable)
        unsafe slirp = start(mtu, hostName)
        guard unsafe slirp != nil else {
            unsafe callbacks.deallocate()
            throw LinkFailure("libslirp gives no user network")
        }
        for forward in forwards {
            do throws(LinkFailure) { try add(forward) } catch {
                close()
                throw error
            }
        }
    }

    deinit { close() }

    private func start(_ mtu: UInt32, _ hostName: String) -> OpaquePointer? {
        var configuration = unsafe SlirpConfig()
        unsafe configuration.version = 4
        unsafe configuration.in_enabled = true
        unsafe configuration.vnetwork = Self.address("10.0.2.0")
        unsafe configuration.vnetmask = Self.address("255.255.255.0")
        unsafe configuration.vhost = Self.address("10.0.2.2")
        unsafe configuration.vdhcp_start = Self.address("10.0.2.15")
        unsafe configuration.vnameserver = Self.address("10.0.2.3")
        unsafe configuration.in6_enabled = true
        unsafe inet_pton(AF_INET6, "fec0::", &configuration.vprefix_addr6)
        unsafe configuration.vprefix_len = 64
        unsafe inet_pton(AF_INET6, "fec0::2", &configuration.vhost6)
        unsafe inet_pton(AF_INET6, "fec0::3", &configuration.vnameserver6)
        unsafe configuration.if_mtu = Int(mtu)
        unsafe configuration.if_mru = Int(mtu)
        return unsafe hostName.withCString { name in
            if !hostName.isEmpty { unsafe configuration.vhostname = name }
            return unsafe slirp_new(&configuration, callbacks, Unmanaged.passUnretained(self).toOpaque())
        }
    }

    private static func address(_ text: String) -> in_addr {
        var address = in_addr()
        unsafe inet_pton(AF_INET, text, &address)
        return address
    }

    private func add(_ forward: Forward) throws(LinkFailure) {
        let place = "\(forward.isUDP ? "udp" : "tcp"):\(forward.hostAddress):\(forward.hostPort)"
        for text in [forward.hostAddress, forward.guestAddress] where !text.isEmpty {
            var address = in_addr()
            guard unsafe inet_pton(AF_INET, text, &address) == 1 else {
                throw LinkFailure("hostfwd=\(place): `\(text)' is no IPv4 address", remedy: "write hostfwd=tcp:127.0.0.1:2222-:22")
            }
        }
        let host = forward.hostAddress.isEmpty ? in_addr(s_addr: 0) : Self.address(forward.hostAddress)
        let guest = forward.guestAddress.isEmpty ? in_addr(s_addr: 0) : Self.address(forward.guestAddress)
        errno = 0
        let code = unsafe slirp_add_hostfwd(
            slirp, forward.isUDP ? 1 : 0, host, Int32(forward.hostPort), guest, Int32(forward.guestPort))
        guard code == 0 else {
            let reason = HostError("the host does not listen there", errno == 0 ? EADDRINUSE : errno)
            throw LinkFailure("hostfwd=\(place): \(reason)", remedy: "choose a port that is free on the host, above 1023 without root")
        }
    }

    // MARK: - the device's thread

    public func send(_ frame: Frame) -> Bool {
        guard let slirp = unsafe slirp, budget.admits(frame) else { return false }
        unsafe slirp_input(slirp, frame.bytes.assumingMemoryBound(to: UInt8.self).baseAddress, Int32(frame.count))
        return true
    }

    public func prepare(_ poll: PollSet, wantsFrames: Bool) {
        // What is not read stays in the host's sockets, and their senders wait.
        isPrepared = wantsFrames
        if wantsFrames {
            var milliseconds = UInt32.max
            self.poll = poll
            unsafe slirp_pollfds_fill(slirp, &milliseconds, Self.addPoll, Unmanaged.passUnretained(self).toOpaque())
            self.poll = nil
            if milliseconds < UInt32(Int32.max) { poll.wake(at: monotonicMilliseconds() + Int64(milliseconds)) }
        }
        for timer in timers { if let moment = timer.moment { poll.wake(at: moment) } }
    }

    public func serve(_ poll: PollSet) {
        if isPrepared {
            self.poll = poll
            unsafe slirp_pollfds_poll(slirp, poll.hasFailed ? 1 : 0, Self.pollEvents, Unmanaged.passUnretained(self).toOpaque())
            self.poll = nil
        }
        let now = monotonicMilliseconds()
        for timer in timers {
            guard let moment = timer.moment, moment <= now else { continue }
            timer.moment = nil
            unsafe slirp_handle_timer(slirp, timer.id, timer.context)
        }
    }

    public func close() {
        guard let slirp = unsafe slirp else { return }
        unsafe self.slirp = nil
        unsafe slirp_cleanup(slirp)
        unsafe callbacks.deallocate()
        timers = []
    }

    // MARK: - what libslirp asks for

    fileprivate func deliver(_ bytes: UnsafeRawPointer, _ count: Int) {
        guard count >= Frame.headerByteCount, count <= Frame.maximumByteCount else { return }
        // Made in this process a moment ago: its data is right. Nothing that completes checksums will write to it.
        let memory = unsafe UnsafeMutableRawPointer(mutating: bytes)
        receiver?.receive(unsafe Frame(memory, count: count, offload: Offload(checksum: .valid)))
    }

    /// The guest can bring this about as often as it likes, so it is said only a few times.
    fileprivate func complain(_ message: String) {
        complaintCount += 1
        if complaintCount <= 5 { log("user network: \(message)") }
    }

    fileprivate func makeTimer(_ id: SlirpTimerId, _ context: UnsafeMutableRawPointer?) -> SlirpTimer {
        let timer = unsafe SlirpTimer(id, context)
        timers.append(timer)
        return timer
    }

    fileprivate func removeTimer(_ timer: SlirpTimer) { timers.removeAll { $0 === timer } }

    fileprivate func addPoll(_ descriptor: Int32, _ events: Int32) -> Int32 {
        var wanted: Int32 = 0
        for (bit, event) in SlirpEvents.requests where events & bit != 0 { wanted |= event }
        return Int32(poll?.add(descriptor, wanted) ?? -1)
    }

    fileprivate func pollEvents(_ number: Int32) -> Int32 {
        let events = poll?.events(Int(number)) ?? 0
        var result: Int32 = 0
        for (bit, event) in SlirpEvents.replies where events & event != 0 { result |= bit }
        return result
    }
}

/// A moment at which libslirp wants to be called.
@safe
private final class SlirpTimer {
    let id: SlirpTimerId
    let context: UnsafeMutableRawPointer?
    /// Monotonic milliseconds.
    var moment: Int64?

    init(_ id: SlirpTimerId, _ context: UnsafeMutableRawPointer?) {
        self.id = id
        unsafe self.context = context
    }
}

private enum SlirpEvents {
    static let requests: [(Int32, Int32)] = [
        (Int32(SLIRP_POLL_IN), POLLIN), (Int32(SLIRP_POLL_OUT), POLLOUT), (Int32(SLIRP_POLL_PRI), POLLPRI),
    ]
    static let replies =
        requests + [(Int32(SLIRP_POLL_ERR), POLLERR | POLLNVAL), (Int32(SLIRP_POLL_HUP), POLLHUP)]
}

/// The last argument of the functions libslirp calls: the network, which outlives its libslirp.
private func network(_ opaque: UnsafeMutableRawPointer?) -> UserNetwork {
    unsafe Unmanaged<UserNetwork>.fromOpaque(opaque!).takeUnretainedValue()
}

private func timer(_ pointer: UnsafeMutableRawPointer) -> SlirpTimer {
    unsafe Unmanaged<SlirpTimer>.fromOpaque(pointer).takeUnretainedValue()
}

/// The functions libslirp calls.
extension UserNetwork {
    fileprivate static var callbackTable: SlirpCb {
        var table = SlirpCb()
        unsafe table.send_packet = { bytes, count, opaque in
            if let bytes = unsafe bytes { unsafe network(opaque).deliver(bytes, count) }
            return count
        }
        unsafe table.guest_error = { message, opaque in
            if let message = unsafe message { unsafe network(opaque).complain(String(cString: message)) }
        }
        unsafe table.clock_get_ns = { _ in monotonicMicroseconds() * 1000 }
        unsafe table.timer_new_opaque = { id, context, opaque in
            unsafe Unmanaged.passUnretained(network(opaque).makeTimer(id, context)).toOpaque()
        }
        unsafe table.timer_free = { pointer, opaque in
            if let pointer = unsafe pointer { unsafe network(opaque).removeTimer(timer(pointer)) }
        }
        unsafe table.timer_mod = { pointer, milliseconds, _ in
            if let pointer = unsafe pointer { unsafe timer(pointer).moment = milliseconds }
        }
        unsafe table.register_poll_fd = { descriptor, opaque in unsafe network(opaque).budget.open(descriptor) }
        unsafe table.unregister_poll_fd = { descriptor, opaque in unsafe network(opaque).budget.close(descriptor) }
        // Everything happens on one thread, which looks at all sockets before it sleeps.
        unsafe table.notify = { _ in }
        return table
    }

    fileprivate static let addPoll: SlirpAddPollCb = { descriptor, events, opaque in
        unsafe network(opaque).addPoll(descriptor, events)
    }

    fileprivate static let pollEvents: SlirpGetREventsCb = { number, opaque in unsafe network(opaque).pollEvents(number) }
}
