import ArgumentParser
import Martlet

/// Attaches to a guest's console.
struct Console: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Attach to a guest's console; Ctrl-] leaves it.",
        discussion: "What the guest has written before comes first.")

    @Option(name: .customShort("t"), help: ArgumentHelp("The kind of console: only pv.", valueName: "type")) var kind = "pv"
    @Option(name: .customShort("n"), help: ArgumentHelp("The number of the console: only 0.", valueName: "number")) var number = 0
    @Option(name: .customShort("e"), help: ArgumentHelp("Another character that leaves, such as ^a.", valueName: "escape"))
    var escape = "^]"
    @Argument(help: "Name or domain ID.") var domain: String

    func run() throws {
        let character = try escapeCharacter()
        guard ["pv", "serial", "vuart"].contains(kind) else {
            throw OperatorError("there is no console of the kind \"\(kind)\"", remedy: "a PVH guest has one: -t pv -n 0")
        }
        let guest = try Guests.find(domain)
        guard kind == "pv", number == 0 else {
            throw OperatorError(
                "\"\(guest.description.name)\" has no \(kind) console with number \(number)", remedy: "a PVH guest has one: -t pv -n 0")
        }
        var session = try ConsoleSession.connect(guest, withConsole: true, escape: character)
        Report.announceConsole(of: guest.description.name, escape: escape)
        try SessionEnding.finish(try session.run(), of: guest)
    }

    /// "^]" is the control character of "]".
    private func escapeCharacter() throws(OperatorError) -> UInt8 {
        let bytes = Array(escape.utf8)
        if bytes.count == 1 { return bytes[0] }
        if bytes.count == 2, bytes[0] == UInt8(ascii: "^"), bytes[1] >= 0x3f, bytes[1] < 0x7f { return bytes[1] & 0x1f }
        throw OperatorError(
            "-e \"\(escape)\" is no character", remedy: "give one character, or ^ and a letter for a control character", code: .usage)
    }
}
