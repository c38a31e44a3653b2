/// The one line a guest process writes to the pipe its creator gave it (file descriptor 3), before it closes the pipe.
///
/// `{"ready":{…}}` once the domain is built, paused, and its sockets listen; `{"error":{…}}` when that failed and nothing is left.
/// A pipe that closes without a line means that the process died.
public enum StartupReport: Codable, Equatable, Sendable {
    case ready(Ready)
    case error(OperatorError)

    /// The descriptor a guest process finds the pipe at.
    public static let fileDescriptor: Int32 = 3

    public struct Ready: Codable, Equatable, Sendable {
        public var processID: Int32
        /// The engine that was chosen, for messages.
        public var engine: String
        /// What ``GuestDescription/cpuid`` asks for and this engine does not show; only the bits in question are 0 or 1. nil for nothing.
        public var unmetCPUID: [CPUIDOverride]?

        public init(processID: Int32, engine: String, unmetCPUID: [CPUIDOverride]? = nil) {
            self.processID = processID
            self.engine = engine
            self.unmetCPUID = unmetCPUID
        }
    }

    private enum Key: String, CodingKey { case ready, error }

    public init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: Key.self)
        if let ready = try object.decodeIfPresent(Ready.self, forKey: .ready) {
            self = .ready(ready)
        } else {
            self = .error(try object.decode(OperatorError.self, forKey: .error))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Key.self)
        switch self {
        case .ready(let ready): try object.encode(ready, forKey: .ready)
        case .error(let error): try object.encode(error, forKey: .error)
        }
    }
}
