/// What `martlet inspect FILE` says: what the file is, what its Xen notes tell, whether it can boot as PVH.
public struct ImageReport: Sendable {
    /// The name the operator gave.
    public let fileName: String
    /// What was read; nil when the file is no kernel that can be loaded.
    public let image: KernelImage?
    /// Why nothing could be read; nil when something was.
    public let error: ImageError?
    public let verdict: PVHVerdict

    /// Reads a file for a report. Never fails: what is wrong with the file becomes part of the report.
    public init(_ bytes: [UInt8], fileName: String) {
        self.fileName = fileName
        do {
            let image = try KernelImage.parse(bytes, fileName: fileName)
            self.image = image
            error = nil
            verdict = PVHVerdict(image)
        } catch {
            image = nil
            self.error = error
            verdict = PVHVerdict(error)
        }
    }

    /// What the file is, in a few words.
    public var kind: String {
        guard let image else { return "not a kernel that can be loaded" }
        let elf = image.is64Bit ? "64-bit ELF kernel" : "32-bit ELF kernel"
        let inside = switch image.container {
        case .elf: elf
        case .bzImage(let header, let compression):
            "Linux bzImage (boot protocol \(header.protocolText)), \(compression.map { "packed with \($0)" } ?? "not packed"), holding a \(elf)"
        }
        return image.isOuterGzip ? "\(inside), all of it inside gzip" : inside
    }

    /// The version string of a bzImage.
    public var kernelVersion: String? {
        if case .bzImage(let header, _)? = image?.container { header.kernelVersion } else { nil }
    }

    /// The report for people: several lines, newline at the end.
    public var text: String {
        var lines = ["\(fileName): \(kind)"]
        if let kernelVersion { lines.append("Version: \(kernelVersion)") }
        lines.append("Boots as PVH: \(verdict.canBoot ? "yes" : "no"): \(error.map(faultPlace) ?? "")\(verdict.reason).")
        if let remedy = verdict.remedy { lines.append("What helps: \(remedy).") }
        if let image { lines += details(image) }
        return lines.joined(separator: "\n") + "\n"
    }

    private func faultPlace(_ error: ImageError) -> String {
        let layer = error.file == fileName ? "" : "\(error.file): "
        return layer + (error.offset.map { "at byte \(hex($0)): " } ?? "")
    }

    private func details(_ image: KernelImage) -> [String] {
        var lines = ["", "Memory it occupies: \(hex(image.lowestAddress)) to \(hex(image.endAddress)) (\((image.endAddress - image.lowestAddress) >> 10) KiB)"]
        for segment in image.segments {
            lines.append("  segment at \(hex(segment.physicalAddress)): \(segment.file.count) bytes from the file, \(segment.memorySize) in memory")
        }
        if let relocation = image.relocation {
            lines.append("It may be moved: alignment \(hex(relocation.alignment)), from \(hex(relocation.minimumAddress)) to \(hex(relocation.maximumAddress))")
        }
        guard !image.notes.isEmpty else { return lines + ["Xen notes: none"] }
        lines.append("Xen notes:")
        let width = image.notes.map { $0.name.count }.max() ?? 0
        for note in image.notes {
            let padding = String(repeating: " ", count: width - note.name.count)
            lines.append("  \(note.name)\(padding)  \(Self.show(note.value))  (\(note.place.rawValue), byte \(hex(note.offset)))")
        }
        let names = image.features.names + image.features.unknownNames.map { "\($0) (unknown)" }
        lines.append("Features: \(names.isEmpty ? "none" : names.joined(separator: ", "))\(image.features.required == 0 ? "" : " (! = required)")")
        return lines
    }

    private static func show(_ value: XenNote.Value) -> String {
        switch value {
        case .text(let text): "\"\(text)\""
        case .numbers(let numbers): numbers.map { hex($0) }.joined(separator: " ")
        }
    }
}
