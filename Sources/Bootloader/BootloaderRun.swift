public import ControlProtocol
internal import Glibc

/// One run of a boot loader, as libxl runs pygrub.
///
/// The program is called as
///
///     PROGRAM [--kernel=K] [--ramdisk=R] [--args=A] [--runas=UID --quiet] --output=FIFO --output-format=simple0
///         --output-directory=DIRECTORY [ARGUMENT…] DISK
///
/// with a terminal of its own on its three standard descriptors, as the user who creates the guest.
public struct BootloaderRun {
    private let guest: GuestDescription
    private let bootloader: BootloaderDescription
    private let directory: String

    /// - Parameters:
    ///   - guest: has a boot loader.
    ///   - directory: the guest's runtime directory, which gets what is found.
    public init(_ guest: GuestDescription, _ bootloader: BootloaderDescription, directory: String) {
        self.guest = guest
        self.bootloader = bootloader
        self.directory = directory
    }

    private var workDirectory: String { "\(directory)/\(BootloaderDescription.workName)" }
    private var outputPath: String { "\(workDirectory)/output" }

    /// Runs the program and takes what it found.
    ///
    /// - Throws: an error that names the program: it cannot be started, failed, was interrupted, took too long, or named no kernel. It has
    ///   ended then, and no file of it is left.
    public func run(_ console: BootloaderConsole) throws(OperatorError) -> BootloaderResult {
        Self.removeLeftovers(in: directory)
        defer { Tree.remove(workDirectory) }
        guard unsafe mkdir(workDirectory, 0o700) == 0, unsafe mkfifo(outputPath, 0o600) == 0 else {
            throw failure("\(workDirectory) cannot be made: \(SystemError.text(errno))")
        }
        var log = BootloaderLog(path: bootloader.logPath)
        var process = try BootloaderProcess(bootloader.program, arguments, outputPath: outputPath)
        let ending = process.serve(console) { bytes in
            log.add(bytes)
            console.show(bytes)
        }
        try check(ending, log)
        return try take(BootloaderOutput(process.output))
    }

    /// Removes what earlier runs found.
    public static func removeLeftovers(in directory: String) {
        Tree.remove("\(directory)/\(BootloaderDescription.workName)")
        for name in [BootloaderDescription.kernelName, BootloaderDescription.ramdiskName] { unsafe unlink("\(directory)/\(name)") }
    }

    private var arguments: [String] {
        var words: [String] = []
        if !guest.kernelPath.isEmpty { words.append("--kernel=\(guest.kernelPath)") }
        if let ramdisk = guest.ramdiskPath { words.append("--ramdisk=\(ramdisk)") }
        if !guest.commandLine.isEmpty { words.append("--args=\(guest.commandLine)") }
        if let user = bootloader.userID { words += ["--runas=\(user)", "--quiet"] }
        words += ["--output=\(outputPath)", "--output-format=simple0", "--output-directory=\(workDirectory)"]
        return words + bootloader.arguments + [bootloader.diskPath]
    }

    private func check(_ ending: BootloaderProcess.Ending, _ log: borrowing BootloaderLog) throws(OperatorError) {
        let said = log.lastLine.map { ": \($0)" } ?? ""
        let remedy = bootloader.logPath.map { "see \($0)" } ?? "run it by hand to see why"
        switch ending {
        case .exited(0): return
        case .exited(let code): throw failure("it failed with exit code \(code)\(said)", remedy)
        case .killed(let signal): throw failure("it was killed by signal \(signal)\(said)", remedy)
        case .interrupted: throw failure("the creation of the guest was interrupted", "")
        case .tooLong: throw failure("it has not ended in time\(said)", remedy)
        case .tooMuch: throw failure("it wrote more than \(BootloaderOutput.largest) bytes of output", remedy)
        }
    }

    private func take(_ output: BootloaderOutput) throws(OperatorError) -> BootloaderResult {
        guard let kernel = output.kernel else {
            let words = output.unknown.first.map { ", but \"\($0)\"" } ?? ""
            throw failure("it named no kernel\(words)", "it has to write entries of the format simple0: kernel, ramdisk, args")
        }
        var result = BootloaderResult(kernelPath: try adopt(kernel, "kernel", BootloaderDescription.kernelName))
        do throws(OperatorError) {
            result.ramdiskPath = try output.ramdisk.map { (path) throws(OperatorError) in
                try adopt(path, "ramdisk", BootloaderDescription.ramdiskName)
            }
        } catch {
            Self.removeLeftovers(in: directory)
            throw error
        }
        result.commandLine = output.commandLine
        return result
    }

    /// A file of the program's directory becomes ours; one from elsewhere stays where it is.
    private func adopt(_ path: String, _ what: String, _ name: String) throws(OperatorError) -> String {
        var status = stat()
        let isOurs = path.hasPrefix(workDirectory + "/")
        // A link that the program copied from the guest's disk would lead to a file of the host.
        let found = unsafe isOurs ? lstat(path, &status) : stat(path, &status)
        guard path.hasPrefix("/"), found == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw failure("it named the \(what) \"\(path.prefix(200))\", which is no file", "the path has to be an absolute one of a file")
        }
        guard isOurs else { return path }
        let place = "\(directory)/\(name)"
        guard unsafe rename(path, place) == 0 else { throw failure("\(path): \(SystemError.text(errno))") }
        return place
    }

    private func failure(_ cause: String, _ remedy: String = "check the free space and the rights there") -> OperatorError {
        OperatorError("bootloader=\"\(bootloader.program)\": \(cause)", remedy: remedy, code: .creationFailed)
    }
}
