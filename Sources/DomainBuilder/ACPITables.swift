/// All ACPI tables of a guest at their places: FACS, DSDT, FADT of revision 1, FADT of revision 5, MADT, XSDT, RSDT; RSDP apart.
struct ACPITables {
    /// Bytes Xen's DSDT takes. Ours is shorter, and what stands behind it keeps the address it has under Xen.
    static let reservedDSDTSize: UInt64 = 0x6c9b

    let facsAddress: UInt64
    let dsdtAddress: UInt64
    let fadtAddress: UInt64
    let madtAddress: UInt64
    let xsdtAddress: UInt64
    let rsdtAddress: UInt64
    let rsdpAddress: UInt64
    let tablesPageCount: UInt64
    let chunks: [BootImage.Chunk]

    /// - Parameter rsdpInLowMemory: Whether the kernel looks for the RSDP only below 1 MiB.
    init(onlineVCPUs: Int, maximumVCPUs: Int, rsdpInLowMemory: Bool) {
        var place = Placement()
        facsAddress = place.add(Self.facs)
        dsdtAddress = place.add(DSDT.table(processors: maximumVCPUs), reserving: Self.reservedDSDTSize)
        let firstFADT = place.add(FADT.firstRevisionTable(facs: facsAddress, dsdt: dsdtAddress))
        fadtAddress = place.add(FADT.table(facs: facsAddress, dsdt: dsdtAddress))
        let madt = MADT.table(onlineVCPUs: onlineVCPUs, maximumVCPUs: maximumVCPUs)
        madtAddress = place.add(madt, reserving: UInt64(madt.count + MADT.reservedBeyond))
        xsdtAddress = place.add(Self.rootTable("XSDT", [fadtAddress, madtAddress]))
        rsdtAddress = place.add(Self.rootTable("RSDT", [UInt32(firstFADT), UInt32(madtAddress)]))
        tablesPageCount = GuestLayout.pages(place.next - GuestLayout.acpiTablesAddress)
        rsdpAddress = rsdpInLowMemory
            ? GuestLayout.legacyRSDPAddress : GuestLayout.acpiTablesAddress + tablesPageCount * GuestLayout.pageSize
        let info = ACPIInfoPage.bytes(maximumVCPUs: maximumVCPUs, madtAddress: madtAddress)
        let rsdp = Self.rsdp(rsdt: rsdtAddress, xsdt: xsdtAddress)
        chunks = [BootImage.Chunk(rsdpAddress, rsdp), BootImage.Chunk(GuestLayout.acpiInfoAddress, info)] + place.chunks
    }

    /// The pages beyond the guest's RAM that hold them: info page, tables, and the RSDP unless it is in low memory.
    var pages: BootImage.PageRange {
        let rsdpPages: UInt64 = rsdpAddress == GuestLayout.legacyRSDPAddress ? 0 : 1
        return BootImage.PageRange(
            start: GuestLayout.acpiInfoAddress / GuestLayout.pageSize, count: 1 + tablesPageCount + rsdpPages)
    }

    /// Lays tables one behind the other, each on a 16-byte boundary.
    private struct Placement {
        var next = GuestLayout.acpiTablesAddress
        var chunks: [BootImage.Chunk] = []

        mutating func add(_ table: [UInt8], reserving size: UInt64 = 0) -> UInt64 {
            let address = next
            chunks.append(BootImage.Chunk(address, table))
            next = GuestLayout.roundUp(address + max(size, UInt64(table.count)), to: 16)
            return address
        }
    }

    /// Firmware control structure, version 1: 64 bytes without checksum.
    private static var facs: [UInt8] {
        var table = [UInt8](repeating: 0, count: 64)
        table.store("FACS", at: 0)
        table.store(UInt32(64), at: 4)
        table[32] = 1
        return table
    }

    private static func rootTable(_ signature: String, _ entries: [some FixedWidthInteger & UnsignedInteger]) -> [UInt8] {
        var body: [UInt8] = []
        for entry in entries { body.append(littleEndian: entry) }
        return ACPIHeader.table(signature, revision: 1, body: body)
    }

    /// Revision 2: one checksum over the first 20 bytes, one over all 36; padded to 64.
    private static func rsdp(rsdt: UInt64, xsdt: UInt64) -> [UInt8] {
        var table = [UInt8](repeating: 0, count: 64)
        table.store("RSD PTR ", at: 0)
        table.store("Xen", at: 9)
        table[15] = 2
        table.store(UInt32(rsdt), at: 16)
        table.store(UInt32(36), at: 20)
        table.store(xsdt, at: 24)
        table[8] = table.checksum(0..<20)
        table[32] = table.checksum(0..<36)
        return table
    }
}
