internal import KernelImage
internal import X86

/// Builds a PVH guest: kernel, modules and a few parameters in, memory contents and entry registers out. Pure: nothing is allocated for the guest.
public enum DomainBuilder {
    /// - Throws: `BuildError` when the request contradicts itself or the parts do not fit.
    public static func build(_ request: BuildRequest) throws(BuildError) -> BootImage {
        try check(request)
        let linkedEntry = try pvhEntry(request.kernel)
        let ram = RAMSplit(byteCount: request.maximumMemoryKiB / 4 * GuestLayout.pageSize)
        let acpi = ACPITables(
            onlineVCPUs: request.onlineVCPUs, maximumVCPUs: request.maximumVCPUs, rsdpInLowMemory: needsLegacyRSDP(request.kernel))
        let map = memoryMap(ram, acpi)
        let lowEnd = min(ram.lowEnd, request.memoryKiB / 4 * GuestLayout.pageSize)
        let isLegacy = acpi.rsdpAddress == GuestLayout.legacyRSDPAddress
        let kernel = PlacedKernel(request.kernel, lowEnd: lowEnd, reserved: isLegacy ? legacyRSDPPage : nil)
        try checkLegacyRSDP(acpi, kernel, ram)
        let parts = try placeParts(request, kernel, lowEnd: lowEnd, map: map, rsdpAddress: acpi.rsdpAddress)
        return BootImage(
            chunks: kernelChunks(kernel) + parts.chunks + acpi.chunks + [identityPageDirectory],
            ramRegions: ram.regions,
            specialPages: BootImage.PageRange(
                start: GuestLayout.specialPagesAddress / GuestLayout.pageSize, count: GuestLayout.specialPageCount),
            acpiPages: acpi.pages, memoryMap: map,
            entryState: entryState(entry: kernel.entry(linkedEntry), startInfoAddress: parts.startInfoAddress),
            startInfoAddress: parts.startInfoAddress,
            xenstoreGFN: GuestLayout.xenstorePageAddress / GuestLayout.pageSize,
            consoleGFN: GuestLayout.consolePageAddress / GuestLayout.pageSize,
            identityPageDirectoryGFN: GuestLayout.identityPageDirectoryAddress / GuestLayout.pageSize,
            rsdpAddress: acpi.rsdpAddress, madtAddress: acpi.madtAddress, grantEntries: grantEntries)
    }

    // MARK: Checks

    private static func check(_ request: BuildRequest) throws(BuildError) {
        guard (1...GuestLayout.maximumVCPUs).contains(request.maximumVCPUs) else {
            throw BuildError(
                cause: "a guest with \(request.maximumVCPUs) vCPUs is not possible",
                remedy: "Set vcpus= and maxvcpus= to 1 to \(GuestLayout.maximumVCPUs)")
        }
        guard (1...request.maximumVCPUs).contains(request.onlineVCPUs) else {
            throw BuildError(
                cause: "\(request.onlineVCPUs) vCPUs are to be online of \(request.maximumVCPUs) there can be",
                remedy: "Set vcpus= to 1 to maxvcpus=")
        }
        guard request.memoryKiB <= request.maximumMemoryKiB else {
            throw BuildError(
                cause: "memory (\(request.memoryKiB) KiB) is more than maxmem (\(request.maximumMemoryKiB) KiB)",
                remedy: "Set maxmem= to at least memory=, or leave it out")
        }
        // 46 bits of physical address, as an x86 machine of the larger kind has.
        guard request.maximumMemoryKiB <= 1 << 36 else {
            throw BuildError(
                cause: "\(request.maximumMemoryKiB) KiB of memory exceed the guest's physical address space of 64 TiB",
                remedy: "Set memory= and maxmem= lower")
        }
        guard request.ramdisk?.isEmpty != true else {
            throw BuildError(cause: "the ramdisk is empty", remedy: "Give an initramfs as ramdisk=, or leave ramdisk= out")
        }
        for module in request.furtherModules where (module.commandLine?.count ?? 0) >= Int(StartInfo.moduleCommandLineSize) {
            throw BuildError(
                cause: "the command line of a boot module has \(module.commandLine?.count ?? 0) bytes",
                remedy: "Keep it below \(StartInfo.moduleCommandLineSize) bytes")
        }
    }

    private static func pvhEntry(_ kernel: KernelImage) throws(BuildError) -> UInt32 {
        let verdict = PVHVerdict(kernel)
        guard verdict.canBoot, let entry = kernel.pvhEntry else {
            throw BuildError(
                cause: "\(kernel.fileName): this kernel cannot boot as a PVH guest: \(verdict.reason)",
                remedy: verdict.remedy ?? "Use a kernel with CONFIG_XEN_PVH=y")
        }
        return entry
    }

    /// Linux before 4.17 or so scans for the RSDP in low memory whatever the start info says.
    private static func needsLegacyRSDP(_ kernel: KernelImage) -> Bool {
        kernel.note(.guestOS)?.text == "linux" && !kernel.features.contains(.linuxRSDPUnrestricted)
    }

    private static var legacyRSDPPage: UInt64 { GuestLayout.legacyRSDPAddress & ~(GuestLayout.pageSize - 1) }

    /// An RSDP in low memory must stand in RAM and off the kernel.
    private static func checkLegacyRSDP(_ acpi: ACPITables, _ kernel: PlacedKernel, _ ram: RAMSplit) throws(BuildError) {
        let address = acpi.rsdpAddress
        guard address == GuestLayout.legacyRSDPAddress else { return }
        let page = legacyRSDPPage
        let isHit = kernel.segments.contains {
            $0.physicalAddress < page + GuestLayout.pageSize && $0.physicalAddress + $0.memorySize > page
        }
        guard !isHit, ram.lowEnd >= page + GuestLayout.pageSize else {
            throw BuildError(
                cause:
                    "\(kernel.fileName): the kernel needs the ACPI root pointer at \(hex(address)), but \(isHit ? "occupies that page itself" : "the guest's memory ends before")",
                remedy: isHit ? "Use a kernel linked at 1 MiB or above" : "Set memory= to at least 1 (MiB), and as much as the kernel needs"
            )
        }
    }

    // MARK: Parts

    private struct Parts {
        var chunks: [BootImage.Chunk] = []
        var startInfoAddress: UInt64 = 0
    }

    /// A module before it has a place.
    private struct PendingModule {
        var name: String
        var bytes: [UInt8]
        var commandLine: [UInt8]?
    }

    /// Modules stand before the start info, unless the kernel's MOD_START_PFN note says it maps them itself: then behind.
    private static func placeParts(
        _ request: BuildRequest, _ kernel: PlacedKernel, lowEnd: UInt64, map: [MemoryMapEntry], rsdpAddress: UInt64
    ) throws(BuildError) -> Parts {
        var place = try Placement(kernel: kernel, lowEnd: lowEnd, memoryKiB: request.memoryKiB)
        var parts = Parts()
        let modules = modules(request, room: Int(clamping: lowEnd - place.next))
        let area = StartInfo(commandLine: request.commandLine ?? [], moduleCount: modules.count, memoryMapCount: map.count)
        let startInfoComesFirst = request.kernel.note(.modStartPFN)?.number ?? 0 != 0
        if startInfoComesFirst { parts.startInfoAddress = try place.reserve(area.byteCount, "the start info with its command line") }
        var placed: [StartInfo.PlacedModule] = []
        for module in modules {
            let address = try place.reserve(UInt64(module.bytes.count), module.name)
            placed.append(.init(address: address, byteCount: UInt64(module.bytes.count), commandLine: module.commandLine))
            parts.chunks.append(BootImage.Chunk(address, module.bytes))
        }
        if !startInfoComesFirst { parts.startInfoAddress = try place.reserve(area.byteCount, "the start info with its command line") }
        parts.chunks.append(
            BootImage.Chunk(
                parts.startInfoAddress,
                area.bytes(at: parts.startInfoAddress, modules: placed, memoryMap: map, rsdpAddress: rsdpAddress)))
        return parts
    }

    private static func modules(_ request: BuildRequest, room: Int) -> [PendingModule] {
        var modules: [PendingModule] = []
        if let ramdisk = request.ramdisk {
            modules.append(PendingModule(name: "the ramdisk", bytes: Ramdisk.unpacked(ramdisk, limit: room) ?? ramdisk))
        }
        for (index, module) in request.furtherModules.enumerated() {
            modules.append(
                PendingModule(name: "boot module \(index + modules.count)", bytes: module.bytes, commandLine: module.commandLine))
        }
        return modules
    }

    /// Slices of the image, and zeros where a segment is longer in memory than in the file.
    private static func kernelChunks(_ kernel: PlacedKernel) -> [BootImage.Chunk] {
        kernel.segments.flatMap { segment in
            let copied = BootImage.Chunk(segment.physicalAddress, .bytes(kernel.image.bytes[segment.file]))
            let rest = segment.memorySize - copied.byteCount
            let zeros = BootImage.Chunk(segment.physicalAddress + copied.byteCount, .zeros(rest))
            return [copied, zeros].filter { $0.byteCount > 0 }
        }
    }

    /// 1024 entries of 4 MiB: present, writable, user, accessed, dirty, large. Only old VT-x hardware walks it.
    private static var identityPageDirectory: BootImage.Chunk {
        var page: [UInt8] = []
        for index in 0..<UInt32(1024) { page.append(littleEndian: index << 22 | 0xe7) }
        return BootImage.Chunk(GuestLayout.identityPageDirectoryAddress, page)
    }

    private static var grantEntries: [BootImage.GrantEntry] {
        [GuestLayout.consolePageAddress, GuestLayout.xenstorePageAddress].enumerated().map { reference, address in
            BootImage.GrantEntry(
                reference: UInt32(reference), flags: 1, domain: 0, frame: UInt32(address / GuestLayout.pageSize))
        }
    }
}
