import Glibc
import Testing

/// What `xl create` of Xen 4.17 did with configurations that go wrong, and with its options, compared with this program.
@Suite("Creations of xl 4.17") struct CreationReferenceTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var exitCode: Int32
        var config: String
        var testDescription: String { name }
    }

    /// Entries "=== name exit-code", then the configuration.
    static let cases: [Case] = ("\n" + fixture("create-errors-4.17.txt")).components(separatedBy: "\n=== ").dropFirst().map { entry in
        let header = entry.prefix { $0 != "\n" }
        let words = header.split(separator: " ")
        return Case(name: String(words[0]), exitCode: Int32(words[1])!, config: String(entry.dropFirst(header.count + 1)) + "\n")
    }

    /// Where the exit code is another one, with ours and the reason.
    static let differences: [String: (code: Int32, reason: String)] = [
        "builder-hvm": (1, "refused before anything is made; xl fails for want of a BIOS"),
        "type-hvm": (1, "refused before anything is made; xl fails for want of a BIOS"),
        "disk-18": (0, "qcow2 needs no device model here"), "disk-31": (0, "qdisk needs no device model here"),
        "kernel-notkernel": (0, "the stand-in for the guest's process takes any kernel"),
        "mem-big": (5, "more than the host has: named as such"),
        "mem-missing": (0, "32 MiB are given, with a warning; xl fails by an overflow"),
        "mem-one": (0, "the stand-in takes any amount"), "mem-zero": (1, "a mistake in the configuration"),
        "name-dom0": (1, "a mistake in the configuration"), "name-empty": (1, "a guest without a name cannot be addressed"),
        "name-slash": (1, "a mistake in the configuration"), "opt-altp2m": (1, "refused; xl gives what no guest can use here"),
        "opt-hap-0": (0, "there is no hardware to ask"), "opt-nestedhvm-1": (1, "refused: no engine can run a hypervisor in a guest"),
        "opt-vfb": (0, "the guest starts without the framebuffer, with a warning; xl fails for want of a device model"),
        "type-pvh-pvshim": (1, "refused: the shim is not supported"), "vcpus-big": (1, "a mistake in the configuration"),
        "disk-63": (6, "there is no such device on the host of the test"),
    ]

    @Test(
        "exit codes are xl's, but for the listed differences; every failure has a cause and a remedy, and leaves nothing", arguments: cases)
    func creation(run: Case) throws {
        let scratch = try Scratch()
        let kernel = scratch.write("kernel", "x")
        _ = (scratch.write("a.raw", "x"), scratch.write("a.qcow2", "x"))
        let config = run.config.replacing("/mnt/g/vmlinuz-61c", with: kernel).replacing("/tmp/a.", with: "\(scratch.path)/a.")
            .replacing("/dev/vda", with: "/dev/no-such-disk")
        let result = try CommandRun.martlet(["create", "-q", "-p", scratch.write("t.cfg", config)], in: scratch)
        let difference = Self.differences[run.name]
        #expect(difference == nil || difference?.code != run.exitCode, "\(run.name) no longer differs")
        #expect(result.code == difference?.code ?? run.exitCode, "\(result.errors)")
        if result.code != 0 {
            #expect(result.errorLines.last?.hasPrefix("  ") == true, "the second line is the remedy: \(result.errors)")
            #expect(!scratch.exists("run/1"))
        }
    }

    @Test("the captured creations are all here, and each difference is of one of them")
    func complete() {
        #expect(Self.cases.count == 49)
        #expect(Set(Self.differences.keys).subtracting(Self.cases.map(\.name)).isEmpty)
    }

    @Test(
        "options and overrides of create mean what they mean to xl",
        arguments: [
            (["-q", "-n", "CFG"], 0, ["\"max_memkb\": 262144"], false), (["-n", "-f", "CFG"], 0, ["\"name\": \"t\""], true),
            (["-nd", "CFG"], 0, ["\"name\": \"t\""], true), (["--dryrun", "CFG"], 0, ["\"name\": \"t\""], true),
            (["--dryrun", "--quiet", "CFG"], 0, ["\"name\": \"t\""], false), (["-n", "-p", "CFG"], 0, ["\"name\": \"t\""], true),
            (["-n", "-c", "CFG"], 0, ["\"name\": \"t\""], true), (["-n", "-F", "CFG"], 0, ["\"name\": \"t\""], true),
            (["-n", "-e", "CFG"], 0, ["\"name\": \"t\""], true), (["-n", "--defconfig", "CFG"], 0, ["\"name\": \"t\""], true),
            (["-n", "memory=99", "CFG"], 0, ["\"max_memkb\": 101376"], true),
            (["-n", "vcpus=3", "name=\"zz\"", "CFG"], 0, ["\"name\": \"zz\"", "\"max_vcpus\": 3"], true),
            (["CFG", "-n", "memory=99", "name=\"override\""], 0, ["\"name\": \"override\"", "\"max_memkb\": 101376"], true),
            (["-n", "--nosuch", "CFG"], 2, [], false), (["-n", "/nonexistent.cfg"], 3, [], false), (["-n"], 6, [], false),
            (["-n", "/dev/null", "name=\"inline\"", "type=\"pvh\"", "memory=64", "kernel=\"/k\""], 0, ["\"name\": \"inline\""], true),
        ] as [([String], Int32, [String], Bool)])
    func options(words: [String], code: Int32, members: [String], isAnnounced: Bool) throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", "name=\"t\"\ntype=\"pvh\"\nkernel=\"/k\"\nmemory=256\n")
        let result = try CommandRun.martlet(["create"] + words.map { $0 == "CFG" ? file : $0 }, in: scratch)
        #expect(result.code == code, "\(result.errors)")
        for member in members { #expect(result.output.contains(member)) }
        #expect(code != 0 || result.output.hasPrefix("{\n") && result.output.hasSuffix("}\n\n"))
        #expect(code == 0 || result.output.isEmpty)
        if code == 0 { #expect(result.errors.hasPrefix("Parsing config from ") == isAnnounced) }
        #expect(!scratch.exists("run"))
    }
}

private func fixture(_ name: String) -> String {
    var path = #filePath
    path.removeLast("CreationReferenceTests.swift".count)
    guard let file = unsafe fopen(path + "Fixtures/" + name, "r") else { fatalError("no fixture \(name)") }
    defer { unsafe fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    let count = unsafe fread(&buffer, 1, buffer.count, file)
    return String(decoding: buffer[..<count], as: UTF8.self)
}

extension String {
    /// Every occurrence of a text replaced by another.
    fileprivate func replacing(_ text: String, with other: String) -> String { components(separatedBy: text).joined(separator: other) }

    fileprivate func components(separatedBy separator: String) -> [String] {
        var pieces: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            pieces.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return pieces + [String(rest)]
    }
}
