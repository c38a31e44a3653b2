public import ControlProtocol
public import DomainConfig

/// A configuration as it was read, with everything there is to say about it.
public struct ConfigurationFile: Sendable {
    /// The name messages start with.
    public var source: String
    /// Nil when there are errors.
    public var domain: DomainDescription?
    /// In the order of the lines.
    public var diagnostics: [ConfigDiagnostic]

    /// Reads an xl.cfg file. `overrides` are `key=value` words that come after it.
    ///
    /// - Throws: an error when the file cannot be read. What is wrong in it is in ``diagnostics``.
    public init(path: String, overrides: [String] = []) throws(OperatorError) {
        do throws(SystemError) {
            self.init(content: try Files.read(path), source: path, overrides: overrides)
        } catch {
            throw OperatorError(
                "Failed to read config file: \(path): \(SystemError.text(error.errno))", remedy: "check the path", code: .creationFailed)
        }
    }

    /// Reads the text of an xl.cfg file.
    public init(content: [UInt8], source: String, overrides: [String] = []) {
        self.source = source
        (domain, diagnostics) = DomainDescription.read(content, source: source, overrides: overrides, probeKernel: KernelFile.probe)
    }

    /// The description.
    ///
    /// - Throws: the first error, or the first reason why such a guest is refused.
    public func accepted() throws(OperatorError) -> DomainDescription {
        if let fault = diagnostics.first(where: { $0.severity == .error || $0.severity == .refusal }) {
            throw OperatorError(fault.line, remedy: fault.remedy)
        }
        guard let domain else { throw OperatorError("\(source): no configuration") }
        return domain
    }
}

/// Devices that are named on a command line as a configuration would name them.
extension ConfigurationFile {
    /// A disk, as an entry of `disk=[ … ]` describes it.
    ///
    /// - Throws: an error that names the fault, or a file that is not there.
    public static func disk(_ specification: String, environment: Environment) throws(OperatorError) -> DiskDescription {
        let disks = try devices("disk", specification, environment).disks
        guard let disk = disks.first else {
            throw OperatorError("\"\(specification)\" describes no disk this version can attach", remedy: "see `martlet help block-attach'")
        }
        return disk
    }

    /// A network interface, as an entry of `vif=[ … ]` describes it. Its handle is 0.
    ///
    /// - Throws: an error that names the fault.
    public static func network(_ specification: String, environment: Environment) throws(OperatorError) -> NetworkDescription {
        let networks = try devices("vif", specification, environment).networks
        guard let network = networks.first else {
            throw OperatorError(
                "\"\(specification)\" describes no network interface this version can attach", remedy: "see `martlet help network-attach'")
        }
        return network
    }

    private static func devices(
        _ key: String, _ specification: String, _ environment: Environment
    ) throws(OperatorError) -> GuestDescription {
        let text = "name=\"x\"\ntype=\"pvh\"\nkernel=\"/\"\nmemory=1\n\(key)=[ \(ConfigText.quote(specification)) ]\n"
        let file = ConfigurationFile(content: Array(text.utf8), source: "command line")
        // The line in a text nobody wrote would lead nowhere.
        if let fault = file.diagnostics.first(where: { $0.severity == .error || $0.severity == .refusal }) {
            throw OperatorError("command line: " + fault.cause, remedy: fault.remedy)
        }
        let registry = try GuestRegistry(directory: environment.runtimeDirectory)
        return try GuestCreation(registry: registry, environment: environment).describe(try file.accepted(), CreationOptions())
    }
}
