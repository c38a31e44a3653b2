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
        (domain, diagnostics) = DomainDescription.readOnThisHost(
            content, source: source, overrides: overrides, probeKernel: KernelFile.probe)
    }

    /// The description.
    ///
    /// - Throws: the first error, or the first reason why such a guest is refused.
    public func accepted() throws(OperatorError) -> DomainDescription {
        if let fault = diagnostics.first(where: { $0.severity == .error || $0.severity == .refusal }) {
            throw OperatorError(fault.line, remedy: fault.remedy, code: ExitCode(rawValue: fault.exitCode) ?? .failure)
        }
        guard let domain else { throw OperatorError("\(source): no configuration") }
        return domain
    }
}

/// Devices that are named on a command line as a configuration would name them.
extension ConfigurationFile {
    private static let commandLine = ConfigPlace(source: "command line", line: nil)

    /// A disk, as an entry of `disk=[ … ]` describes it.
    ///
    /// - Throws: an error that names the fault, or a file that is not there.
    public static func disk(_ text: String) throws(OperatorError) -> DiskDescription {
        let specification: DiskSpecification
        do throws(SpecificationError) {
            specification = try DiskSpecification(parsing: text)
        } catch {
            throw OperatorError("\(commandLine): \(error.cause)", remedy: error.remedy)
        }
        return try found { () throws(OperatorError) in try DiskDescription(specification, at: commandLine) }
    }

    /// A network interface, as an entry of `vif=[ … ]` describes it. Its handle is 0 unless `devid=` gives another.
    ///
    /// - Throws: an error that names the fault.
    public static func network(_ text: String) throws(OperatorError) -> NetworkDescription {
        let specification: NetworkSpecification
        let doubts: [SpecificationConcern]
        do throws(SpecificationError) {
            (specification, doubts) = try NetworkSpecification.parse(text, deviceID: 0)
        } catch {
            throw OperatorError("\(commandLine): \(error.cause)", remedy: error.remedy)
        }
        // What a configuration only warns of is a mistake where somebody types it.
        if let doubt = doubts.first { throw OperatorError("\(commandLine): \(doubt.cause)", remedy: doubt.remedy) }
        return try found { () throws(OperatorError) in try NetworkDescription(specification, at: commandLine) }
    }

    /// No guest is being created here: whatever is missing is a plain failure.
    private static func found<Device>(_ body: () throws(OperatorError) -> Device) throws(OperatorError) -> Device {
        do throws(OperatorError) {
            return try body()
        } catch {
            throw OperatorError(error.cause, remedy: error.remedy)
        }
    }
}
