import Martlet

/// The table of exit codes.
enum ExitCodes {
    static let meanings: [(code: Martlet.ExitCode, meaning: String)] = [
        (.success, "done; after create -c or -F: the guest ended by itself or was destroyed, or you left with Ctrl-]"),
        (.failure, "a general failure; every error in a configuration; no such guest; an unknown command"),
        (.usage, "wrong options or arguments"),
        (.creationFailed, "the guest could not be created: a file, its name, its process, the runtime directory"),
        (.noMemory, "the guest asks for more memory than there is"),
        (.invalid, "the guest's description is not acceptable, or no configuration is named"),
        (.guestCrashed, "create -c or -F: the guest crashed"),
        (.guestProcessLost, "create -c, -F or console: the guest's process vanished"),
        (.timeout, "create -c or -F: --timeout destroyed the guest"),
    ]

    static var text: String {
        meanings.reduce("Exit codes:\n") { text, row in
            let number = "\(row.code.rawValue)"
            return text + "  " + String(repeating: " ", count: 3 - number.count) + number + "  " + row.meaning + "\n"
        } + "  128 and up: a signal ended the program (128 + its number); the guest goes on\n"
    }
}
