/// The page at `GuestLayout.acpiInfoAddress` through which the toolstack tells the DSDT about this guest.
///
///     +0  device bits: serial ports, parallel port, HPET (none)    +2  vCPUs, 16 bits
///     +4  PCI window start and length (none)                       +12 address of the MADT's checksum byte
///     +16 address of the MADT's first local APIC entry             +20 generation id (none), high PCI window (none)
enum ACPIInfoPage {
    static let usedSize = 40
    static let firstLocalAPICOffset = 16

    static func bytes(maximumVCPUs: Int, madtAddress: UInt64) -> [UInt8] {
        var page = [UInt8](repeating: 0, count: usedSize)
        page.store(UInt16(maximumVCPUs), at: 2)
        page.store(UInt32(madtAddress + UInt64(ACPIHeader.checksumOffset)), at: 12)
        page.store(UInt32(madtAddress + UInt64(MADT.firstEntryOffset)), at: firstLocalAPICOffset)
        return page
    }
}
