/// The fixed ACPI description table (ACPI 6.5, 5.2.9) with Xen's contents for a guest without emulated devices.
enum FADT {
    static let size = 268
    /// The part ACPI 1.0 defines.
    static let firstRevisionSize = 116

    /// WBINVD, PROC_C1, PWR_BUTTON and SLP_BUTTON (control methods or none), FIX_RTC, TMR_VAL_EXT, USE_PLATFORM_CLOCK.
    private static let flags: UInt32 = 0x8175
    /// No VGA, no CMOS clock.
    private static let bootArchitecture: UInt16 = 0x0024

    /// Revision 5, for the XSDT.
    static func table(facs: UInt64, dsdt: UInt64) -> [UInt8] {
        var body = legacyBody(facs: facs, dsdt: dsdt)
        body += [UInt8](repeating: 0, count: size - firstRevisionSize)
        func at(_ offset: Int) -> Int { offset - ACPIHeader.size }
        storeAddress(into: &body, at: at(0x74), bits: 8, address: 0xcf9)  // reset register
        body[at(0x80)] = 6  // reset value
        body.store(facs, at: at(0x84))
        body.store(dsdt, at: at(0x8c))
        storeAddress(into: &body, at: at(0x94), bits: 32, address: 0xb000)  // PM1a events
        storeAddress(into: &body, at: at(0xac), bits: 16, address: 0xb004)  // PM1a control
        return ACPIHeader.table("FACP", revision: 5, body: body)
    }

    /// The copy for the RSDT: revision 1, cut after the fields ACPI 1.0 knows.
    static func firstRevisionTable(facs: UInt64, dsdt: UInt64) -> [UInt8] {
        ACPIHeader.table("FACP", revision: 1, body: legacyBody(facs: facs, dsdt: dsdt))
    }

    private static func legacyBody(facs: UInt64, dsdt: UInt64) -> [UInt8] {
        var body = [UInt8](repeating: 0, count: firstRevisionSize - ACPIHeader.size)
        func at(_ offset: Int) -> Int { offset - ACPIHeader.size }
        body.store(UInt32(facs), at: at(0x24))
        body.store(UInt32(dsdt), at: at(0x28))
        body.store(UInt16(9), at: at(0x2e))  // SCI
        body.store(UInt32(0xb000), at: at(0x38))  // PM1a events
        body.store(UInt32(0xb004), at: at(0x40))  // PM1a control
        body.store(UInt32(0xafe0), at: at(0x50))  // general-purpose events
        body[at(0x58)] = 4  // bytes of PM1 events
        body[at(0x59)] = 2  // bytes of PM1 control
        body[at(0x5c)] = 4  // bytes of general-purpose events
        body.store(UInt16(0x0fff), at: at(0x60))  // C2 latency: none
        body.store(UInt16(0x0fff), at: at(0x62))  // C3 latency: none
        body.store(bootArchitecture, at: at(0x6d))
        body.store(flags, at: at(0x70))
        return body
    }

    /// A generic address structure in I/O space.
    private static func storeAddress(into body: inout [UInt8], at offset: Int, bits: UInt8, address: UInt64) {
        body[offset] = 1
        body[offset + 1] = bits
        body.store(address, at: offset + 4)
    }
}
