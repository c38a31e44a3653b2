public import ControlProtocol
internal import Glibc

/// What the process's environment says about where things are.
public struct Environment: Sendable {
    public var variables: [String: String]
    public var userID: UInt32

    public init(variables: [String: String], userID: UInt32) {
        self.variables = variables
        self.userID = userID
    }

    /// That of this process.
    public static var current: Environment {
        var variables: [String: String] = [:]
        for name in ["MARTLET_RUNTIME_DIR", "XDG_RUNTIME_DIR", "MARTLET_LOG_DIR", "XDG_STATE_HOME", "HOME", "MARTLET_GUEST", "PATH"] {
            if let value = unsafe getenv(name) { variables[name] = unsafe String(cString: value) }
        }
        return Environment(variables: variables, userID: geteuid())
    }

    /// Where the guests' directories are: `$MARTLET_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/martlet`, else `/run/martlet` for root, else
    /// `/tmp/martlet-UID`.
    public var runtimeDirectory: String {
        if let directory = value("MARTLET_RUNTIME_DIR") { return Files.absolute(directory) }
        if let directory = value("XDG_RUNTIME_DIR") { return directory + "/martlet" }
        return userID == 0 ? "/run/martlet" : "/tmp/martlet-\(userID)"
    }

    /// Where logs are kept: `$MARTLET_LOG_DIR`, else `/var/log/martlet` for root, else `$XDG_STATE_HOME/martlet`, else
    /// `~/.local/state/martlet`; nil when there is no home.
    public var logDirectory: String? {
        if let directory = value("MARTLET_LOG_DIR") { return Files.absolute(directory) }
        if userID == 0 { return "/var/log/martlet" }
        if let directory = value("XDG_STATE_HOME") { return directory + "/martlet" }
        return value("HOME").map { $0 + "/.local/state/martlet" }
    }

    /// The same, made if it did not exist, where this user can write to it.
    ///
    /// - Throws: an error that says why guests are without logs here; they run all the same.
    public func usableLogDirectory() throws(OperatorError) -> String {
        let remedy = "set MARTLET_LOG_DIR to a directory of your own that can be written"
        guard let directory = logDirectory else { throw OperatorError("no logs are kept: there is no home directory", remedy: remedy) }
        do throws(SystemError) {
            try Files.makeDirectories(directory)
        } catch {
            throw OperatorError("no logs are kept: \(error.sentence)", remedy: remedy)
        }
        guard unsafe access(directory, W_OK) == 0 else {
            throw OperatorError("no logs are kept: \(directory): \(SystemError.text(errno))", remedy: remedy)
        }
        return directory
    }

    /// The guest process's executable: `martlet-guest` beside this one, unless `$MARTLET_GUEST` names another.
    public var guestExecutable: String {
        if let path = value("MARTLET_GUEST") { return Files.absolute(path) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe readlink("/proc/self/exe", bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        let own = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        return own.prefix(through: own.lastIndex(of: "/") ?? own.startIndex) + "martlet-guest"
    }

    private func value(_ name: String) -> String? {
        variables[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}
