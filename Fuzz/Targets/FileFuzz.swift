import ControlProtocol
import DomainConfig
import KernelImage
import TestSupport
import X86Decoder

/// Kernels and ramdisks of any content.
enum KernelImageFuzz {
    static func run(_ input: [UInt8]) {
        let report = ImageReport(input, fileName: "k")
        precondition(!report.text.isEmpty && !report.json.text.isEmpty, "there is something to say of every file")
        guard let image = report.image else { return precondition(report.error != nil, "what is no image has an error") }
        for segment in image.segments {
            precondition(segment.file.lowerBound >= 0 && segment.file.upperBound <= image.bytes.count, "segments lie in the file")
            precondition(UInt64(segment.file.count) <= segment.memorySize, "a segment has room for its bytes")
        }
        _ = image.endAddress
    }

    static func runRamdisk(_ input: [UInt8]) {
        let limit = 1 << 20
        if let unpacked = Ramdisk.unpacked(input, limit: limit) { precondition(unpacked.count <= limit, "the limit holds") }
    }

    private static func packed(_ suffix: String) -> [UInt8] {
        TestFiles.bytes(TestFiles.inRepository("Tests/KernelImageTests/Fixtures/small.\(suffix)")) ?? []
    }

    static var seeds: [[UInt8]] {
        var kernel = ELFWriter.pvhKernel(bytes: [1, 2, 3, 4])
        var seeds = ["gz", "bz2", "lzma", "xz", "lzo", "lz4", "zst"].map { ELFWriter.bzImage(payload: packed($0)) }
        for place in [ELFWriter.NotePlace.segment, .section, .legacySection] {
            kernel.notePlace = place
            kernel.legacyText = "GUEST_OS=linux,FEATURES=dom0,VIRT_BASE=0x1"
            seeds.append(kernel.bytes())
        }
        kernel.is64Bit = false
        kernel.machine = 3
        return seeds + [kernel.bytes(), packed("gz")]
    }

    static var ramdiskSeeds: [[UInt8]] { [packed("gz"), packed("gz") + packed("gz") + [0, 0, 0]] }
}

/// Instructions: any bytes in each code size, from each place on.
enum DecoderFuzz {
    static func run(_ input: [UInt8]) {
        for size in [CodeSize.bits16, .bits32, .bits64] {
            for start in input.indices.prefix(16) {
                let bytes = Array(input[start...])
                let result = decode(bytes[...], size)
                switch result.status {
                case .complete:
                    precondition((1...15).contains(Int(result.instruction.length)), "an instruction has 1 to 15 bytes")
                    precondition(Int(result.instruction.length) <= bytes.count, "an instruction ends where its bytes end")
                    precondition(!result.instruction.description.isEmpty, "every instruction has a text")
                    checkPrefix(bytes, result, size)
                case .needsMoreBytes: precondition(bytes.count < 15, "fifteen bytes are always enough")
                case .tooLong: precondition(bytes.count >= 15, "too long needs fifteen bytes")
                }
            }
        }
    }

    private static func decode(_ bytes: ArraySlice<UInt8>, _ size: CodeSize) -> DecodeResult {
        unsafe bytes.withUnsafeBytes { unsafe Decoder.decode($0, codeSize: size) }
    }

    /// What lies behind an instruction does not change it, and what is cut off from it is missed.
    private static func checkPrefix(_ bytes: [UInt8], _ result: DecodeResult, _ size: CodeSize) {
        let length = Int(result.instruction.length)
        let alone = decode(bytes[..<length], size)
        precondition(
            alone.status == .complete && alone.instruction.length == result.instruction.length
                && alone.instruction.opcode == result.instruction.opcode, "an instruction is read from its own bytes")
        guard length > 1 else { return }
        let cut = decode(bytes[..<(length - 1)], size)
        precondition(cut.status == .needsMoreBytes || cut.instruction.flags.contains(.invalid), "a cut instruction is not complete")
    }

    static var seeds: [[UInt8]] {
        [
            [0x48, 0x89, 0xd8, 0xc3, 0x0f, 0x0b, 0x66, 0x0f, 0x38, 0x00, 0xc1], [0xf0, 0x48, 0x0f, 0xb1, 0x0d, 1, 2, 3, 4],
            [0xc4, 0xe2, 0x7d, 0x18, 0x05, 0, 0, 0, 0],
            [0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90],
            [0x67, 0x8d, 0x44, 0x9d, 0x10, 0xea, 1, 2, 3, 4, 5, 6], [0xd9, 0xe8, 0xdd, 0x1c, 0x24, 0x0f, 0x01, 0xd0],
        ]
    }
}

/// xl.cfg files.
enum ConfigFuzz {
    static func run(_ input: [UInt8]) {
        let (description, diagnostics) = DomainDescription.read(input, source: "f.cfg", probeKernel: { _ in .carriesPVHEntry })
        for diagnostic in diagnostics { precondition(!diagnostic.line.isEmpty, "every diagnostic has a text") }
        guard let description else {
            return precondition(diagnostics.contains { $0.severity == .error }, "what cannot be read has an error")
        }
        precondition(!description.json(uuid: "22fc9f50-42cc-414c-9063-b24e8f359fce").text().isEmpty, "what can be read can be written")
    }

    static var seeds: [[UInt8]] {
        let folder = TestFiles.inRepository("Tests/DomainConfigTests/Fixtures/seeds")
        let files = TestFiles.names(in: folder).compactMap { TestFiles.bytes(folder + "/" + $0) }
        let texts = [
            "type=\"pvh\"\nkernel='/k'\nmemory=512\nvcpus = 4\nmaxvcpus=0x8\ncpus=\"0-3,^1\"\ndisk=[ 'phy:/dev/x,xvda,w',\n 'format=raw, vdev=xvdb, access=ro, target=/a b' ]\n",
            "name = \"a\\n\\x41\"; kernel=\"k\" # comment\nvif=['mac=00:16:3e:01:02:03,bridge=br0',]\non_crash=\"coredump-restart\"\nextra='a' \"b\"\n",
            "builder=\"hvm\"\ndevice_model_version=\"none\"\nuuid=\"22fc9f50-42cc-414c-9063-b24e8f359fce\"\ntimer_mode=1\nshadow_memory=9\n",
        ]
        return files + texts.map { Array($0.utf8) }
    }
}

/// Lines on a control connection, in both directions.
enum ControlFuzz {
    static func run(_ input: [UInt8]) {
        var reader = FrameReader()
        guard (try? reader.append(input)) != nil else { return }
        while let line = reader.next() {
            checkRoundTrip(ControlRequest.self, line)
            checkRoundTrip(ControlReply.self, line)
            checkRoundTrip(StartupReport.self, line)
            _ = try? GuestDescription(json: line)
        }
    }

    private static func checkRoundTrip<Message: Codable & Equatable>(_ type: Message.Type, _ line: [UInt8]) {
        guard let message = try? Frame.decode(type, from: line) else { return }
        guard let encoded = try? Frame.encode(message) else { preconditionFailure("what was read can be written") }
        let again = try? Frame.decode(type, from: encoded.dropLast())
        precondition(again == message, "what is written is read as it was")
    }

    static var seeds: [[UInt8]] {
        let lines = [
            "{\"version\":1,\"request\":\"status\"}", "{\"version\":1,\"request\":\"shutdown\",\"mode\":\"poweroff\"}",
            "{\"version\":1,\"request\":\"wait\"}", "{\"version\":1,\"request\":\"pause\"}",
            "{\"error\":{\"cause\":\"a\",\"remedy\":\"b\",\"code\":1}}",
            "{\"ready\":{\"processID\":1,\"engine\":\"interpreter\"}}", "{\"version\":1,\"reply\":\"done\"}",
            "[[[[[[[[[[{\"a\":[1e999,-0,\"\\ud800\"]}]]]]]]]]]]",
        ]
        return [Array(lines.joined(separator: "\n").utf8) + [10]] + lines.map { Array($0.utf8) + [10] }
    }
}
