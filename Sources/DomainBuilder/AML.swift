/// Writes ACPI machine language (ACPI 6.5, chapter 20). Each function yields the bytes of one term.
enum AML {
    /// A name of one to four characters, padded with underscores (20.2.2).
    static func nameSegment(_ name: String) -> [UInt8] {
        Array((name + "____").utf8.prefix(4))
    }

    /// The length of a package, which counts its own bytes (20.2.4).
    static func packageLength(of count: Int) -> [UInt8] {
        for extra in 1...4 {
            let total = count + extra
            if extra == 1, total < 0x40 { return [UInt8(total)] }
            if extra > 1, total < 1 << (4 + 8 * (extra - 1)) { return encodeLength(total, following: extra - 1) }
        }
        preconditionFailure("an ACPI package of \(count) bytes is too long")
    }

    /// Lengths of fields count bits and not themselves.
    static func fieldLength(bits: Int) -> [UInt8] {
        bits < 0x40 ? [UInt8(bits)] : encodeLength(bits, following: bits < 0x1000 ? 1 : bits < 0x10_0000 ? 2 : 3)
    }

    private static func encodeLength(_ value: Int, following: Int) -> [UInt8] {
        [UInt8(following << 6 | value & 0xf)] + (0..<following).map { UInt8(truncatingIfNeeded: value >> (4 + 8 * $0)) }
    }

    private static func package(_ opcode: [UInt8], _ content: [UInt8]) -> [UInt8] {
        opcode + packageLength(of: content.count) + content
    }

    /// The shortest constant (20.2.3).
    static func integer(_ value: UInt64) -> [UInt8] {
        switch value {
        case 0: return [0x00]
        case 1: return [0x01]
        case ...0xff: return [0x0a, UInt8(value)]
        case ...0xffff: return constant(0x0b, UInt16(value))
        case ...0xffff_ffff: return constant(0x0c, UInt32(value))
        default: return constant(0x0e, value)
        }
    }

    private static func constant(_ prefix: UInt8, _ value: some FixedWidthInteger & UnsignedInteger) -> [UInt8] {
        var bytes = [prefix]
        bytes.append(littleEndian: value)
        return bytes
    }

    static func string(_ text: String) -> [UInt8] { [0x0d] + Array(text.utf8) + [0x00] }

    /// A compressed plug-and-play identifier such as "PNP0C0C": three letters of five bits, four hexadecimal digits, bytes swapped.
    static func eisaID(_ text: String) -> [UInt8] {
        let letters = text.utf8.prefix(3).reduce(UInt32(0)) { $0 << 5 | UInt32($1 & 0x1f) }
        let digits = UInt32(text.dropFirst(3), radix: 16) ?? 0
        return constant(0x0c, (letters << 16 | digits).byteSwapped)
    }

    static func name(_ name: String, _ value: [UInt8]) -> [UInt8] { [0x08] + nameSegment(name) + value }

    static func scope(_ name: String, _ terms: [[UInt8]]) -> [UInt8] {
        package([0x10], nameSegment(name) + terms.flatMap { $0 })
    }

    static func device(_ name: String, _ terms: [[UInt8]]) -> [UInt8] {
        package([0x5b, 0x82], nameSegment(name) + terms.flatMap { $0 })
    }

    /// Processor (…): the older form of a processor object, which guests list as LNXCPU.
    static func processor(_ name: String, id: UInt8, blockAddress: UInt32, blockLength: UInt8, _ terms: [[UInt8]]) -> [UInt8] {
        var head = nameSegment(name) + [id]
        head.append(littleEndian: blockAddress)
        return package([0x5b, 0x83], head + [blockLength] + terms.flatMap { $0 })
    }

    /// A method that is not serialised.
    static func method(_ name: String, arguments: UInt8 = 0, _ terms: [[UInt8]]) -> [UInt8] {
        package([0x14], nameSegment(name) + [arguments] + terms.flatMap { $0 })
    }

    /// Space 0: system memory.
    static func memoryRegion(_ name: String, address: [UInt8], length: UInt64) -> [UInt8] {
        [0x5b, 0x80] + nameSegment(name) + [0x00] + address + integer(length)
    }

    enum FieldUnit {
        case named(String, bits: Int)
        case skipped(bits: Int)
    }

    /// Byte access, no lock, other bits preserved.
    static func field(of region: String, _ units: [FieldUnit]) -> [UInt8] {
        let list = units.flatMap { unit -> [UInt8] in
            switch unit {
            case .named(let name, let bits): nameSegment(name) + fieldLength(bits: bits)
            case .skipped(let bits): [0x00] + fieldLength(bits: bits)
            }
        }
        return package([0x5b, 0x81], nameSegment(region) + [0x01] + list)
    }

    /// Add, result not stored.
    static func add(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] { [0x72] + left + right + [0x00] }
    /// ToBuffer, result not stored.
    static func toBuffer(_ operand: [UInt8]) -> [UInt8] { [0x96] + operand + [0x00] }
    static func returning(_ value: [UInt8]) -> [UInt8] { [0xa4] + value }
    static func store(_ value: [UInt8], in target: [UInt8]) -> [UInt8] { [0x70] + value + target }
}
