import ArgumentParser
import Martlet

/// Explains a kernel.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain what a kernel file is and whether it can boot as a PVH guest.",
        discussion: "The exit code is 0 when it can and 1 when it cannot.")

    @Flag(help: "Print the report as JSON.") var json = false
    @Argument(help: "A kernel: bzImage or ELF.") var file: String

    func run() throws {
        let report = ImageReport(try KernelFile.read(file), fileName: file)
        print(json ? report.json.text : report.text, terminator: json ? "\n" : "")
        if !report.verdict.canBoot { throw Outcome(code: .failure) }
    }
}
