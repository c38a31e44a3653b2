/// Changes inputs the way fuzzers do: bits, bytes, numbers at the edges, pieces cut out, doubled, or taken from another input.
public struct ByteMutator {
    private var random: SeededRandom
    private let inputs: [[UInt8]]
    private let maximumByteCount: Int

    /// - Parameter inputs: at least one.
    public init(seed: UInt64, inputs: [[UInt8]], maximumByteCount: Int) {
        random = SeededRandom(seed: seed)
        self.inputs = inputs
        self.maximumByteCount = maximumByteCount
    }

    public mutating func next() -> [UInt8] {
        var bytes = random.pick(inputs)
        for _ in 0...random.below(4) { mutate(&bytes) }
        return Array(bytes.prefix(maximumByteCount))
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return bytes = random.bytes(random.below(32)) }
        let place = random.below(bytes.count)
        switch random.below(8) {
        case 0: bytes[place] ^= 1 << UInt8(random.below(8))
        case 1: bytes[place] = random.byte()
        case 2: bytes.insert(contentsOf: random.bytes(1 + random.below(8)), at: place)
        case 3: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.below(16)))
        case 4:
            let piece = bytes[place..<min(bytes.count, place + 1 + random.below(64))]
            bytes.insert(contentsOf: piece, at: random.below(bytes.count))
        case 5:
            let value = random.integer()
            let width = random.pick([1, 2, 4, 8])
            for (index, offset) in (place..<min(bytes.count, place + width)).enumerated() {
                bytes[offset] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
            }
        case 6:
            let other = random.pick(inputs)
            guard !other.isEmpty else { return }
            bytes.replaceSubrange(place..., with: other[random.below(other.count)...])
        default: bytes.removeSubrange(place...)
        }
    }
}
