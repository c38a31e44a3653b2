public import ControlProtocol
internal import DomainConfig
internal import Glibc
public import KernelImage

/// Tells everything that would go wrong with a configuration, without starting anything.
public struct Preflight: Sendable {
    public enum Severity: String, Sendable {
        /// The guest cannot be created, or cannot boot.
        case error
        /// It can, but something is not as the configuration may mean it.
        case warning
        /// What was looked at and found good.
        case fine
    }

    public struct Finding: Sendable {
        public var severity: Severity
        /// For what is fine: what was found.
        public var cause: String
        public var remedy: String

        public init(_ severity: Severity, _ cause: String, remedy: String = "") {
            self.severity = severity
            self.cause = cause
            self.remedy = remedy
        }
    }

    /// In the order of the checks: configuration, kernel, ramdisk, memory, vCPUs, devices, names, program.
    public private(set) var findings: [Finding] = []
    /// The host's memory, to compare with; KiB.
    private let hostMemoryKiB: (total: UInt64, available: UInt64)
    let environment: Environment

    /// Whether such a guest can be created.
    public var canCreate: Bool { !findings.contains { $0.severity == .error } }

    /// Checks a configuration that was read.
    public init(_ file: ConfigurationFile, options: CreationOptions, environment: Environment) {
        self.environment = environment
        hostMemoryKiB = (Host.totalMemoryKiB, Host.availableMemoryKiB)
        for diagnostic in file.diagnostics where diagnostic.severity != .note {
            let severity: Severity = diagnostic.severity == .warning ? .warning : .error
            findings.append(Finding(severity, diagnostic.line, remedy: diagnostic.remedy))
        }
        guard let domain = file.domain else { return }
        if canCreate { findings.append(Finding(.fine, "\(file.source): \(domain.name), \(domain.type.rawValue)")) }
        checkBootFiles(domain)
        checkMemory(domain)
        checkProcessors(domain)
        checkNames(domain)
        checkPrograms()
        checkLogs()
        checkDevices(domain)
        if canCreate { checkTranslation(domain, options) }
    }

    /// A line for each finding, two where there is a remedy.
    public var text: String {
        findings.reduce("") { text, finding in
            let mark = finding.severity == .fine ? "ok" : finding.severity.rawValue
            let remedy = finding.remedy.isEmpty ? "" : "           \(finding.remedy)\n"
            return text + Columns.left(mark + ":", 10) + " " + finding.cause + "\n" + remedy
        }
    }

    /// `{"can_create": …, "findings": [{"severity": …, "cause": …, "remedy": …}]}`.
    public var json: JSONValue {
        let list = findings.map { finding in
            JSONValue.object([
                .init("severity", .string(finding.severity.rawValue)), .init("cause", .string(finding.cause)),
                .init("remedy", finding.remedy.isEmpty ? .null : .string(finding.remedy)),
            ])
        }
        return .object([.init("can_create", .bool(canCreate)), .init("findings", .array(list))])
    }
}

extension Preflight {
    mutating func add(_ severity: Severity, _ domain: DomainDescription, _ key: String, _ cause: String, remedy: String = "") {
        let place = domain.places[key].map { "\($0): " } ?? ""
        findings.append(Finding(severity, severity == .fine ? cause : place + cause, remedy: remedy))
    }

    private mutating func checkMemory(_ domain: DomainDescription) {
        let wanted = domain.effectiveMemoryKiB
        let (total, available) = hostMemoryKiB
        if wanted > total {
            add(
                .error, domain, "memory", "memory=\(wanted / 1024): this machine has \(total / 1024) MiB, swap included",
                remedy: "lower memory=")
        } else if wanted > available {
            add(
                .warning, domain, "memory", "memory=\(wanted / 1024): only \(available / 1024) MiB are free now",
                remedy: "the guest takes memory as it uses it; it may be killed when none is left")
        } else {
            add(.fine, domain, "memory", "\(wanted / 1024) MiB of memory, of \(available / 1024) MiB free")
        }
    }

    private mutating func checkProcessors(_ domain: DomainDescription) {
        let vcpus = domain.effectiveVCPUs
        if vcpus > Host.onlineCPUs {
            add(
                .warning, domain, "vcpus", "vcpus=\(vcpus): this machine has \(Host.onlineCPUs) processors, the vCPUs will share them",
                remedy: "lower vcpus= for a faster guest")
        } else {
            add(.fine, domain, "vcpus", "\(vcpus) of \(Host.onlineCPUs) processors")
        }
    }

    private mutating func checkNames(_ domain: DomainDescription) {
        do throws(OperatorError) {
            let guests = try GuestRegistry(directory: environment.runtimeDirectory).guests()
            if let other = guests.first(where: { $0.description.name == domain.name }) {
                add(
                    .error, domain, "name", "a guest with the name \"\(domain.name)\" runs now (domain \(other.domainID))",
                    remedy: "choose another name, or end that guest first")
            }
            if let uuid = domain.uuid, let other = guests.first(where: { $0.description.uuid == uuid }) {
                add(
                    .error, domain, "uuid", "the guest \"\(other.description.name)\" has this UUID",
                    remedy: "remove uuid=, or give another one")
            }
        } catch {
            findings.append(Finding(.error, error.cause, remedy: error.remedy))
        }
    }

    private mutating func checkPrograms() {
        let program = environment.guestExecutable
        guard unsafe access(program, X_OK) != 0 else { return }
        findings.append(
            Finding(
                .error, "\(program): \(SystemError.text(errno))", remedy: "martlet-guest belongs beside martlet; build or install both"))
    }

    private mutating func checkLogs() {
        do throws(OperatorError) {
            _ = try environment.usableLogDirectory()
        } catch {
            findings.append(Finding(.warning, error.cause, remedy: error.remedy))
        }
    }

    /// Each disk and interface is looked up by itself, so that one mistake does not hide another.
    private mutating func checkDevices(_ domain: DomainDescription) {
        for disk in domain.disks {
            do throws(OperatorError) {
                let disk = try DiskDescription(disk.device, at: disk.place)
                checkFormat(disk, domain)
                checkSharing(disk, domain, try GuestRegistry(directory: environment.runtimeDirectory).guests())
                let image = "\(disk.target), \(disk.format.rawValue), \(disk.isReadOnly ? "read-only" : "writable")"
                add(.fine, domain, "disk", "\(disk.vdev): " + (disk.target.isEmpty ? "an empty drive" : image))
            } catch {
                findings.append(Finding(.error, error.cause, remedy: error.remedy))
            }
        }
        for network in domain.networks {
            do throws(OperatorError) {
                let network = try NetworkDescription(network.device, at: network.place)
                try checkHub(network)
                add(.fine, domain, "vif", "vif \(network.handle): \(network.mac), \(network.link.word)")
            } catch {
                findings.append(Finding(.error, error.cause, remedy: error.remedy))
            }
        }
    }

    /// The socket of a hub is made by the first guest that comes.
    private func checkHub(_ network: NetworkDescription) throws(OperatorError) {
        guard case .hub(let path) = network.link else { return }
        let directory = String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]) + "/"
        guard unsafe access(directory, W_OK | X_OK) == 0 else {
            throw OperatorError(
                "vif \(network.handle): the hub \(path): \(directory): \(SystemError.text(errno))",
                remedy: "name a path in a directory this user may write to")
        }
    }

    /// What `create` does before it starts a process.
    private mutating func checkTranslation(_ domain: DomainDescription, _ options: CreationOptions) {
        do throws(OperatorError) {
            let registry = try GuestRegistry(directory: environment.runtimeDirectory)
            _ = try GuestCreation(registry: registry, environment: environment).describe(domain, options)
        } catch {
            findings.append(Finding(.error, error.cause, remedy: error.remedy))
        }
    }

    /// An image that is handed out as raw but is not would be written over by the guest.
    private mutating func checkFormat(_ disk: DiskDescription, _ domain: DomainDescription) {
        guard !disk.target.isEmpty, let start = Files.start(of: disk.target, count: 8) else { return }
        let magics: [(bytes: [UInt8], format: DiskFormat)] = [
            (Array("QFI\u{fb}".unicodeScalars.map { UInt8($0.value) }), .qcow2), (Array("conectix".utf8), .vhd),
            (Array("QED\0".utf8), .qed),
        ]
        let found = magics.first { start.starts(with: $0.bytes) }?.format
        if disk.format == .raw, let found {
            add(
                .warning, domain, "disk", "\(disk.vdev): \(disk.target) looks like \(found.rawValue), but is to be used as raw",
                remedy: "write format=\(found.rawValue) unless the guest is to see the bytes of the file themselves")
        } else if disk.format != .raw, disk.format != .qcow, found != disk.format, disk.format != .vhd {
            add(
                .error, domain, "disk", "\(disk.vdev): \(disk.target) is no \(disk.format.rawValue) image",
                remedy: found.map { "write format=\($0.rawValue)" } ?? "write format=raw, or name another file")
        }
    }

    private mutating func checkSharing(_ disk: DiskDescription, _ domain: DomainDescription, _ guests: [GuestRegistry.Entry]) {
        for guest in guests {
            let others = (try? guest.currentDescription().disks) ?? guest.description.disks
            for other in others where !other.target.isEmpty && Files.isSame(other.target, disk.target) {
                guard !other.isReadOnly || !disk.isReadOnly else { continue }
                add(
                    .error, domain, "disk",
                    "\(disk.vdev): \(disk.target) is in use by the guest \"\(guest.description.name)\" (\(other.vdev))",
                    remedy: "two guests can share a disk only when both have it read-only")
            }
        }
    }
}

extension NetworkLink {
    /// Where it leads, for people.
    public var word: String {
        switch self {
        case .user: "a network of its own with NAT"
        case .bridge(let name): "bridge \(name)"
        case .tap(let name): "interface \(name)"
        case .hub(let path): "hub \(path)"
        }
    }
}
