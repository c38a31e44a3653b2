import DomainConfig
import Glibc
import Testing

/// A configuration with what `xl create -n` of Xen 4.17 said to it.
struct DryRun: Sendable, CustomTestStringConvertible {
    var name: String
    var exitCode: Int32
    var config: String
    var output: String

    var testDescription: String { name }

    /// Entries "=== name exit-code", the configuration, "--- stdout", its text, "--- stderr", its text.
    static let all: [DryRun] = ("\n" + fixture("dry-runs-4.17.txt")).components(separatedBy: "\n=== ").dropFirst().map { entry in
        let lines = entry.components(separatedBy: "\n--- stdout\n")
        let header = lines[0].prefix { $0 != "\n" }
        let words = header.split(separator: " ")
        return DryRun(
            name: String(words[0]), exitCode: Int32(words[1])!, config: String(lines[0].dropFirst(header.count + 1)),
            output: lines[1].components(separatedBy: "--- stderr")[0])
    }

    /// The UUID in the output: random unless the configuration names one.
    var uuid: String {
        output.components(separatedBy: "\"uuid\": \"").dropFirst().first.map { String($0.prefix(36)) } ?? ""
    }

    func read() -> (description: DomainDescription?, diagnostics: [ConfigDiagnostic]) {
        DomainDescription.read(Array(config.utf8), source: "f") { _ in .noPVHEntry("no PVH kernel") }
    }
}

/// Where Martlet differs from xl 4.17 on purpose: lines "name exit|stdout reason".
enum Differences {
    static let all: [String: [String: String]] = fixture("differences.txt").split(separator: "\n").reduce(into: [:]) { all, line in
        let words = line.split(separator: " ", maxSplits: 2)
        if !line.hasPrefix("#"), words.count == 3 { all[String(words[0]), default: [:]][String(words[1])] = String(words[2]) }
    }

    static func allows(_ name: String, _ what: String) -> Bool { all[name]?[what] != nil }
}

@Suite("Dry runs of xl 4.17") struct DryRunTests {
    @Test("the captured dry runs are all here, and every difference is of one of them and has a reason")
    func complete() {
        #expect(DryRun.all.count == 375)
        #expect(DryRun.all.count { $0.exitCode == 0 } == 301)
        let names = Set(DryRun.all.map(\.name))
        for (name, kinds) in Differences.all {
            #expect(names.contains(name), "\(name)")
            #expect(kinds.keys.allSatisfy { ["exit", "stdout"].contains($0) }, "\(name)")
        }
    }

    @Test("what xl accepts is accepted, what it rejects is rejected, but for the listed differences", arguments: DryRun.all)
    func exitCode(run: DryRun) {
        let (description, diagnostics) = run.read()
        let isSame = (description == nil ? 1 : 0) == run.exitCode
        #expect(isSame != Differences.allows(run.name, "exit"), "\(diagnostics.map(\.line))")
    }

    @Test("the JSON is libxl's to the byte, but for the listed differences", arguments: DryRun.all.filter { $0.exitCode == 0 })
    func output(run: DryRun) {
        guard let description = run.read().description else { return }
        let text = description.json(uuid: run.uuid).text() + "\n\n"
        #expect((text == run.output) != Differences.allows(run.name, "stdout"), "\(text)\n\(run.output)")
    }

    @Test("every error names its place or the file, and says what to do", arguments: DryRun.all)
    func messages(run: DryRun) {
        for diagnostic in run.read().diagnostics {
            #expect(diagnostic.line.hasPrefix("f:"))
            #expect(!diagnostic.cause.contains("\n"))
            if diagnostic.severity == .refusal || diagnostic.severity == .error {
                #expect(!diagnostic.remedy.isEmpty || diagnostic.cause.contains("NUL"), "\(diagnostic)")
            }
        }
    }
}

/// The text of a file in the Fixtures folder.
func fixture(_ name: String) -> String {
    var path = #filePath
    path.removeLast("DryRunTests.swift".count)
    guard let file = unsafe fopen(path + "Fixtures/" + name, "r") else { fatalError("no fixture \(name)") }
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = unsafe fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
}

extension String {
    /// The pieces between the separators, byte for byte.
    func components(separatedBy separator: String) -> [String] {
        let bytes = Array(utf8)
        let pattern = Array(separator.utf8)
        var pieces: [String] = []
        var start = 0
        var index = 0
        while index + pattern.count <= bytes.count {
            if bytes[index] == pattern[0], bytes[index..<index + pattern.count].elementsEqual(pattern) {
                pieces.append(String(decoding: bytes[start..<index], as: UTF8.self))
                index += pattern.count
                start = index
            } else {
                index += 1
            }
        }
        return pieces + [String(decoding: bytes[start...], as: UTF8.self)]
    }
}
