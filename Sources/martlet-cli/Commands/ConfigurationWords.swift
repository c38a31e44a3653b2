import ArgumentParser
import Martlet

/// The words of a command line that name a configuration: one file, and `key=value` overrides.
struct ConfigurationWords {
    var file: String
    var overrides: [String]

    /// - Throws: an error unless there is exactly one file.
    init(_ words: [String], option: String?) throws(OperatorError) {
        overrides = words.filter { $0.contains("=") }
        let files = words.filter { !$0.contains("=") } + (option.map { [$0] } ?? [])
        guard let file = files.first else {
            throw OperatorError(
                "no configuration file is named", remedy: "name one, or /dev/null to give all keys as key=value", code: .invalid)
        }
        guard files.count == 1 else {
            throw OperatorError("more than one configuration file: \(files.joined(separator: ", "))", remedy: "name one", code: .usage)
        }
        self.file = file
    }

    func read() throws(OperatorError) -> ConfigurationFile { try ConfigurationFile(path: file, overrides: overrides) }
}

extension ConfigurationFile {
    /// Prints what there is to say, and goes on with the description.
    ///
    /// - Throws: when that is no configuration for a guest; everything has been said then.
    func judged(isDryRun: Bool) throws -> DomainDescription {
        for diagnostic in diagnostics { Report.print(diagnostic) }
        guard let domain else { throw Outcome(code: .failure) }
        if !isDryRun, let refusal = diagnostics.first(where: { $0.severity == .refusal }) {
            throw Outcome(code: Martlet.ExitCode(rawValue: refusal.exitCode) ?? .failure)
        }
        return domain
    }
}

/// The option that chooses a CPU engine.
struct EngineOption: ParsableArguments {
    @Option(help: "The CPU engine: \(EngineChoice.allCases.map(\.rawValue).joined(separator: " or ")).") var engine = "auto"

    /// - Throws: an error of usage for an engine that does not exist.
    func choice() throws(OperatorError) -> EngineChoice {
        if let choice = EngineChoice(rawValue: engine) { return choice }
        let names = EngineChoice.allCases.map(\.rawValue).joined(separator: ", ")
        throw OperatorError("--engine=\(engine): there is no such engine", remedy: "the engines are: \(names)", code: .usage)
    }
}
