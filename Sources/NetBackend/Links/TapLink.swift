internal import CLinux
internal import Glibc
internal import HostIO

/// A tap interface of the host: the kernel takes and gives large segments and blank checksums, so that nothing is done twice.
public final class TapLink: FrameLink {
    public weak var receiver: (any FrameReceiver)?
    public let abilities = FrameAbilities.all

    /// Frames read in one round.
    private static let framesPerRound = 128

    private var descriptor: Descriptor?
    private let buffer = FrameBuffer(headroom: VirtioHeader.byteCount)
    private let header = FrameBuffer()
    private var number: Int?

    /// Opens a tap interface that exists and that this user may use.
    ///
    /// - Throws: ``LinkFailure``.
    public init(existing name: String) throws(LinkFailure) {
        guard unsafe if_nametoindex(name) != 0 else {
            throw LinkFailure(
                "there is no tap interface `\(name)' on this host", remedy: "make it: ip tuntap add \(name) mode tap user $USER")
        }
        descriptor = try TapInterface.open(name, remedy: "give it to this user: ip tuntap add \(name) mode tap user $USER")
    }

    /// Makes a tap interface and puts it into a bridge. It goes with the link.
    ///
    /// - Parameter name: at most 15 bytes; must not exist.
    /// - Throws: ``LinkFailure``: no such bridge, no right (CAP_NET_ADMIN), the name is taken. Nothing is left then.
    public init(new name: String, bridge: String, mtu: UInt32) throws(LinkFailure) {
        guard unsafe if_nametoindex(bridge) != 0 else {
            throw LinkFailure(
                "there is no bridge `\(bridge)' on this host", remedy: "make it, or write bridge=user for a network that needs none")
        }
        guard unsafe if_nametoindex(name) == 0 else {
            throw LinkFailure("there is an interface `\(name)' already", remedy: "give this one another name: vifname=")
        }
        descriptor = try TapInterface.open(
            name, remedy: "run as root or with CAP_NET_ADMIN, or write bridge=user for a network that needs no right")
        try TapInterface.join(name, bridge: bridge, mtu: mtu)
    }

    public func send(_ frame: Frame) -> Bool {
        guard let descriptor else { return false }
        VirtioHeader.write(frame, to: header)
        return unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { parts in
            unsafe parts[0] = iovec(iov_base: header.start, iov_len: VirtioHeader.byteCount)
            unsafe parts[1] = iovec(iov_base: UnsafeMutableRawPointer(mutating: frame.bytes.baseAddress), iov_len: frame.count)
            return unsafe writev(descriptor.rawValue, parts.baseAddress, 2) == frame.count + VirtioHeader.byteCount
        }
    }

    public func prepare(_ poll: PollSet, wantsFrames: Bool) {
        number = nil
        if wantsFrames, let descriptor { number = poll.add(descriptor.rawValue, POLLIN) }
    }

    public func serve(_ poll: PollSet) {
        guard let number, let descriptor, poll.events(number) & POLLIN != 0 else { return }
        for _ in 0..<Self.framesPerRound {
            let count = unsafe read(descriptor.rawValue, buffer.start, VirtioHeader.byteCount + Frame.maximumByteCount)
            guard count > 0 else { return }
            guard count >= VirtioHeader.byteCount + Frame.headerByteCount else { continue }
            receiver?.receive(buffer.frame(count - VirtioHeader.byteCount, VirtioHeader.offload(buffer)))
        }
    }

    public func close() { descriptor = nil }
}

/// The header before each frame of a tap interface.
///
///     flags u8 0 | type u8 1 | headers' size u16 2 | segment size u16 4 | checksum from u16 6 | its place from there u16 8
///
/// Reference: Linux `linux/virtio_net.h`, `struct virtio_net_hdr`.
private enum VirtioHeader {
    static let byteCount = 10
    private static let needsChecksum: UInt8 = 1, dataValid: UInt8 = 2
    private static let segmentTypes: [Offload.Segmentation: UInt8] = [.tcp4: 1, .tcp6: 4]
    /// May be set with either type: congestion notification.
    private static let congestion: UInt8 = 0x80

    static func write(_ frame: Frame, to buffer: FrameBuffer) {
        var words: InlineArray<5, UInt16> = [0, 0, 0, 0, 0]
        let offload = frame.offload
        if offload.checksum == .valid { words[0] = UInt16(dataValid) }
        if offload.checksum == .blank || offload.segmentation != .none, let layout = FrameLayout(frame) {
            words[0] = UInt16(needsChecksum) | UInt16(segmentTypes[offload.segmentation] ?? 0) << 8
            words[1] = UInt16(layout.payload)
            words[2] = offload.segmentByteCount
            words[3] = UInt16(layout.transportOffset)
            words[4] = UInt16(layout.checksumOffset - layout.transportOffset)
        }
        for index in 0..<5 { unsafe buffer.start.storeBytes(of: words[index], toByteOffset: index * 2, as: UInt16.self) }
    }

    static func offload(_ buffer: FrameBuffer) -> Offload {
        let flags = unsafe buffer.start.load(as: UInt8.self)
        let type = unsafe buffer.start.load(fromByteOffset: 1, as: UInt8.self) & ~congestion
        var offload = Offload()
        if flags & dataValid != 0 { offload.checksum = .valid }
        if flags & needsChecksum != 0 { offload.checksum = .blank }
        if let segmentation = segmentTypes.first(where: { $0.value == type })?.key {
            offload.segmentation = segmentation
            offload.segmentByteCount = unsafe buffer.start.load(fromByteOffset: 4, as: UInt16.self)
        }
        return offload
    }
}

private enum TapInterface {
    /// Opens the interface of a name, made now if there is none, without blocking.
    static func open(_ name: String, remedy: String) throws(LinkFailure) -> Descriptor {
        guard name.utf8.count < Int(IFNAMSIZ), !name.isEmpty else {
            throw LinkFailure("`\(name)' is no name of an interface", remedy: "use 1 to 15 characters")
        }
        let raw = unsafe Glibc.open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard raw >= 0 else { throw LinkFailure("\(HostError("open /dev/net/tun"))", remedy: remedy) }
        let descriptor = Descriptor(raw)
        guard unsafe martlet_tap_attach(raw, name) == 0 else {
            throw LinkFailure("the tap interface `\(name)' cannot be used: \(unsafe String(cString: strerror(errno)))", remedy: remedy)
        }
        guard martlet_tap_take_offloads(raw) == 0 else { throw LinkFailure("\(HostError("TUNSETOFFLOAD \(name)"))") }
        return descriptor
    }

    static func join(_ name: String, bridge: String, mtu: UInt32) throws(LinkFailure) {
        let raw = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw LinkFailure("\(HostError("socket"))") }
        let control = Descriptor(raw)
        // The highest address: a bridge takes its own from the lowest one of its ports.
        let address: [UInt8] = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff]
        try check("address of \(name)", unsafe martlet_interface_set_address(control.rawValue, name, address))
        try check("MTU of \(name)", unsafe martlet_interface_set_mtu(control.rawValue, name, Int32(clamping: mtu)))
        let index = unsafe Int32(bitPattern: if_nametoindex(name))
        guard unsafe martlet_bridge_add(control.rawValue, bridge, index) == 0 else {
            throw LinkFailure(
                "`\(bridge)' takes no interface: \(unsafe String(cString: strerror(errno)))", remedy: "name a bridge: bridge=")
        }
        try check("start of \(name)", unsafe martlet_interface_set_up(control.rawValue, name))
    }

    private static func check(_ action: String, _ code: Int32) throws(LinkFailure) {
        guard code == 0 else { throw LinkFailure("\(HostError(action))") }
    }
}
