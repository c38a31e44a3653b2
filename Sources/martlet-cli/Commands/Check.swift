import ArgumentParser
import Martlet

/// Tells what would go wrong with a configuration.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell everything that would go wrong with a configuration, without starting anything.",
        discussion:
            "Looks at the file, the kernel, the ramdisk, disks, networks, memory and names. The exit code is 0 when a guest can be created, else 1."
    )

    @Flag(help: "Print the findings as JSON.") var json = false
    @OptionGroup var engine: EngineOption
    @Argument(help: ArgumentHelp("The configuration file, and key=value words.", valueName: "file | key=value")) var words: [String]

    func run() throws {
        let file = try ConfigurationWords(words, option: nil).read()
        var options = CreationOptions()
        options.engine = try engine.choice()
        let preflight = Preflight(file, options: options, environment: .current)
        print(json ? preflight.json.text + "\n" : preflight.text, terminator: "")
        if !preflight.canCreate { throw Outcome(code: .failure) }
    }
}
