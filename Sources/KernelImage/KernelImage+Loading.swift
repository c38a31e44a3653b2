/// The PT_LOAD headers, checked against the file and the address space.
func loadableSegments(_ elf: ELF, _ bytes: [UInt8], file: String) throws(ImageError) -> [KernelImage.Segment] {
    var segments: [KernelImage.Segment] = []
    for header in elf.programHeaders where header.type == ELF.load && header.memorySize > 0 {
        func error(_ cause: String) -> ImageError {
            ImageError(file: file, offset: header.headerOffset, cause: cause, remedy: damagedRemedy)
        }
        guard let range = bytes.checked(at: header.fileOffset, length: header.fileSize) else {
            throw error(
                "a segment takes \(hex(header.fileSize)) bytes from \(hex(header.fileOffset)), but the file has \(hex(bytes.count)) bytes")
        }
        guard header.fileSize <= header.memorySize else {
            throw error("a segment has more bytes in the file (\(hex(header.fileSize))) than in memory (\(hex(header.memorySize)))")
        }
        guard !header.physicalAddress.addingReportingOverflow(header.memorySize).overflow else {
            throw error("a segment at \(hex(header.physicalAddress)) runs past the end of the address space")
        }
        segments.append(
            KernelImage.Segment(
                physicalAddress: header.physicalAddress, file: range, memorySize: header.memorySize, headerOffset: header.headerOffset))
    }
    guard !segments.isEmpty else {
        throw ImageError(
            file: file, cause: "the ELF file has nothing to load (no PT_LOAD segment)",
            remedy: "Give the kernel itself (vmlinuz, bzImage or vmlinux), not its debug symbols")
    }
    try checkOverlap(segments, file: file)
    return segments
}

/// Segments that overlap in memory would let a small file ask for endless copying; no kernel has them.
private func checkOverlap(_ segments: [KernelImage.Segment], file: String) throws(ImageError) {
    let ordered = segments.sorted { $0.physicalAddress < $1.physicalAddress }
    for (lower, upper) in zip(ordered, ordered.dropFirst()) where lower.physicalAddress + lower.memorySize > upper.physicalAddress {
        throw ImageError(
            file: file, offset: upper.headerOffset,
            cause: "the segments at \(hex(lower.physicalAddress)) and \(hex(upper.physicalAddress)) overlap in memory", remedy: damagedRemedy)
    }
}

/// PHYS32_ENTRY, when there is one.
func physicalEntry(_ notes: [XenNote], file: String) throws(ImageError) -> UInt32? {
    guard let note = notes.first(where: { $0.kind == .phys32Entry }) else { return nil }
    guard let number = note.number, let entry = UInt32(exactly: number) else {
        throw ImageError(
            file: file, offset: note.offset, cause: "the PHYS32_ENTRY note holds no 32-bit address", remedy: damagedRemedy)
    }
    return entry
}

/// PHYS32_RELOC with its defaults: alignment 2 MiB or the largest segment alignment from 4 KiB up, addresses 0 to 4 GiB.
func relocationBounds(_ notes: [XenNote], _ elf: ELF, file: String) throws(ImageError) -> KernelImage.Relocation? {
    guard let note = notes.first(where: { $0.kind == .phys32Reloc }), case .numbers(let numbers) = note.value else { return nil }
    let largest = elf.programHeaders.filter { $0.type == ELF.load }.map(\.alignment).max() ?? 0
    let alignment = numbers.first ?? (largest >= 4096 ? largest : 2 << 20)
    guard alignment > 0, alignment & (alignment - 1) == 0 else {
        throw ImageError(
            file: file, offset: note.offset, cause: "the PHYS32_RELOC note asks for an alignment of \(hex(alignment)), not a power of two",
            remedy: damagedRemedy)
    }
    return KernelImage.Relocation(
        alignment: alignment, minimumAddress: numbers.count > 1 ? numbers[1] : 0,
        maximumAddress: numbers.count > 2 ? numbers[2] : 0xffff_ffff)
}
