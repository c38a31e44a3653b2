/// The header common to ACPI tables (ACPI 6.5, table 5.4), with the identities Xen gives them.
enum ACPIHeader {
    static let size = 36
    static let checksumOffset = 9

    /// A finished table: header with OEM "Xen", table "HVM", creator "HVML", then `body`; the checksum is right.
    static func table(_ signature: String, revision: UInt8, body: [UInt8]) -> [UInt8] {
        var table = [UInt8](repeating: 0, count: size)
        table.store(signature, at: 0)
        table.store(UInt32(size + body.count), at: 4)
        table[8] = revision
        table.store("Xen", at: 10)
        table.store("HVM", at: 16)
        table.store("HVML", at: 28)
        table += body
        table[checksumOffset] = table.checksum(0..<table.count)
        return table
    }
}
