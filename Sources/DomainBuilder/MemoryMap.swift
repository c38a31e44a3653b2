/// One entry of the guest's memory map (Xen public header `arch-x86/hvm/start_info.h`).
public struct MemoryMapEntry: Equatable, Sendable {
    public enum Kind: UInt32, Sendable {
        case ram = 1, reserved, acpi, nvs, unusable, disabled, pmem
    }

    /// Guest-physical address and size in bytes.
    public var address: UInt64
    public var size: UInt64
    public var kind: Kind

    public init(address: UInt64, size: UInt64, kind: Kind) {
        self.address = address
        self.size = size
        self.kind = kind
    }
}

/// How much RAM stands on either side of the hole.
struct RAMSplit: Equatable {
    var lowEnd: UInt64
    /// `GuestLayout.fourGiB` when there is none above.
    var highEnd: UInt64

    init(byteCount: UInt64) {
        lowEnd = min(byteCount, GuestLayout.holeStart)
        highEnd = GuestLayout.fourGiB + (byteCount - lowEnd)
    }

    var regions: [BootImage.PageRange] {
        let low = BootImage.PageRange(start: 0, count: lowEnd / GuestLayout.pageSize)
        let high = BootImage.PageRange(
            start: GuestLayout.fourGiB / GuestLayout.pageSize, count: (highEnd - GuestLayout.fourGiB) / GuestLayout.pageSize)
        return high.count == 0 ? [low] : [low, high]
    }
}

/// The entries in Xen's order. An RSDP in low memory has an entry that overlaps the first one: guests let the later type win.
func memoryMap(_ ram: RAMSplit, _ acpi: ACPITables) -> [MemoryMapEntry] {
    let rsdp = acpi.rsdpAddress == GuestLayout.legacyRSDPAddress
        ? MemoryMapEntry(address: 0xff000, size: GuestLayout.pageSize, kind: .acpi)
        : MemoryMapEntry(address: acpi.rsdpAddress, size: 64, kind: .acpi)
    var map = [
        MemoryMapEntry(address: 0, size: ram.lowEnd, kind: .ram),
        MemoryMapEntry(
            address: GuestLayout.specialPagesAddress, size: GuestLayout.specialPageCount * GuestLayout.pageSize, kind: .reserved),
        rsdp,
        MemoryMapEntry(address: GuestLayout.acpiInfoAddress, size: GuestLayout.pageSize, kind: .acpi),
        MemoryMapEntry(
            address: GuestLayout.acpiTablesAddress, size: acpi.tablesPageCount * GuestLayout.pageSize, kind: .acpi),
    ]
    if ram.highEnd > GuestLayout.fourGiB {
        map.append(MemoryMapEntry(address: GuestLayout.fourGiB, size: ram.highEnd - GuestLayout.fourGiB, kind: .ram))
    }
    return map
}
