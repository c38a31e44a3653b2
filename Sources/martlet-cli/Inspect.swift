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

/// Kernels as the command line meets them.
enum KernelFile {
    static func read(_ path: String) throws(OperatorError) -> [UInt8] {
        do throws(SystemError) {
            return try Files.read(path, limit: 2 << 30)
        } catch {
            throw OperatorError("\(path): \(SystemError.text(error.errno))", remedy: "name a kernel file that this user can read")
        }
    }

    /// Whether a kernel is one for PVH guests, for configurations that do not say.
    static func probe(_ path: String) -> KernelProbe {
        do throws(OperatorError) {
            let verdict = ImageReport(try read(path), fileName: path).verdict
            return verdict.canBoot ? .carriesPVHEntry : .noPVHEntry("no PVH kernel: \(verdict.reason)")
        } catch {
            return .unreadable(error.cause)
        }
    }
}
