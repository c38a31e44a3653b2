/// A part of the program that reads what guests, clients or files hand it.
///
/// ``run(_:)`` takes any bytes and traps where something is wrong that must not be: in the part itself or in one of the checks around
/// it. The same functions serve libFuzzer (`scripts/fuzz`) and the tests, which try mutations of ``seeds`` and of `Fuzz/Corpus`.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case xenstoreRequests = "xenstore-requests"
    case xenstoreRing = "xenstore-ring"
    case byteRing = "byte-ring"
    case requestRing = "request-ring"
    case kernelImage = "kernel-image"
    case ramdisk
    case decoder
    case config
    case control

    public func run(_ input: [UInt8]) {
        switch self {
        case .xenstoreRequests: XenStoreRequestsFuzz.run(input)
        case .xenstoreRing: XenStoreRingFuzz.run(input)
        case .byteRing: ByteRingFuzz.run(input)
        case .requestRing: RequestRingFuzz.run(input)
        case .kernelImage: KernelImageFuzz.run(input)
        case .ramdisk: KernelImageFuzz.runRamdisk(input)
        case .decoder: DecoderFuzz.run(input)
        case .config: ConfigFuzz.run(input)
        case .control: ControlFuzz.run(input)
        }
    }

    /// Inputs that lead far in, to start from.
    public var seeds: [[UInt8]] {
        switch self {
        case .xenstoreRequests: XenStoreRequestsFuzz.seeds
        case .xenstoreRing: XenStoreRingFuzz.seeds
        case .byteRing: ByteRingFuzz.seeds
        case .requestRing: RequestRingFuzz.seeds
        case .kernelImage: KernelImageFuzz.seeds
        case .ramdisk: KernelImageFuzz.ramdiskSeeds
        case .decoder: DecoderFuzz.seeds
        case .config: ConfigFuzz.seeds
        case .control: ControlFuzz.seeds
        }
    }

    /// Longer inputs find nothing that shorter ones do not.
    public var maximumByteCount: Int {
        switch self {
        case .decoder: 64
        case .config, .control: 4096
        case .xenstoreRequests, .xenstoreRing, .byteRing, .requestRing: 8192
        case .kernelImage, .ramdisk: 65536
        }
    }
}

/// Numbers and pieces out of an input, zeros behind its end.
struct FuzzReader {
    private var rest: ArraySlice<UInt8>

    init(_ input: [UInt8]) { rest = input[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func word() -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(byte()) << UInt32(8 * $1) } }

    mutating func bytes(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[Int(byte()) % elements.count] }
}
