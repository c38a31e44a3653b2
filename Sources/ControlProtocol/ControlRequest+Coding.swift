extension ControlRequest: Codable {
    public init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: MessageKey.self)
        try checkVersion(of: object)
        let word = try object.decode(String.self, forKey: .request)
        guard let request = try Self.plain(word) ?? Self.change(word, object) ?? Self.device(word, object) else {
            throw unknown(word, .request, in: object)
        }
        self = request
    }

    private static func plain(_ word: String) -> Self? {
        let all: [Self] = [.hello, .status, .pause, .unpause, .destroy, .wait, .devices, .description]
        return all.first { $0.word == word }
    }

    private static func change(_ word: String, _ object: KeyedDecodingContainer<MessageKey>) throws -> Self? {
        switch word {
        case "shutdown": .shutdown(try object.decode(ShutdownMode.self, forKey: .mode))
        case "rename": .rename(try object.decode(String.self, forKey: .name))
        case "set-memory-target": .setMemoryTarget(kib: try object.decode(UInt64.self, forKey: .kib))
        case "set-max-memory": .setMaxMemory(kib: try object.decode(UInt64.self, forKey: .kib))
        case "set-vcpus": .setVCPUs(try object.decode(Int.self, forKey: .count))
        case "set-affinity":
            .setAffinity(
                vcpu: try object.decode(Int.self, forKey: .vcpu), hard: try object.decodeIfPresent([Int].self, forKey: .hard),
                soft: try object.decodeIfPresent([Int].self, forKey: .soft))
        case "sysrq": .sysrq(try object.decode(String.self, forKey: .letter))
        case "trigger":
            .trigger(try object.decode(Trigger.self, forKey: .trigger), vcpu: try object.decode(Int.self, forKey: .vcpu))
        case "hypervisor-log": .hypervisorLog(clears: try object.decodeIfPresent(Bool.self, forKey: .clears) ?? false)
        case "debug-keys": .debugKeys(try object.decode(String.self, forKey: .keys))
        case "dump-core": .dumpCore(path: try object.decode(String.self, forKey: .path))
        case "update-description": .updateDescription(try object.decode(GuestDescription.self, forKey: .description))
        default: nil
        }
    }

    private static func device(_ word: String, _ object: KeyedDecodingContainer<MessageKey>) throws -> Self? {
        switch word {
        case "attach-disk": .attachDisk(try object.decode(DiskDescription.self, forKey: .disk))
        case "attach-network": .attachNetwork(try object.decode(NetworkDescription.self, forKey: .network))
        case "detach":
            .detach(
                kind: try object.decode(String.self, forKey: .kind), id: try object.decode(UInt32.self, forKey: .id),
                forced: try object.decodeIfPresent(Bool.self, forKey: .forced) ?? false)
        case "resize-disk": .resizeDisk(id: try object.decode(UInt32.self, forKey: .id))
        default: nil
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: MessageKey.self)
        try object.encode(controlProtocolVersion, forKey: .version)
        try object.encode(word, forKey: .request)
        switch self {
        case .hello, .status, .pause, .unpause, .destroy, .wait, .devices, .description: break
        case .shutdown(let mode): try object.encode(mode, forKey: .mode)
        case .rename(let name): try object.encode(name, forKey: .name)
        case .setMemoryTarget(let kib), .setMaxMemory(let kib): try object.encode(kib, forKey: .kib)
        case .setVCPUs(let count): try object.encode(count, forKey: .count)
        case .setAffinity(let vcpu, let hard, let soft):
            try object.encode(vcpu, forKey: .vcpu)
            try object.encodeIfPresent(hard, forKey: .hard)
            try object.encodeIfPresent(soft, forKey: .soft)
        case .sysrq(let letter): try object.encode(letter, forKey: .letter)
        case .trigger(let trigger, let vcpu):
            try object.encode(trigger, forKey: .trigger)
            try object.encode(vcpu, forKey: .vcpu)
        case .hypervisorLog(let clears): try object.encode(clears, forKey: .clears)
        case .debugKeys(let keys): try object.encode(keys, forKey: .keys)
        case .dumpCore(let path): try object.encode(path, forKey: .path)
        case .attachDisk(let disk): try object.encode(disk, forKey: .disk)
        case .attachNetwork(let network): try object.encode(network, forKey: .network)
        case .detach(let kind, let id, let forced):
            try object.encode(kind, forKey: .kind)
            try object.encode(id, forKey: .id)
            try object.encode(forced, forKey: .forced)
        case .resizeDisk(let id): try object.encode(id, forKey: .id)
        case .updateDescription(let description): try object.encode(description, forKey: .description)
        }
    }

    /// The word of this request on the wire.
    public var word: String {
        switch self {
        case .hello: "hello"
        case .status: "status"
        case .pause: "pause"
        case .unpause: "unpause"
        case .destroy: "destroy"
        case .shutdown: "shutdown"
        case .wait: "wait"
        case .rename: "rename"
        case .setMemoryTarget: "set-memory-target"
        case .setMaxMemory: "set-max-memory"
        case .setVCPUs: "set-vcpus"
        case .setAffinity: "set-affinity"
        case .sysrq: "sysrq"
        case .trigger: "trigger"
        case .hypervisorLog: "hypervisor-log"
        case .debugKeys: "debug-keys"
        case .dumpCore: "dump-core"
        case .devices: "devices"
        case .attachDisk: "attach-disk"
        case .attachNetwork: "attach-network"
        case .detach: "detach"
        case .resizeDisk: "resize-disk"
        case .description: "description"
        case .updateDescription: "update-description"
        }
    }
}
