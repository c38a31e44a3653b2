import Foundation
import Testing

/// Captured output of Xen's own tools (Xen 4.17), and what differs here on purpose.
enum Fixtures {
    private static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")

    static func text(_ name: String) throws -> String {
        try String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)
    }

    static func lines(_ name: String) throws -> [String] {
        try text(name).split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    /// A command line, what it wrote to standard output, and its exit code.
    struct Step: Sendable, CustomTestStringConvertible {
        var command: String
        var output: String
        var code: Int32
        /// The how manieth time this command comes in its file.
        var occurrence: Int

        var testDescription: String { "\(command) #\(occurrence)" }
        var words: [String] { command.split(separator: " ").map(String.init) }
    }

    /// A file of "$ command", its output, and "[code]".
    static func steps(_ name: String) throws -> [Step] {
        var steps: [Step] = []
        var current: Step?
        for line in try lines(name) {
            if line.hasPrefix("$ ") {
                let command = String(line.dropFirst(2))
                current = Step(command: command, output: "", code: 0, occurrence: steps.count { $0.command == command } + 1)
            } else if var step = current, line.hasPrefix("["), line.hasSuffix("]"), let code = Int32(line.dropFirst().dropLast()) {
                step.code = code
                steps.append(step)
                current = nil
            } else {
                current?.output += line + "\n"
            }
        }
        return steps
    }

    /// What differs from xl on purpose: "file<TAB>command<TAB>exit or output<TAB>reason".
    struct Difference: Sendable, Equatable {
        var file: String
        var command: String
        var what: String
        var reason: String
    }

    static func differences(_ file: String) throws -> [Difference] {
        try lines("differences.txt").filter { !$0.hasPrefix("#") && !$0.isEmpty }.map { line in
            let parts = line.components(separatedBy: "\t")
            try #require(parts.count == 4 && !parts[3].isEmpty, "\(line)")
            return Difference(file: parts[0], command: parts[1], what: parts[2], reason: parts[3])
        }.filter { $0.file == file }
    }
}
