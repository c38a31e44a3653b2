import Foundation
import Testing

/// The lines of a kernel's log, held against those of the reference.
struct Milestones {
    /// One line of the reference and what is expected in its place; nil: nothing.
    struct Expectation: Equatable {
        var reference: String
        var pattern: String?
        var isListed = false
    }

    var expectations: [Expectation]

    /// - Parameter release: the kernel's release, for lines that belong to one series.
    init(milestones: [String], differences: [String], release: String) throws {
        var listed: [String: String?] = [:]
        for line in differences {
            let parts =
                line.components(separatedBy: " | ").count == 3 ? line.components(separatedBy: " | ") : line.components(separatedBy: " | | ")
            guard parts.count >= 2, let reason = parts.last, reason.count > 10 else { throw MalformedLine(line: line) }
            listed.updateValue(parts.count == 3 ? parts[1] : nil, forKey: parts[0])
        }
        var all: Set<String> = []
        expectations = milestones.compactMap { line in
            let parts = line.split(separator: "|", maxSplits: 1).map(String.init)
            let isOfSeries = parts.count == 2 && parts[0].allSatisfy { $0.isNumber || $0 == "." }
            let text = isOfSeries ? parts[1] : line
            all.insert(text)
            if isOfSeries && !release.hasPrefix(parts[0] + ".") { return nil }
            guard let replacement = listed[text] else { return Expectation(reference: text, pattern: text) }
            return Expectation(reference: text, pattern: replacement, isListed: true)
        }
        for text in listed.keys where !all.contains(text) { throw MalformedLine(line: text) }
    }

    struct MalformedLine: Error { var line: String }

    /// What is wrong with a log: lines missing or out of order, and listed differences that are none.
    func complaints(about log: [String]) -> [String] {
        var complaints: [String] = []
        var next = 0
        for expectation in expectations {
            if expectation.isListed, expectation.pattern != expectation.reference,
                log.contains(where: { Self.matches($0, expectation.reference) })
            {
                complaints.append("listed as a difference, but shown as in the reference: \(expectation.reference)")
            }
            guard let pattern = expectation.pattern else { continue }
            if let found = log[next...].firstIndex(where: { Self.matches($0, pattern) }) {
                next = found + 1
            } else if log.contains(where: { Self.matches($0, pattern) }) {
                complaints.append("out of order: \(pattern)")
            } else {
                complaints.append("missing: \(pattern)")
            }
        }
        return complaints
    }

    /// Whether a line fits a pattern in which "*" stands for any text.
    static func matches(_ line: String, _ pattern: String) -> Bool {
        let pieces = pattern.components(separatedBy: "*")
        guard pieces.count > 1 else { return line == pattern }
        guard line.hasPrefix(pieces[0]) else { return false }
        var rest = line.dropFirst(pieces[0].count)
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            guard let range = rest.range(of: piece) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(pieces[pieces.count - 1])
    }

    /// The kernel's own lines in a console's text, without their times.
    static func log(of lines: [some StringProtocol]) -> [String] {
        lines.compactMap { line in
            guard line.hasPrefix("["), let close = line.firstIndex(of: "]") else { return nil }
            let time = line[line.index(after: line.startIndex)..<close].drop { $0 == " " }
            guard !time.isEmpty, time.allSatisfy({ $0.isNumber || $0 == "." }) else { return nil }
            return String(line[line.index(after: close)...].dropFirst())
        }
    }
}

/// Files beside the tests.
enum Fixture {
    /// The lines of one section of `Tests/differences.txt`.
    static func differences(_ section: String) throws -> [String] {
        let all = try lines("../../differences.txt")
        let start = try #require(all.firstIndex(of: "= " + section), "differences.txt has no section for the \(section)")
        return Array(all[(start + 1)...].prefix { !$0.hasPrefix("= ") })
    }

    static func lines(_ name: String) throws -> [String] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/\(name)")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }
}
