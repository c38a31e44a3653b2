internal import KernelImage

/// Where kernel, modules and start info go: one behind the other in whole pages, all in RAM below the hole.
struct Placement {
    /// First free page behind the kernel, growing.
    private(set) var next: UInt64
    let lowEnd: UInt64
    let memoryKiB: UInt64

    /// - Throws: when the kernel does not lie in RAM below the hole.
    init(kernel: PlacedKernel, lowEnd: UInt64, memoryKiB: UInt64) throws(BuildError) {
        self.lowEnd = lowEnd
        self.memoryKiB = memoryKiB
        next = 0
        for segment in kernel.segments {
            let end = segment.physicalAddress + segment.memorySize
            guard end <= GuestLayout.holeStart else {
                throw BuildError(
                    cause:
                        "\(kernel.fileName): a segment of the kernel (\(hex(segment.physicalAddress)) to \(hex(end))) reaches beyond \(hex(GuestLayout.holeStart)), where a PVH guest has its special pages",
                    remedy: "Use a kernel linked to run below \(hex(GuestLayout.holeStart)); Linux is, at 16 MiB")
            }
        }
        _ = try reserve(kernel.endAddress, "the kernel \(kernel.fileName)")
    }

    /// Takes the next `byteCount` bytes in whole pages.
    ///
    /// - Returns: the address of the first.
    mutating func reserve(_ byteCount: UInt64, _ what: String) throws(BuildError) -> UInt64 {
        let address = next
        guard byteCount <= lowEnd, GuestLayout.roundUp(byteCount, to: GuestLayout.pageSize) <= lowEnd - address else {
            let needed = (address + byteCount + (1 << 20) - 1) >> 20
            throw BuildError(
                cause:
                    "\(what) ends at \(hex(address + byteCount)), but the guest's memory below 4 GiB ends at \(hex(lowEnd)) (memory is \(memoryKiB) KiB)",
                remedy: lowEnd == GuestLayout.holeStart
                    ? "Use a smaller ramdisk: boot modules must lie below \(hex(GuestLayout.holeStart))"
                    : "Set memory= to at least \(needed) (MiB); the system in the guest needs more than that to run")
        }
        next += GuestLayout.roundUp(byteCount, to: GuestLayout.pageSize)
        return address
    }
}
