extension ControlReply: Codable {
    public init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: MessageKey.self)
        try checkVersion(of: object)
        if let event = try object.decodeIfPresent(String.self, forKey: .event) {
            guard event == "ended" else { throw unknown(event, .event, in: object) }
            self = .ended(try object.decode(GuestEnd.self, forKey: .end))
            return
        }
        switch try object.decode(String.self, forKey: .reply) {
        case "hello":
            self = .hello(
                domainID: try object.decode(UInt16.self, forKey: .domainID), name: try object.decode(String.self, forKey: .name))
        case "ok": self = .ok
        case "status": self = .status(try object.decode(GuestStatus.self, forKey: .status))
        case "log": self = .log(try object.decode(String.self, forKey: .log))
        case "devices": self = .devices(try object.decode([DeviceStatus].self, forKey: .devices))
        case "description": self = .description(try object.decode(GuestDescription.self, forKey: .description))
        case "error": self = .error(try object.decode(OperatorError.self, forKey: .error))
        case let word: throw unknown(word, .reply, in: object)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: MessageKey.self)
        try object.encode(controlProtocolVersion, forKey: .version)
        switch self {
        case .hello(let domainID, let name):
            try object.encode("hello", forKey: .reply)
            try object.encode(domainID, forKey: .domainID)
            try object.encode(name, forKey: .name)
        case .ok:
            try object.encode("ok", forKey: .reply)
        case .status(let status):
            try object.encode("status", forKey: .reply)
            try object.encode(status, forKey: .status)
        case .log(let text):
            try object.encode("log", forKey: .reply)
            try object.encode(text, forKey: .log)
        case .devices(let devices):
            try object.encode("devices", forKey: .reply)
            try object.encode(devices, forKey: .devices)
        case .description(let description):
            try object.encode("description", forKey: .reply)
            try object.encode(description, forKey: .description)
        case .error(let error):
            try object.encode("error", forKey: .reply)
            try object.encode(error, forKey: .error)
        case .ended(let end):
            try object.encode("ended", forKey: .event)
            try object.encode(end, forKey: .end)
        }
    }
}

/// The members of all messages.
enum MessageKey: String, CodingKey {
    case version, request, mode, reply, event, status, error, end
    case domainID, name, kib, count, vcpu, hard, soft, letter, trigger, clears, keys, path, disk, network, kind, id, forced, description
    case log, devices
}

func checkVersion(of object: KeyedDecodingContainer<MessageKey>) throws {
    let version = try object.decode(Int.self, forKey: .version)
    guard version == controlProtocolVersion else { throw unknown("\(version)", .version, in: object) }
}

func unknown(_ word: String, _ key: MessageKey, in object: KeyedDecodingContainer<MessageKey>) -> DecodingError {
    .dataCorruptedError(forKey: key, in: object, debugDescription: "unknown \(key.rawValue) \(word)")
}
