/// Offsets in the shared info page, which depend on the bitness the domain last showed (`public/xen.h`).
public struct SharedInfoLayout: Equatable, Sendable {
    /// Bits in a guest's `unsigned long`.
    public let wordBits: Int
    public let eventPending: Int
    public let eventMask: Int
    public let wallClockVersion: Int
    public let wallClockSeconds: Int
    public let wallClockNanoseconds: Int
    public let wallClockSecondsHigh: Int
    public let nmiReason: Int
    /// Ports the two-level bitmaps hold.
    public var eventPortCount: Int { wordBits * wordBits }

    public static let vcpuInfoSize = 64
    /// vCPUs with a `vcpu_info` in the page; others must register their own.
    public static let vcpuInfoCount = 32

    public static let bits64 = SharedInfoLayout(
        wordBits: 64, eventPending: 2048, eventMask: 2560, wallClockVersion: 3072, wallClockSeconds: 3076,
        wallClockNanoseconds: 3080, wallClockSecondsHigh: 3084, nmiReason: 3104)
    public static let bits32 = SharedInfoLayout(
        wordBits: 32, eventPending: 2048, eventMask: 2176, wallClockVersion: 2304, wallClockSeconds: 2308,
        wallClockNanoseconds: 2312, wallClockSecondsHigh: 2340, nmiReason: 2324)
}

/// Offsets in `vcpu_info` (64 bytes).
public enum VCPUInfoLayout {
    public static let upcallPending = 0
    public static let upcallMask = 1
    /// In a 64-bit domain; a 32-bit domain has it at 4.
    public static let pendingSelector64 = 8
    public static let pendingSelector32 = 4
    public static let time = 32
}

/// `vcpu_time_info` (32 bytes): how a guest turns its TSC into system time.
public enum VCPUTimeInfoLayout {
    public static let size = 32
    public static let version = 0
    public static let tscTimestamp = 8
    public static let systemTime = 16
    public static let multiplier = 24
    public static let shift = 28
    public static let flags = 29
    /// One monotonic TSC for all vCPUs.
    public static let tscStable: UInt8 = 1
}

/// `vcpu_runstate_info` and its states (`public/vcpu.h`).
public enum RunstateLayout {
    public static let running: UInt32 = 0
    public static let runnable: UInt32 = 1
    public static let blocked: UInt32 = 2
    public static let offline: UInt32 = 3
    public static let size64 = 48
    public static let size32 = 44
    /// Set in the entry time while the area is being written, if the guest asked for it.
    public static let updateFlag: UInt64 = 1 << 63
}
