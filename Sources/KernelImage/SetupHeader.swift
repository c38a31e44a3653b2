/// What the Linux/x86 boot protocol's setup header tells about a bzImage (Linux documentation, "The Linux/x86 Boot Protocol").
public struct SetupHeader: Equatable, Sendable {
    /// Boot protocol version, major in the high byte.
    public var protocolVersion: UInt16
    /// The kernel's version string, when the header points to one inside the setup sectors.
    public var kernelVersion: String?
    /// The packed kernel inside the file.
    public var payload: Range<Int>

    public var protocolText: String { "\(protocolVersion >> 8).\(protocolVersion & 0xff < 10 ? "0" : "")\(protocolVersion & 0xff)" }

    static let magic = Array("HdrS".utf8)
    static let magicOffset = 0x202

    /// - Throws: `ImageError` when a field of the header points outside of the file or the protocol has no payload fields.
    init(_ bytes: [UInt8], file: String) throws(ImageError) {
        guard let version = bytes.littleEndian(UInt16.self, at: 0x206), bytes.count >= 0x250 else {
            throw ImageError(
                file: file, offset: bytes.count, cause: "the file ends inside the Linux setup header", remedy: damagedRemedy)
        }
        protocolVersion = version
        guard version >= 0x0208 else {
            throw ImageError(
                file: file, offset: 0x206, cause: "boot protocol \(version >> 8).\(version & 0xff) does not say where the kernel proper is (2.08 or later does)",
                remedy: "Use a kernel of Linux 2.6.24 or later, or its vmlinux file")
        }
        // Zero stands for four, as in the days of the boot sector.
        let setupBytes = (UInt64(bytes[0x1f1] == 0 ? 4 : bytes[0x1f1]) + 1) * 512
        let offset = UInt64(bytes.littleEndian(UInt32.self, at: 0x248) ?? 0)
        let length = UInt64(bytes.littleEndian(UInt32.self, at: 0x24c) ?? 0)
        guard length > 4, let payload = bytes.checked(at: setupBytes + offset, length: length) else {
            throw ImageError(
                file: file, offset: 0x248,
                cause: "the packed kernel should be \(length) bytes at \(hex(setupBytes + offset)), but the file has \(bytes.count) bytes",
                remedy: damagedRemedy)
        }
        self.payload = payload
        kernelVersion = Self.kernelVersion(bytes, setupBytes: Int(setupBytes))
    }

    private static func kernelVersion(_ bytes: [UInt8], setupBytes: Int) -> String? {
        guard let pointer = bytes.littleEndian(UInt16.self, at: 0x20e), pointer != 0 else { return nil }
        let start = Int(pointer) + 0x200
        let end = min(start + 256, setupBytes, bytes.count)
        guard start < end else { return nil }
        let text = bytes.printable(start..<end)
        return text.isEmpty ? nil : text
    }
}
