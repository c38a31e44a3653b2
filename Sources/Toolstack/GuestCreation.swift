internal import Bootloader
public import ControlProtocol
public import DomainConfig
internal import Glibc

/// What `create` takes besides the configuration.
public struct CreationOptions: Sendable {
    public var engine: EngineChoice = .auto
    public var timeoutSeconds: UInt32?
    /// Shows a boot loader's terminal on standard output, and lets the operator type into it; Ctrl-] gives up.
    public var showsBootloader = false

    public init() {}
}

/// A guest that was created: paused, its process running.
public struct CreatedGuest: Sendable {
    public var entry: GuestRegistry.Entry
    public var processID: Int32
    /// The engine it runs on.
    public var engine: String
    /// What the configuration asks for and the engine does not give.
    public fileprivate(set) var warnings: [ConfigDiagnostic] = []
    fileprivate var unmetCPUID: [CPUIDOverride]
}

/// Creates guests.
public struct GuestCreation: Sendable {
    /// The file in a guest's directory that holds its configuration as libxl's JSON, for `list -l`.
    static let configurationFileName = "config.json"

    let registry: GuestRegistry
    let environment: Environment

    public init(registry: GuestRegistry, environment: Environment) {
        self.registry = registry
        self.environment = environment
    }

    /// Reserves a name and a domain ID, starts the guest's process and waits until the guest is built. It is paused then.
    ///
    /// - Throws: an error whose cause names the key, file or process at fault. Nothing remains of the guest then.
    public func create(_ domain: DomainDescription, options: CreationOptions) throws(OperatorError) -> CreatedGuest {
        let template = try describe(domain, options)
        if template.bootloader == nil {
            try checkFile("kernel", template.kernelPath, domain)
            if let ramdisk = template.ramdiskPath { try checkFile("ramdisk", ramdisk, domain) }
        }
        try checkHostMemory(template, domain)
        let reservation = try registry.reserve { domainID in
            var description = template
            description.domainID = domainID
            return description
        }
        let running = domain.asRunning(uuid: template.uuid, macs: template.networks.map(\.mac))
        let configuration = running.json(uuid: template.uuid).text() + "\n"
        let configurationPath = "\(reservation.directory)/\(Self.configurationFileName)"
        do throws(OperatorError) {
            do throws(SystemError) {
                try Files.write(configurationPath, Array(configuration.utf8))
            } catch {
                throw OperatorError("the guest's directory cannot be written: \(error.sentence)", code: .creationFailed)
            }
            try runBootloader(reservation, domain, options)
            var created = try start(reservation)
            created.warnings = created.unmetCPUID.flatMap { domain.warnings(unmet: $0) }
            return created
        } catch {
            BootloaderRun.removeLeftovers(in: reservation.directory)
            Files.removeDirectory(reservation.directory)
            throw error
        }
    }

    private func start(_ reservation: borrowing GuestRegistry.Reservation) throws(OperatorError) -> CreatedGuest {
        let process = try GuestProcess.start(executable: environment.guestExecutable, reservation: reservation)
        let ready = try process.waitForReport(logPath: reservation.description.logPath)
        ChildProcesses.collect()
        ChildProcesses.add(process.processID)
        let entry = GuestRegistry.Entry(
            domainID: reservation.description.domainID, directory: reservation.directory, description: reservation.description)
        return CreatedGuest(entry: entry, processID: process.processID, engine: ready.engine, unmetCPUID: ready.unmetCPUID ?? [])
    }

    func describe(_ domain: DomainDescription, _ options: CreationOptions) throws(OperatorError) -> GuestDescription {
        guard domain.type == .pvh, domain.kernel != nil || domain.bootloader != nil else {
            throw OperatorError("only PVH guests with a kernel can be created", remedy: "write type=\"pvh\" and kernel=", code: .invalid)
        }
        var guest = try GuestDescription(domain, environment: environment)
        guest.engine = options.engine
        guest.timeoutSeconds = options.timeoutSeconds
        // A guest without logs is better than none.
        if let directory = try? environment.usableLogDirectory() {
            guest.logPath = "\(directory)/\(domain.name).log"
            guest.consoleLogPath = "\(directory)/\(domain.name).console.log"
            guest.bootloader?.logPath = "\(directory)/\(domain.name).bootloader.log"
        }
        guard guest.json().count <= Frame.maximumByteCount else {
            throw OperatorError(
                "\(domain.prefix("cmdline"))the guest's description is longer than \(Frame.maximumByteCount) bytes",
                remedy: "shorten the kernel's command line", code: .invalid)
        }
        return guest
    }

    private func checkFile(_ key: String, _ path: String, _ domain: DomainDescription) throws(OperatorError) {
        var status = stat()
        let subject = "\(domain.prefix(key))\(key)=\"\(path)\""
        let remedy = "check the path in \(key)="
        guard unsafe stat(path, &status) == 0 else {
            throw OperatorError("\(subject): \(SystemError.text(errno))", remedy: remedy, code: .creationFailed)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw OperatorError("\(subject): not a regular file", remedy: remedy, code: .creationFailed)
        }
        guard unsafe access(path, R_OK) == 0 else {
            throw OperatorError(
                "\(subject): \(SystemError.text(errno))", remedy: "make the file readable for this user", code: .creationFailed)
        }
    }

    private func checkHostMemory(_ guest: GuestDescription, _ domain: DomainDescription) throws(OperatorError) {
        let host = Host.totalMemoryKiB
        guard guest.memoryKiB > host else { return }
        throw OperatorError(
            "\(domain.prefix("memory"))memory=\(guest.memoryKiB / 1024): the guest is to have more than the \(host / 1024) MiB of this machine",
            remedy: "lower memory=", code: .noMemory)
    }
}
