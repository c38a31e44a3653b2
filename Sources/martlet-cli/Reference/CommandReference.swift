import ArgumentParser
internal import FoundationEssentials
import Martlet

/// The verbs with their options and arguments, as the parser knows them: what completion scripts and the manual are made from.
struct CommandReference: Decodable {
    struct Name: Decodable {
        var kind: String
        var name: String

        var spelling: String { kind == "long" ? "--\(name)" : "-\(name)" }
    }

    struct Argument: Decodable {
        var kind: String
        var names: [Name]?
        var valueName: String?
        var abstract: String?
        var shouldDisplay: Bool
        var isOptional: Bool
        var isRepeating: Bool

        var spellings: [String] { (names ?? []).map(\.spelling).sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) } }
        var takesValue: Bool { kind == "option" }
        var value: CompletedValue { CompletedValue(valueName: valueName ?? "") }
    }

    struct Command: Decodable {
        var commandName: String
        var abstract: String?
        var discussion: String?
        var shouldDisplay: Bool
        var arguments: [Argument]?
        var subcommands: [Command]?

        /// Without those every verb has.
        var options: [Argument] {
            (arguments ?? []).filter { $0.kind != "positional" && $0.shouldDisplay && !["version", "help"].contains($0.valueName) }
        }
        var words: [Argument] { (arguments ?? []).filter { $0.kind == "positional" && $0.shouldDisplay } }
    }

    var command: Command

    /// The verbs that the help shows, without `help` itself.
    var verbs: [Command] { (command.subcommands ?? []).filter { $0.shouldDisplay && $0.commandName != "help" } }

    /// That of this program.
    ///
    /// - Throws: what the parser or the JSON reader throws where they do not fit each other.
    static func current() throws -> CommandReference {
        do {
            _ = try RootCommand.parseAsRoot(["--experimental-dump-help"])
        } catch {
            return try JSONDecoder().decode(CommandReference.self, from: Data(RootCommand.fullMessage(for: error).utf8))
        }
        throw OperatorError("this program cannot describe itself", remedy: "it was built with a parser that is too old or too new")
    }
}

/// What a shell offers where a value is to be written.
enum CompletedValue: String, CaseIterable {
    case domain, file, config, key, engine, trigger, verb, shell, nothing

    init(valueName: String) {
        switch valueName {
        case "domain", "domains", "domain-id": self = .domain
        case "file", "kernel", "image | specification": self = .file
        case "file | key=value": self = .config
        case "engine": self = .engine
        case "event": self = .trigger
        case "shell": self = .shell
        default: self = .nothing
        }
    }

    /// The words that stand for it, where they are known beforehand.
    static func words(_ value: CompletedValue, _ reference: CommandReference) -> [String] {
        switch value {
        case .engine: EngineChoice.allCases.map(\.rawValue)
        case .trigger: Trigger.allCases.map(\.rawValue)
        case .verb: reference.verbs.map(\.commandName)
        case .shell: ["bash", "zsh", "fish"]
        case .key: KnownKey.all.map(\.name).sorted()
        case .domain, .file, .config, .nothing: []
        }
    }
}

/// xl's options that stand before the verb.
enum GlobalOptions {
    static let all: [(spelling: String, meaning: String)] = [
        ("-v", "Say more."), ("-N", "Only show what would be done."), ("-T", "Put the time before every message."),
        ("-f", "Force."), ("-t", "Taken for xl's sake."),
    ]
}
