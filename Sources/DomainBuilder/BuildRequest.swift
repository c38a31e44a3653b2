public import KernelImage

/// Everything that decides what a guest's memory and first vCPU look like at the start.
///
/// `acpi=` and `apic=` are not here: Xen gives a PVH guest the tables and the local APIC whatever they say (captures `noacpi`, `noapic`).
public struct BuildRequest: Sendable {
    /// A boot module beyond the ramdisk.
    public struct Module: Sendable {
        public var bytes: [UInt8]
        /// Bytes without NUL, at most 1023; nil for none.
        public var commandLine: [UInt8]?

        public init(bytes: [UInt8], commandLine: [UInt8]? = nil) {
            self.bytes = bytes
            self.commandLine = commandLine
        }
    }

    public var kernel: KernelImage
    /// Module 0. A gzip ramdisk is unpacked first, as Xen does.
    public var ramdisk: [UInt8]?
    public var furtherModules: [Module] = []
    /// Bytes without NUL; nil or empty for none.
    public var commandLine: [UInt8]?
    /// What the guest may use at first, in KiB.
    public var memoryKiB: UInt64
    /// What its memory map shows, in KiB; at least `memoryKiB`.
    public var maximumMemoryKiB: UInt64
    /// vCPUs enabled at the start: 1 to `maximumVCPUs`, counted from vCPU 0.
    public var onlineVCPUs: Int
    /// 1 to 128.
    public var maximumVCPUs: Int

    public init(
        kernel: KernelImage, ramdisk: [UInt8]? = nil, commandLine: [UInt8]? = nil, memoryKiB: UInt64, maximumMemoryKiB: UInt64? = nil,
        onlineVCPUs: Int = 1, maximumVCPUs: Int? = nil
    ) {
        self.kernel = kernel
        self.ramdisk = ramdisk
        self.commandLine = commandLine
        self.memoryKiB = memoryKiB
        self.maximumMemoryKiB = maximumMemoryKiB ?? memoryKiB
        self.onlineVCPUs = onlineVCPUs
        self.maximumVCPUs = maximumVCPUs ?? onlineVCPUs
    }
}
