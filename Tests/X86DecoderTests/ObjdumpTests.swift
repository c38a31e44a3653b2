import Glibc
import Testing
import X86Decoder

/// One line of `objdump -d -w`: the bytes of an instruction and its text.
struct ListedInstruction {
    var bytes: [UInt8]
    var mnemonic: String
    var text: String

    /// nil for lines that are not instructions.
    init?(_ line: String) {
        let fields = line.split(separator: "\t")
        guard fields.count >= 2, fields[0].hasSuffix(":") else { return nil }
        bytes = fields[1].split(separator: " ").compactMap { UInt8($0, radix: 16) }
        text = fields.count > 2 ? String(fields[2]) : ""
        mnemonic = String(text.split(separator: " ").first ?? "")
        // objdump joins a waiting instruction with the FWAIT before it.
        if bytes.first == 0x9b && bytes.count > 1 { bytes.removeFirst() }
        guard !bytes.isEmpty else { return nil }
    }

    /// Not an instruction of the virtual CPU, so #UD. Some of it is data between functions that objdump takes for code.
    var isForeign: Bool {
        let names = [
            "(bad)", "ud0", "ud1", "ud2", "xtest", "xbegin", "xend", "xabort", "rdpkru", "wrpkru", "xsavec", "xsavec64", "femms",
            "frstpm(287", "pmulhrw", "%?",
        ]
        let beginnings = ["incssp", "rdssp", "saveprevssp", "rstorssp", "tpause", "umwait", "umonitor", "gf2p8", "cldemote", "{"]
        let words = text.split(separator: " ")
        return words.contains { word in
            names.contains(String(word)) || beginnings.contains { word.hasPrefix($0) } || word.contains("%?") || isVector(word)
        } || (mnemonic.hasPrefix("mov") || words.contains("mov")) && text.contains(",%cs")
    }

    private func isVector(_ word: Substring) -> Bool {
        guard let first = word.first, first == "v" || first == "k" else { return false }
        return !["verr", "verw", "vmcall"].contains(String(word))
    }

    /// objdump's view is not the processor's: bare prefixes, unknown bytes one by one, 66 on near branches honoured (as AMD does).
    var isArguable: Bool {
        let isNearBranchWith66 = bytes.starts(with: [0x66, 0xe9]) || bytes.starts(with: [0x66, 0xe8])
        return isNearBranchWith66 || text.hasPrefix(".byte") || text.contains("(bad)")
            || text.split(separator: " ").last?.hasPrefix("rex") == true
    }
}

@Suite("objdump") struct ObjdumpTests {
    static let libraries: [String] = ["/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"]
        .filter { unsafe access($0, R_OK) == 0 }
    static let isInstalled = unsafe access("/usr/bin/objdump", X_OK) == 0

    @Test(
        "Lengths agree with objdump over whole libraries",
        .enabled(if: isInstalled, "needs /usr/bin/objdump"), arguments: libraries)
    func lengths(library: String) throws {
        var compared = 0
        var skipped = 0
        var differences: [String] = []
        try lines(of: "objdump -d -w \(library)") { line in
            guard let listed = ListedInstruction(line) else { return }
            let result = decode(listed.bytes)
            let isInvalid = result.instruction.flags.contains(.invalid)
            let agrees =
                listed.isForeign
                ? isInvalid
                : isInvalid && line.contains("lock")  // objdump shows LOCK where it is forbidden, too.
                    || !isInvalid && result.status == .complete && Int(result.instruction.length) == listed.bytes.count
            compared += 1
            if listed.isArguable {
                skipped += 1
                return
            }
            if !agrees { differences.append(line) }
        }
        #expect(compared > 100_000)
        #expect(differences.isEmpty, "\(differences.count) of \(compared): \(differences.prefix(20))")
        #expect(skipped < compared / 50)
    }

    private struct Failure: Error {}

    private func lines(of command: String, _ body: (String) -> Void) throws {
        guard let pipe = unsafe popen(command, "r") else { throw Failure() }
        defer { unsafe pclose(pipe) }
        var buffer: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { unsafe free(buffer) }
        while unsafe getline(&buffer, &capacity, pipe) > 0 {
            guard let line = unsafe buffer.map({ unsafe String(cString: $0) }) else { break }
            body(String(line.dropLast()))
        }
    }
}
