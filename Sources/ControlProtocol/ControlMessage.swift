/// What a client asks of a guest process.
///
/// On the wire: one JSON object per line, for instance `{"version":1,"request":"shutdown","mode":"poweroff"}`.
public enum ControlRequest: Equatable, Sendable {
    /// Answered `hello`; lets a client check that somebody answers.
    case hello
    /// Answered `status`.
    case status
    /// Answered `ok` once no vCPU executes any more. Pausing a paused guest is fine.
    case pause
    /// Answered `ok`. Unpausing a running guest is fine.
    case unpause
    /// Answered `ok`, then the guest ends with ``GuestEnd/destroyed``.
    case destroy
    /// Writes `control/shutdown`; answered `ok` once written. The guest decides when it ends.
    case shutdown(ShutdownMode)
    /// Not answered at once: the connection gets an `ended` event when the guest ends.
    case wait
}

/// The words the guest's `control/shutdown` node takes.
public enum ShutdownMode: String, Codable, CaseIterable, Sendable {
    case poweroff, reboot, suspend, halt
}

/// What a guest process sends to a client: replies in the order of the requests, and events at any time.
public enum ControlReply: Equatable, Sendable {
    /// The guest's domain ID and name.
    case hello(domainID: UInt16, name: String)
    case ok
    case status(GuestStatus)
    case error(OperatorError)
    /// An event: the guest has ended. It is the last message of a connection.
    case ended(GuestEnd)
}

/// The version of the messages above. Both sides refuse any other.
public let controlProtocolVersion = 1

private enum Key: String, CodingKey {
    case version, request, mode, reply, event, status, error, end
    case domainID, name
}

extension ControlRequest: Codable {
    public init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: Key.self)
        try checkVersion(of: object)
        switch try object.decode(String.self, forKey: .request) {
        case "hello": self = .hello
        case "status": self = .status
        case "pause": self = .pause
        case "unpause": self = .unpause
        case "destroy": self = .destroy
        case "shutdown": self = .shutdown(try object.decode(ShutdownMode.self, forKey: .mode))
        case "wait": self = .wait
        case let word: throw unknown(word, .request, in: object)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Key.self)
        try object.encode(controlProtocolVersion, forKey: .version)
        try object.encode(word, forKey: .request)
        if case .shutdown(let mode) = self { try object.encode(mode, forKey: .mode) }
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
        }
    }
}

extension ControlReply: Codable {
    public init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: Key.self)
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
        case "error": self = .error(try object.decode(OperatorError.self, forKey: .error))
        case let word: throw unknown(word, .reply, in: object)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Key.self)
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
        case .error(let error):
            try object.encode("error", forKey: .reply)
            try object.encode(error, forKey: .error)
        case .ended(let end):
            try object.encode("ended", forKey: .event)
            try object.encode(end, forKey: .end)
        }
    }
}

private func checkVersion(of object: KeyedDecodingContainer<Key>) throws {
    let version = try object.decode(Int.self, forKey: .version)
    guard version == controlProtocolVersion else { throw unknown("\(version)", .version, in: object) }
}

private func unknown(_ word: String, _ key: Key, in object: KeyedDecodingContainer<Key>) -> DecodingError {
    .dataCorruptedError(forKey: key, in: object, debugDescription: "unknown \(key.rawValue) \(word)")
}
