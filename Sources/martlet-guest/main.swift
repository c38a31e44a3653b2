import ControlProtocol
import Glibc
import Machine

// The process of one guest: `martlet-guest DIRECTORY`, started by `martlet create`. See docs/guest-process.md.

signal(SIGPIPE, SIG_IGN)

/// Writes the report to the creator's pipe, if there is one, and closes it.
func send(_ report: StartupReport) -> Bool {
    var status = stat()
    guard unsafe fstat(StartupReport.fileDescriptor, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else {
        // Started by hand: a person reads the standard error.
        if case .error(let error) = report { complain([error.cause, error.remedy].filter { !$0.isEmpty }) }
        return true
    }
    defer { close(StartupReport.fileDescriptor) }
    guard let bytes = try? Frame.encode(report) else { return false }
    var sent = 0
    while sent < bytes.count {
        let count = unsafe bytes.withUnsafeBytes { unsafe write(StartupReport.fileDescriptor, $0.baseAddress! + sent, $0.count - sent) }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return false }
        sent += count
    }
    return true
}

func complain(_ lines: [String]) {
    for line in lines {
        let bytes = Array("martlet-guest: \(line)\n".utf8)
        _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
    }
}

guard CommandLine.arguments.count == 2 else {
    complain(["usage: martlet-guest DIRECTORY", "guests are created with martlet create"])
    exit(ExitCode.usage.rawValue)
}
exit(GuestProcess.run(directory: CommandLine.arguments[1], report: send))
