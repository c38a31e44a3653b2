/// The multiple APIC description table (ACPI 6.5, 5.2.12): local APICs and nothing else.
enum MADT {
    static let entrySize = 8
    /// Header, local APIC address, flags.
    static let firstEntryOffset = 44
    /// Xen lays out room for 16 interrupt overrides and one I/O APIC, also where a guest has none; the tables behind stand after it.
    static let reservedBeyond = 16 * 10 + 12

    /// One entry per vCPU the guest can ever have; APIC ids are even.
    static func table(onlineVCPUs: Int, maximumVCPUs: Int) -> [UInt8] {
        var body: [UInt8] = []
        body.append(littleEndian: UInt32(GuestLayout.localAPICAddress))
        body.append(littleEndian: UInt32(1))  // PCAT_COMPAT, as Xen says, although there is no 8259
        for index in 0..<maximumVCPUs {
            body += [0, UInt8(entrySize), UInt8(index), UInt8(2 * index)]
            body.append(littleEndian: UInt32(index < onlineVCPUs ? 1 : 0))
        }
        return ACPIHeader.table("APIC", revision: 2, body: body)
    }
}
