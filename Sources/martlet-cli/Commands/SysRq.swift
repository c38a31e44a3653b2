import ArgumentParser
import Martlet

/// Asks the guest's kernel for a magic SysRq.
struct SysRq: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sysrq", abstract: "Send a magic SysRq to a guest's kernel.",
        discussion: "One letter, such as h for help, s to sync its disks, b to reboot at once. The answer is on the guest's console.")

    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: "One letter.") var letter: String

    func run() throws {
        let guest = try Guests.find(domain)
        guard letter.unicodeScalars.count == 1, let character = letter.first, character.isASCII else {
            throw OperatorError("\"\(letter)\" is no SysRq", remedy: "give one letter or digit, such as h")
        }
        try guest.sysrq(character)
    }
}
