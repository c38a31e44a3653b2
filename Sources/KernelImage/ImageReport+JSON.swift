extension ImageReport {
    /// The report for programs. Addresses are strings with `0x`, since JSON numbers lose digits above 2^53 in many readers.
    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("file", .string(fileName)),
            .init("kind", .string(kind)),
            .init("compression", Self.compression(image)),
            .init("outer_gzip", .bool(image?.isOuterGzip ?? false)),
            .init("kernel_version", kernelVersion.map { .string($0) } ?? .null),
            .init("pvh", .object([
                .init("boots", .bool(verdict.canBoot)), .init("reason", .string(verdict.reason)),
                .init("remedy", verdict.remedy.map { .string($0) } ?? .null),
                .init("entry", image?.pvhEntry.map { .string(hex($0)) } ?? .null),
            ])),
        ]
        if let error { members.append(.init("error", Self.describe(error))) }
        if let image { members += Self.describe(image) }
        return .object(members)
    }

    private static func compression(_ image: KernelImage?) -> JSONValue {
        if case .bzImage(_, let compression?)? = image?.container { .string(compression.rawValue) } else { .null }
    }

    private static func describe(_ error: ImageError) -> JSONValue {
        .object([
            .init("place", .string(error.file)), .init("offset", error.offset.map { .integer(Int64($0)) } ?? .null),
            .init("cause", .string(error.cause)), .init("remedy", .string(error.remedy)),
        ])
    }

    private static func describe(_ image: KernelImage) -> [JSONValue.Member] {
        [
            .init("elf_bits", .integer(image.is64Bit ? 64 : 32)),
            .init("segments", .array(image.segments.map { segment in
                .object([
                    .init("address", .string(hex(segment.physicalAddress))), .init("file_bytes", .integer(Int64(segment.file.count))),
                    .init("memory_bytes", .integer(Int64(clamping: segment.memorySize))),
                ])
            })),
            .init("relocation", image.relocation.map { relocation in
                .object([
                    .init("alignment", .string(hex(relocation.alignment))), .init("minimum", .string(hex(relocation.minimumAddress))),
                    .init("maximum", .string(hex(relocation.maximumAddress))),
                ])
            } ?? .null),
            .init("notes", .array(image.notes.map(describe))),
            .init("features", .array(image.features.names.map { .string($0) })),
            .init("unknown_features", .array(image.features.unknownNames.map { .string($0) })),
        ]
    }

    private static func describe(_ note: XenNote) -> JSONValue {
        let value: JSONValue = switch note.value {
        case .text(let text): .string(text)
        case .numbers(let numbers) where numbers.count == 1: .string(hex(numbers[0]))
        case .numbers(let numbers): .array(numbers.map { .string(hex($0)) })
        }
        return .object([
            .init("name", .string(note.name)), .init("type", .integer(Int64(note.type))), .init("value", value),
            .init("found_in", .string(note.place.rawValue)), .init("offset", .integer(Int64(note.offset))),
        ])
    }
}
