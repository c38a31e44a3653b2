extension DomainDescription {
    /// Reads a configuration from libxl's JSON: what `create -n` prints, what `list -l` has as "config", and the layout of Xen 4.10, where
    /// the type's object holds what is common to all types today.
    ///
    /// Members nobody knows are ignored with a warning; a member of the wrong kind is an error.
    ///
    /// - Parameter source: a name for messages.
    /// - Returns: the description unless there are errors.
    public static func read(json: JSONText, source: String) -> (description: DomainDescription?, diagnostics: [ConfigDiagnostic]) {
        var reader = JSONDescriptionReader(json["config"] ?? json, source: source)
        let description = reader.read()
        let failed = reader.diagnostics.contains { $0.severity == .error }
        return (failed ? nil : description, reader.diagnostics)
    }
}

/// Takes libxl's objects apart.
struct JSONDescriptionReader {
    private let root: JSONText
    private let place: ConfigPlace
    private(set) var diagnostics: [ConfigDiagnostic] = []

    init(_ root: JSONText, source: String) {
        self.root = root
        place = ConfigPlace(source: source, line: nil)
    }

    mutating func read() -> DomainDescription {
        var description = DomainDescription(name: "", type: .pvh)
        guard case .object(let members) = root, root["c_info"] != nil, root["b_info"] != nil else {
            report(.error, "this is no configuration of a guest: c_info and b_info are missing", remedy: "give the JSON of create -n")
            return description
        }
        for (_, path) in DomainDescription.actionMembers { description[keyPath: path] = .destroy }
        for (name, value) in members { readTop(name, value, &description) }
        return description
    }

    private mutating func readTop(_ name: String, _ value: JSONText, _ description: inout DomainDescription) {
        switch name {
        case "c_info": readCreation(value, &description)
        case "b_info": readBuild(value, &description)
        case "disks": description.disks = elements(value, name).compactMap { disk($0) }.map { Placed($0, at: nil) }
        case "nics": description.networks = elements(value, name).compactMap { network($0) }.map { Placed($0, at: nil) }
        default:
            if let action = DomainDescription.actionMembers.first(where: { $0.0 == name }) {
                if let known = value.string.flatMap(DomainDescription.Action.init(libxlName:)) {
                    description[keyPath: action.1] = known
                } else {
                    wrong(name, value)
                }
            } else if MemberOrder.devices.contains(name) {
                description.inert.devices[name] = elements(value, name)
            } else {
                unknown(name, ["disks", "nics"] + MemberOrder.devices)
            }
        }
    }

    private mutating func readCreation(_ object: JSONText, _ description: inout DomainDescription) {
        for (name, value) in members(of: object, "c_info") {
            switch name {
            case "type":
                guard let type = value.string.flatMap(DomainType.init) else { return wrong("type", value) }
                description.type = type
            case "name": description.name = text(value, name) ?? ""
            case "uuid":
                guard let uuid = text(value, name) else { continue }
                if DomainDescription.isUUID(uuid) { description.uuid = uuid.lowercased() } else { wrong(name, value) }
            default:
                guard MemberOrder.creation.contains(name) else { unknown(name, MemberOrder.creation); continue }
                description.inert.creation[name] = value
            }
        }
        if let problem = DomainDescription.problem(ofName: description.name) {
            report(.error, "\"name\" is \(problem.cause)", remedy: problem.remedy)
        }
    }
}

// MARK: - b_info

extension JSONDescriptionReader {
    /// What Xen 4.10 and older kept in the type's object.
    private static let once = ["kernel", "cmdline", "ramdisk", "bootloader", "bootloader_args", "timer_mode", "nested_hvm", "apic"]

    private mutating func readBuild(_ object: JSONText, _ description: inout DomainDescription) {
        var build = members(of: object, "b_info")
        let union = "type.\(root["c_info"]?["type"]?.string ?? "")"
        for (name, value) in members(of: object[union] ?? .object([]), union) {
            if Self.once.contains(name) {
                if object[name] == nil { build.append((name, value)) }
            } else {
                description.inert.typeSpecific[name] = value
            }
        }
        for (name, value) in build where name != union { readBuildMember(name, value, &description) }
    }

    private mutating func readBuildMember(_ name: String, _ value: JSONText, _ description: inout DomainDescription) {
        switch name {
        case "max_vcpus": description.maxVCPUs = number(value, name, 0...4096).map { Int($0) }
        case "avail_vcpus": description.vcpus = elements(value, name).count
        case "max_memkb": description.maxMemoryKiB = number(value, name).map { UInt64($0) }
        case "target_memkb": description.memoryKiB = number(value, name, 1...1 << 50).map { UInt64($0) }
        case "kernel": description.kernel = text(value, name)
        case "cmdline": description.commandLine = text(value, name)
        case "ramdisk": description.ramdisk = text(value, name)
        case "bootloader": description.bootloader = text(value, name)
        case "bootloader_args": description.bootloaderArguments = elements(value, name).compactMap { text($0, name) }
        case "bootloader_restrict": description.restrictsBootloader = boolean(value, name)
        case "bootloader_user": description.bootloaderUser = text(value, name)
        case "acpi": description.acpi = boolean(value, name)
        case "apic": description.apic = boolean(value, name)
        case "localtime": description.localtime = boolean(value, name)
        case "cpuid": if let policy = CPUIDPolicy(json: value) { description.cpuid = policy } else { wrong(name, value) }
        case "rtc_timeoffset":
            description.rtcTimeOffsetSeconds = number(value, name, 0...Int64(UInt32.max)).map { Int64(Int32(truncatingIfNeeded: $0)) }
        case "max_grant_frames": description.maxGrantFrames = number(value, name, 0...1 << 20).map { UInt32($0) }
        case "max_grant_version": description.maxGrantVersion = number(value, name, 0...2).map { UInt32($0) }
        case "event_channels": description.maxEventChannels = number(value, name, 0...131071).map { UInt32($0) }
        case "timer_mode": description.timerMode = word(value, name, DomainDescription.TimerMode.allCases, \.libxlName)
        case "tsc_mode": description.tscMode = word(value, name, DomainDescription.TSCMode.allCases, \.libxlName)
        case "sched_params": description.inert.scheduling = Dictionary(members(of: value, name), uniquingKeysWith: { first, _ in first })
        case "arch_x86": description.msrRelaxed = value["msr_relaxed"].flatMap { boolean($0, "msr_relaxed") }
        default:
            guard MemberOrder.build.contains(name) else { return unknown(name, MemberOrder.build) }
            description.inert.build[name] = value
        }
    }
}

// MARK: - Devices

extension JSONDescriptionReader {
    private mutating func disk(_ object: JSONText) -> DiskSpecification? {
        guard let vdev = object["vdev"]?.string else {
            report(.error, "a disk has no \"vdev\"", remedy: "add it")
            return nil
        }
        var disk = DiskSpecification(target: nil, vdev: vdev)
        disk.isWritable = false
        for (name, value) in members(of: object, "disks") { readDisk(name, value, &disk) }
        return disk
    }

    private mutating func readDisk(_ name: String, _ value: JSONText, _ disk: inout DiskSpecification) {
        switch name {
        case "vdev": break
        case "backend_domname": disk.backendDomain = text(value, name)
        case "pdev_path": disk.target = text(value, name)
        case "backend": disk.backend = word(value, name, DiskSpecification.Backend.allCases, \.rawValue)
        case "format": disk.format = word(value, name, DiskSpecification.Format.allCases, \.rawValue) ?? .raw
        case "script": disk.script = text(value, name)
        case "removable": disk.isRemovable = number(value, name) ?? 0 != 0
        case "readwrite": disk.isWritable = number(value, name) ?? 0 != 0
        case "is_cdrom": disk.isCDROM = number(value, name) ?? 0 != 0
        case "direct_io_safe": disk.isDirectIOSafe = boolean(value, name) ?? false
        case "discard_enable": disk.allowsDiscard = boolean(value, name)
        case "specification": disk.protocolName = word(value, name, DiskSpecification.ProtocolName.allCases, \.rawValue)
        case "colo_enable": disk.isReplicated = boolean(value, name)
        case "colo_restore_enable": disk.isRestoredReplica = boolean(value, name)
        case "trusted": disk.isTrusted = boolean(value, name)
        case "grant_usage": disk.usesGrants = boolean(value, name)
        default:
            guard let (key, _) = DiskSpecification.replicationMembers.first(where: { $0.1 == name }) else { return unknown(name, []) }
            disk.replication[key] = value.string ?? value.number.map { "\($0)" }
        }
    }

    private mutating func network(_ object: JSONText) -> NetworkSpecification? {
        var network = NetworkSpecification(deviceID: 0)
        for (name, value) in members(of: object, "nics") { readNetwork(name, value, &network) }
        if let bytes = object["rate_bytes_per_interval"].flatMap({ number($0, "rate_bytes_per_interval") }), bytes > 0 {
            let interval = object["rate_interval_usecs"].flatMap { number($0, "rate_interval_usecs", 1...Int64(UInt32.max)) } ?? 50_000
            network.rate = .init(bytesPerInterval: UInt64(bytes), intervalMicroseconds: UInt32(interval))
        }
        return network
    }

    private mutating func readNetwork(_ name: String, _ value: JSONText, _ network: inout NetworkSpecification) {
        switch name {
        case "rate_bytes_per_interval", "rate_interval_usecs": break
        case "backend_domname": network.backendDomain = text(value, name)
        case "devid": network.deviceID = number(value, name, 0...32767).map { UInt32($0) } ?? 0
        case "mtu": network.mtu = number(value, name, 68...65535).map { UInt32($0) }
        case "model": network.model = text(value, name)
        case "mac": network.mac = text(value, name).flatMap { checked($0, NetworkSpecification.mac) }
        case "ip": network.ip = text(value, name)
        case "bridge": network.bridge = text(value, name)
        case "ifname": network.interfaceName = text(value, name).flatMap { checked($0, NetworkSpecification.checkedInterfaceName) }
        case "script": network.script = text(value, name)
        case "nictype": network.kind = word(value, name, NetworkSpecification.Kind.allCases, \.libxlName)
        case "gatewaydev": network.gatewayDevice = text(value, name)
        case "coloft_forwarddev": network.forwardDevice = text(value, name)
        case "trusted": network.isTrusted = boolean(value, name)
        case "vlan": network.vlan = text(value, name)
        case "hostfwd":
            network.forwards = elements(value, name).compactMap { checked($0.string ?? "", NetworkSpecification.Forward.init(parsing:)) }
        default: unknown(name, [])
        }
    }

    private mutating func checked<Value>(_ text: String, _ parse: (String) throws(SpecificationError) -> Value) -> Value? {
        do throws(SpecificationError) {
            return try parse(text)
        } catch {
            report(.error, error.cause, remedy: error.remedy)
            return nil
        }
    }
}

// MARK: - Values

extension JSONDescriptionReader {
    private mutating func report(_ severity: ConfigDiagnostic.Severity, _ cause: String, remedy: String) {
        diagnostics.append(ConfigDiagnostic(severity, at: place, cause, remedy: remedy))
    }

    private mutating func unknown(_ name: String, _ known: [String]) {
        let nearest = NearestKey.find(name, among: known)
        report(.warning, "the unknown member \"\(name)\" is ignored", remedy: nearest.map { "did you mean \"\($0)\"?" } ?? "remove it")
    }

    private mutating func wrong(_ name: String, _ value: JSONText) {
        report(.error, "\"\(name)\" has the value \(value.text().prefix(60))", remedy: "write what create -n shows for \"\(name)\"")
    }

    private mutating func members(of value: JSONText, _ name: String) -> [(String, JSONText)] {
        if case .object(let members) = value { return members }
        wrong(name, value)
        return []
    }

    private mutating func elements(_ value: JSONText, _ name: String) -> [JSONText] {
        if case .array(let elements) = value { return elements }
        wrong(name, value)
        return []
    }

    private mutating func text(_ value: JSONText, _ name: String) -> String? {
        if value.string == nil { wrong(name, value) }
        return value.string
    }

    private mutating func number(_ value: JSONText, _ name: String, _ range: ClosedRange<Int64> = 0...1 << 50) -> Int64? {
        guard let number = value.number, range.contains(number) else {
            wrong(name, value)
            return nil
        }
        return number
    }

    private mutating func boolean(_ value: JSONText, _ name: String) -> Bool? {
        if value.boolean == nil, value != .string("<default>") { wrong(name, value) }
        return value.boolean
    }

    private mutating func word<Word>(_ value: JSONText, _ name: String, _ words: [Word], _ spelling: (Word) -> String) -> Word? {
        let found = words.first { spelling($0) == value.string }
        if found == nil { wrong(name, value) }
        return found
    }
}
