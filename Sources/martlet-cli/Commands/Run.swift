import ArgumentParser
import Martlet

/// Runs a kernel without a configuration file.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a kernel, without a configuration file.",
        discussion: """
            The console is attached: Ctrl-] leaves it and the guest goes on. --disk takes an image, or what disk=[ … ] takes; --net what \
            vif=[ … ] takes, `--net user' for a network of the guest's own. Linux is told to use the console unless --append names one.
            """)

    @Option(help: ArgumentHelp("An initial ramdisk.", valueName: "file")) var ramdisk: String?
    @Option(help: ArgumentHelp("The kernel's command line.", valueName: "text")) var append: String?
    @Option(help: ArgumentHelp("MiB, or a number with one of the units k, m, g.", valueName: "size")) var memory = "256"
    @Option(help: ArgumentHelp("How many vCPUs.", valueName: "number")) var vcpus = 1
    @Option(help: ArgumentHelp("A disk; can be repeated.", valueName: "image | specification")) var disk: [String] = []
    @Option(help: ArgumentHelp("A network interface; can be repeated.", valueName: "specification")) var net: [String] = []
    @Option(help: ArgumentHelp("The guest's name; made from the kernel's when left out.", valueName: "name")) var name: String?
    @Flag(name: .shortAndLong, help: "Do not attach the console; return as soon as the guest runs.") var detach = false
    @OptionGroup var starting: StartOptions
    @Argument(help: "A kernel: bzImage or ELF.") var kernel: String

    func run() throws {
        let configuration = RunConfiguration(
            kernel: kernel, ramdisk: ramdisk, commandLine: append, memoryMiB: try MemorySize.kib(memory) / 1024, vcpus: vcpus, disks: disk,
            networks: net, name: try name ?? freeName())
        // Words, not a text: there are no lines that a message could lead to.
        let domain = try ConfigurationFile(content: [], source: "command line", overrides: configuration.overrides).judged(isDryRun: false)
        try starting.start(domain, attachment: detach ? .none : .console, isPaused: false, isQuiet: false)
    }

    /// The kernel's file name, with a number behind it if a guest has that name.
    private func freeName() throws -> String {
        let allowed = (kernel.split(separator: "/").last ?? "guest").unicodeScalars.filter { $0.value > 32 && $0.value < 127 }
        var base = String(String.UnicodeScalarView(allowed))
        if base.isEmpty || base.allSatisfy(\.isNumber) { base = "guest" }
        let taken = Set(try Guests.registry().guests().map(\.description.name))
        return ([base] + (2...taken.count + 2).map { "\(base)-\($0)" }).first { !taken.contains($0) } ?? base
    }
}
