public import DomainConfig
internal import ControlProtocol
internal import Glibc

extension DomainDescription {
    /// Reads a configuration as this host sees it: with its xl.conf and its number of CPUs.
    ///
    /// - Parameters:
    ///   - bytes: the file's content.
    ///   - source: the file's name for messages.
    ///   - overrides: `key=value` words from the command line.
    ///   - probeKernel: asked about the path in `kernel=`, only when nothing else tells the kind of guest.
    /// - Returns: the description unless there are errors; and everything worth saying.
    public static func readOnThisHost(
        _ bytes: [UInt8], source: String, overrides: [String] = [], probeKernel: (String) -> KernelProbe
    ) -> (description: DomainDescription?, diagnostics: [ConfigDiagnostic]) {
        let (defaults, remarks) = HostDefaults.ofThisHost()
        var (description, diagnostics) = read(
            bytes, source: source, overrides: overrides, hostCPUs: Host.onlineCPUs, probeKernel: probeKernel)
        description?.apply(defaults)
        return (description, remarks + diagnostics)
    }
}

extension HostDefaults {
    /// Reads xl.conf: `$MARTLET_XL_CONF` if it is set, else `/etc/martlet/xl.conf`, else `/etc/xen/xl.conf`. A file that is not there says
    /// nothing; one that cannot be read is a warning.
    public static func ofThisHost() -> (defaults: HostDefaults, diagnostics: [ConfigDiagnostic]) {
        let named = unsafe getenv("MARTLET_XL_CONF").map { unsafe String(cString: $0) }
        return read(firstOf: named.map { [$0] } ?? ["/etc/martlet/xl.conf", "/etc/xen/xl.conf"])
    }

    static func read(firstOf paths: [String]) -> (defaults: HostDefaults, diagnostics: [ConfigDiagnostic]) {
        for path in paths {
            do throws(SystemError) {
                return read(try Files.read(path), source: path)
            } catch {
                if error.errno == ENOENT || error.errno == ENOTDIR { continue }
                let warning = ConfigDiagnostic(
                    .warning, at: ConfigPlace(source: path, line: nil),
                    "the defaults of this host cannot be read: \(SystemError.text(error.errno))",
                    remedy: "make the file readable, or remove it")
                return (HostDefaults(), [warning])
            }
        }
        return (HostDefaults(), [])
    }
}
