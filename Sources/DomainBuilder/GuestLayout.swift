/// Where the fixed pieces of a PVH guest stand, as Xen's toolstack places them (captures of Xen 4.17; guest-physical byte addresses).
public enum GuestLayout {
    public static let pageSize: UInt64 = 4096
    public static let fourGiB: UInt64 = 1 << 32

    /// First address of the hole below 4 GiB: ACPI, local APIC and special pages live in it, RAM never does.
    public static let holeStart: UInt64 = acpiInfoAddress

    /// The page the machine language of the DSDT reads.
    public static let acpiInfoAddress: UInt64 = 0xfc00_0000
    /// First page of the ACPI tables.
    public static let acpiTablesAddress: UInt64 = 0xfc00_1000
    /// Pages the tables may take.
    public static let acpiTablesPageLimit = 16

    public static let localAPICAddress: UInt64 = 0xfee0_0000

    /// Eight pages shared with the toolstack; the numbers below count from here.
    public static let specialPagesAddress: UInt64 = 0xfeff_8000
    public static let specialPageCount: UInt64 = 8
    public static let xenstorePageAddress: UInt64 = specialPagesAddress + 4 * pageSize
    public static let identityPageDirectoryAddress: UInt64 = specialPagesAddress + 6 * pageSize
    public static let consolePageAddress: UInt64 = specialPagesAddress + 7 * pageSize

    /// Where Linux kernels without `linux_rsdp_unrestricted` look for the RSDP: the last 64 bytes below 1 MiB.
    public static let legacyRSDPAddress: UInt64 = 0x000f_ffc0

    /// As many vCPUs as Xen gives an HVM-kind guest.
    public static let maximumVCPUs = 128

    static func roundUp(_ value: UInt64, to alignment: UInt64) -> UInt64 {
        (value + alignment - 1) & ~(alignment - 1)
    }

    static func pages(_ byteCount: UInt64) -> UInt64 { roundUp(byteCount, to: pageSize) / pageSize }
}
