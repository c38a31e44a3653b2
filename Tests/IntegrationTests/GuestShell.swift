import Foundation
import Glibc
import Testing

/// What a command in a guest printed and returned.
struct Answer {
    var text: String
    var status: Int32

    var lines: [String] { text.split(whereSeparator: \.isNewline).map(String.init) }
    /// All of it as one line, for commands that answer with a word.
    var word: String { text.trimmingCharacters(in: .whitespacesAndNewlines) }
}

/// A guest with its console, and a shell behind it: commands go in one after the other, what they print comes back.
///
/// The guest's process is killed by its ``Workshop`` at the latest.
final class GuestShell {
    let session: Session
    private let input: Int32
    private var count = 0
    /// How much of the output belongs to commands that have come to their end.
    private var consumed = 0

    struct Silence: Error, CustomStringConvertible { var description: String }

    /// Creates a guest and waits for its shell.
    ///
    /// - Parameters:
    ///   - prompt: what a shell shows when it waits for the first command.
    ///   - arguments: `martlet create -c` and these.
    init(_ workshop: Workshop, prompt: String, seconds: Int, arguments: [String]) throws {
        let fifo = "\(workshop.path)/console-\(UInt32.random(in: 0 ... .max))"
        try #require(unsafe mkfifo(fifo, 0o600) == 0)
        // Open for both, so that neither side waits for the other.
        input = unsafe open(fifo, O_RDWR | O_CLOEXEC)
        try #require(input >= 0)
        session = try workshop.start(["create", "-c"] + arguments, input: fifo)
        try awaitShell(prompt, seconds: seconds)
    }

    /// Waits for a shell that was not there before, such as that of a guest's next life.
    ///
    /// - Parameter meanwhile: called again and again until it is there.
    func awaitShell(_ prompt: String, seconds: Int, meanwhile: () throws -> Void = {}) throws {
        let deadline = time(nil) + seconds
        while !rest.contains(prompt) {
            guard session.isRunning, time(nil) < deadline else {
                throw Silence(
                    description: "no \"\(prompt)\" from the guest:\n\(session.output.suffix(3000))\n\(session.errors.suffix(1000))")
            }
            try meanwhile()
            usleep(50_000)
        }
        // A shell without prompt, editing and echo: what is seen is what the commands print.
        type("exec env PS1= PS2= sh\n")
        type("stty -echo; dmesg -n 1\n")
        _ = try run("true")
    }

    /// What the guest printed since the end of the last command.
    private var rest: String {
        let output = Array(session.output.utf8)
        return String(decoding: output[min(consumed, output.count)...], as: UTF8.self)
    }

    deinit { close(input) }

    /// Types on the console.
    func type(_ text: String) {
        let bytes = Array(text.utf8)
        let count = unsafe bytes.withUnsafeBytes { unsafe write(input, $0.baseAddress, $0.count) }
        precondition(count == bytes.count, "a FIFO that somebody reads takes a short line whole")
    }

    /// Runs one command to its end.
    ///
    /// - Throws: ``Silence`` when the end does not come in time.
    func run(_ command: String, seconds: Int = 120) throws -> Answer {
        count += 1
        type("\(command)\necho end-\(count)-$?-\n")
        let mark = "end-\(count)-"
        for _ in 0..<seconds * 20 {
            if let answer = answer(before: mark) { return answer }
            if !session.isRunning { break }
            usleep(50_000)
        }
        throw Silence(description: "no end of \"\(command)\":\n\(session.output.suffix(2000))")
    }

    /// The echo of the typing has `$?` where the answer has a number.
    private func answer(before mark: String) -> Answer? {
        let output = Array(session.output.utf8)
        let rest = String(decoding: output[min(consumed, output.count)...], as: UTF8.self)
        for place in rest.ranges(of: mark) {
            guard let end = rest[place.upperBound...].firstIndex(of: "-"), let status = Int32(rest[place.upperBound..<end]) else {
                continue
            }
            consumed = output.count
            return Answer(text: String(rest[..<place.lowerBound]), status: status)
        }
        return nil
    }
}
