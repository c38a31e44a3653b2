/// What is left to do for a frame, and what is known of it.
public struct Offload: Hashable, Sendable, BitwiseCopyable {
    public enum Checksum: UInt8, Sendable, BitwiseCopyable {
        /// Complete, nobody has looked.
        case unchecked = 0
        /// To be filled in by whoever needs it; the data is right.
        case blank = 1
        /// Complete, and the data is right.
        case valid = 2
    }

    /// What the frame is to be cut into. The numbers are those of Xen's `XEN_NETIF_GSO_TYPE_*`.
    public enum Segmentation: UInt8, Sendable, BitwiseCopyable {
        case none = 0
        case tcp4 = 1
        case tcp6 = 2
    }

    /// Smaller TCP segments make nothing but work; Linux sends none.
    static let smallestSegment: UInt16 = 48

    public var checksum = Checksum.unchecked
    public var segmentation = Segmentation.none
    /// Bytes of TCP payload in each segment; 0 without segmentation.
    public var segmentByteCount: UInt16 = 0

    public init(checksum: Checksum = .unchecked, segmentation: Segmentation = .none, segmentByteCount: UInt16 = 0) {
        self.checksum = checksum
        self.segmentation = segmentation
        self.segmentByteCount = segmentByteCount
    }
}

/// Which frames a receiver takes as they are. Others are completed for it.
public struct FrameAbilities: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let blankChecksum4 = Self(rawValue: 1)
    public static let blankChecksum6 = Self(rawValue: 2)
    /// Large TCP segments, over IPv4 and IPv6.
    public static let tcp4 = Self(rawValue: 4)
    public static let tcp6 = Self(rawValue: 8)
    public static let all: Self = [.blankChecksum4, .blankChecksum6, .tcp4, .tcp6]
}

/// An Ethernet frame in memory that somebody else owns: valid during the call it is handed to. Accesses are checked.
@safe
public struct Frame {
    /// The Ethernet header.
    static let headerByteCount = 14
    /// An IP packet of 65535 bytes with its Ethernet header and two VLAN tags.
    static let maximumByteCount = 65535 + 22

    private let base: UnsafeMutableRawPointer
    public let count: Int
    public var offload: Offload

    public init(_ base: UnsafeMutableRawPointer, count: Int, offload: Offload = Offload()) {
        precondition(count >= Self.headerByteCount, "a frame has an Ethernet header")
        unsafe self.base = base
        self.count = count
        self.offload = offload
    }

    public var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: base, count: count) }

    var destination: MACAddress { MACAddress(UInt64(word(0)) << 32 | UInt64(long(2))) }
    var source: MACAddress { MACAddress(UInt64(word(6)) << 32 | UInt64(long(8))) }

    @inline(__always)
    private func check(_ offset: Int, _ size: Int) {
        precondition(offset >= 0 && offset &+ size <= count, "an access stays in its frame")
    }

    func byte(_ offset: Int) -> UInt8 {
        check(offset, 1)
        return unsafe base.load(fromByteOffset: offset, as: UInt8.self)
    }

    func setByte(_ offset: Int, _ value: UInt8) {
        check(offset, 1)
        unsafe base.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
    }

    /// Two bytes in network order.
    func word(_ offset: Int) -> UInt16 {
        check(offset, 2)
        return unsafe UInt16(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    func setWord(_ offset: Int, _ value: UInt16) {
        check(offset, 2)
        unsafe base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }

    /// Four bytes in network order.
    func long(_ offset: Int) -> UInt32 {
        check(offset, 4)
        return unsafe UInt32(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    func setLong(_ offset: Int, _ value: UInt32) {
        check(offset, 4)
        unsafe base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }

    /// Copies a part of the frame to other memory.
    func copy(from offset: Int, count: Int, to target: UnsafeMutableRawPointer) {
        check(offset, count)
        unsafe target.copyMemory(from: base + offset, byteCount: count)
    }

    /// Whether two frames have the same bytes in a range.
    func matches(_ other: Frame, from offset: Int, count: Int) -> Bool {
        check(offset, count)
        other.check(offset, count)
        return unsafe UnsafeRawBufferPointer(start: base + offset, count: count).elementsEqual(
            UnsafeRawBufferPointer(start: other.base + offset, count: count))
    }
}

/// Memory for one frame of any size and what a link puts before it, made once.
@safe
final class FrameBuffer {
    /// Bytes before the frame.
    let headroom: Int
    let start: UnsafeMutableRawPointer

    init(headroom: Int = 0) {
        self.headroom = headroom
        unsafe start = UnsafeMutableRawPointer.allocate(byteCount: headroom + Frame.maximumByteCount, alignment: 64)
    }

    deinit { unsafe start.deallocate() }

    var base: UnsafeMutableRawPointer { unsafe start + headroom }

    func frame(_ count: Int, _ offload: Offload = Offload()) -> Frame {
        precondition(count <= Frame.maximumByteCount, "a frame fits its buffer")
        return unsafe Frame(base, count: count, offload: offload)
    }
}
