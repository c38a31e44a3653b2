/// LZO1X decoding, written from the published description of the byte stream.
///
/// Instructions, by their first byte (`L` length, `D` distance, `H` high distance bits, `S` literals that follow the match):
///
///     0000LLLL            a run of L+3 literals, when no literals came just before
///     0000DDSS H          2 bytes, distance 4H+D+1, after 1-3 literals; 3 bytes, distance +2049, after a run
///     0001HLLL D:14 S:2   L+2 bytes, distance 16384 + (H << 14) + D; D = H = 0 ends the stream
///     001LLLLL D:14 S:2   L+2 bytes, distance D+1
///     01LDDDSS H          L+3 bytes, distance 8H+D+1
///     1LLDDDSS H          L+5 bytes, distance 8H+D+1
///
/// In the first three long forms a length field of zero is extended: every zero byte adds 255, the first other byte adds itself.
///
/// Safe to hold: every access below is checked against both buffers, which outlive it inside `lzo1xUnpack`.
@safe private struct LZO1XDecoder {
    let input: UnsafeRawBufferPointer
    let output: UnsafeMutableRawBufferPointer
    var source = 0
    var target = 0

    mutating func byte() -> Int? {
        guard unsafe source < input.count else { return nil }
        defer { source += 1 }
        return unsafe Int(input[source])
    }

    /// The length field `field`, or its extension over `most` when it is zero.
    mutating func length(_ field: Int, most: Int) -> Int? {
        if field != 0 { return field }
        var total = most
        while let next = byte() {
            if next != 0 { return total + next }
            total += 255
        }
        return nil
    }

    mutating func literals(_ count: Int) -> Bool {
        guard unsafe count <= input.count - source, unsafe count <= output.count - target else { return false }
        unsafe UnsafeMutableRawBufferPointer(rebasing: output[target..<target + count])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: input[source..<source + count]))
        source += count
        target += count
        return true
    }

    /// Source and target overlap when the distance is shorter than the match: then the pattern repeats, byte by byte.
    mutating func match(distance: Int, count: Int) -> Bool {
        guard distance <= target, unsafe count <= output.count - target, let base = unsafe output.baseAddress else { return false }
        let to = unsafe base + target
        let from = unsafe to - distance
        if distance >= count {
            unsafe to.copyMemory(from: from, byteCount: count)
        } else {
            for index in 0..<count { unsafe to.storeBytes(of: from.load(fromByteOffset: index, as: UInt8.self), toByteOffset: index, as: UInt8.self) }
        }
        target += count
        return true
    }

    /// - Returns: whether the stream was sound and filled the output exactly.
    mutating func run() -> Bool {
        // Literals copied just before the next instruction: 0, 1 to 3, or 4 for a run.
        var state = 0
        if let first = unsafe input.first, first > 17 {
            source = 1
            let count = Int(first) - 17
            guard literals(count) else { return false }
            state = min(count, 4)
        }
        while let code = byte() {
            if code < 16, state == 0 {
                guard let count = length(code, most: 15), literals(count + 3) else { return false }
                state = 4
                continue
            }
            guard let (distance, count, trailing) = matchInstruction(code, state) else { return false }
            if distance == 0 { return unsafe target == output.count }
            guard match(distance: distance, count: count), literals(trailing) else { return false }
            state = trailing
        }
        return false
    }

    /// Distance 0 stands for the end of the stream.
    private mutating func matchInstruction(_ code: Int, _ state: Int) -> (distance: Int, count: Int, trailing: Int)? {
        if code >= 64 {
            guard let high = byte() else { return nil }
            let count = code >= 128 ? 5 + (code >> 5 & 3) : 3 + (code >> 5 & 1)
            return (high << 3 + (code >> 2 & 7) + 1, count, code & 3)
        }
        if code < 16 {
            guard let high = byte() else { return nil }
            let near = high << 2 + code >> 2 + 1
            return state == 4 ? (near + 2048, 3, code & 3) : (near, 2, code & 3)
        }
        let isFar = code < 32
        guard let count = isFar ? length(code & 7, most: 7) : length(code & 31, most: 31),
            let low = byte(), let high = byte()
        else { return nil }
        let distance = high << 6 | low >> 2
        if !isFar { return (distance + 1, count + 2, low & 3) }
        let far = (code & 8) << 11 + distance
        return (far == 0 ? 0 : far + 16384, count + 2, low & 3)
    }
}

/// Unpacks one LZO1X block to exactly `outputCount` bytes; nil when it is damaged.
func lzo1xUnpack(_ bytes: [UInt8], _ range: Range<Int>, outputCount: Int) -> [UInt8]? {
    var isSound = false
    let output = unsafe [UInt8](unsafeUninitializedCapacity: outputCount) { buffer, count in
        isSound = unsafe bytes.withUnsafeBytes { input in
            var decoder = unsafe LZO1XDecoder(
                input: UnsafeRawBufferPointer(rebasing: input[range]),
                output: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: outputCount))
            return decoder.run()
        }
        count = isSound ? outputCount : 0
    }
    return isSound ? output : nil
}
