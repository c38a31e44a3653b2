/// What a ramdisk looks like to the guest once the builder has handled it.
public enum Ramdisk {
    /// Unpacks a gzip ramdisk on the host, as Xen's own builder does; the guest is spared the work.
    ///
    /// A ramdisk made of several gzip members unpacks to their contents one after the other, which means the same to Linux.
    ///
    /// - Parameter limit: The most bytes the result may have.
    /// - Returns: nil when the bytes are not gzip from first to last (NUL padding aside), are damaged, or unpack to more than the limit:
    ///   the guest then gets them as they are.
    public static func unpacked(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
        guard bytes.begins(with: Compression.gzip.magic) else { return nil }
        let mostAllowed = min(limit, Compression.outputLimit(inputCount: bytes.count))
        let sizeHint = bytes.littleEndian(UInt32.self, at: bytes.count - 4).map(Int.init) ?? 0
        var sink = OutputSink(limit: mostAllowed, reserving: sizeHint <= mostAllowed ? sizeHint : 0)
        var position = 0
        while position < bytes.count {
            guard bytes.begins(with: Compression.gzip.magic, at: position) else {
                return bytes[position...].allSatisfy { $0 == 0 } ? sink.bytes : nil
            }
            do {
                position += try unpackGzip(bytes, position..<bytes.count, into: &sink)
            } catch {
                return nil
            }
        }
        return sink.bytes
    }
}
