/// Our own DSDT: the processors and the two buttons. Places and names follow Xen's, the machine language is ours.
enum DSDT {
    /// The address the processors' (absent) power-management block is said to be at, as in Xen's table.
    private static let processorBlockAddress: UInt32 = 0xb010

    /// The table, header and checksum included.
    ///
    /// - Parameter processors: How many processor objects: one per vCPU the guest can ever have, 1 to 128.
    static func table(processors: Int) -> [UInt8] {
        let terms = [infoPage] + (0..<processors).map(processor) + [button("PWRB", "PNP0C0C"), button("SLPB", "PNP0C0E")]
        return ACPIHeader.table("DSDT", revision: 5, body: AML.scope("_SB", terms))
    }

    /// The info page tells where the MADT's local APIC entries are.
    private static var infoPage: [UInt8] {
        AML.memoryRegion("INFO", address: AML.integer(GuestLayout.acpiInfoAddress), length: UInt64(ACPIInfoPage.usedSize))
            + AML.field(of: "INFO", [.skipped(bits: ACPIInfoPage.firstLocalAPICOffset * 8), .named("MAPA", bits: 32)])
    }

    /// A processor reads its own MADT entry and enables it first: every vCPU the guest may have is there to be added, and xenstore says
    /// which of them are to be online. (Xen's tables come to the same: the map of processors that they ask for reads as ones.)
    private static func processor(_ index: Int) -> [UInt8] {
        let entryOffset = AML.integer(UInt64(index * MADT.entrySize))
        let terms = [
            AML.name("_HID", AML.string("ACPI0007")),
            AML.name("_UID", AML.integer(UInt64(index))),
            AML.memoryRegion("LAPC", address: AML.add(AML.nameSegment("MAPA"), entryOffset), length: UInt64(MADT.entrySize)),
            AML.field(of: "LAPC", [.named("ENTR", bits: MADT.entrySize * 8)]),
            AML.field(of: "LAPC", [.skipped(bits: 32), .named("ENAB", bits: 1)]),
            AML.method(
                "_MAT",
                [
                    AML.store(AML.integer(1), in: AML.nameSegment("ENAB")), AML.returning(AML.toBuffer(AML.nameSegment("ENTR"))),
                ]),
            AML.method("_STA", [AML.returning(AML.integer(0xf))]),
            // The guest gives a processor back by a hypercall; its being here is what marks it as removable.
            AML.method("_EJ0", arguments: 1, []),
        ]
        let hex = String(index, radix: 16, uppercase: true)
        return AML.processor(
            "PR" + (index < 16 ? "0" : "") + hex, id: UInt8(index), blockAddress: processorBlockAddress, blockLength: 6, terms)
    }

    private static func button(_ name: String, _ id: String) -> [UInt8] {
        AML.device(name, [AML.name("_HID", AML.eisaID(id))])
    }
}
