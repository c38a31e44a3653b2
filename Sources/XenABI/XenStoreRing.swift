/// The page that a guest shares with its xenstore: two byte rings, their indices and the fields of a connection. Byte offsets.
///
///     requests 0 | replies 1024 | req_cons 2048 | req_prod 2052 | rsp_cons 2056 | rsp_prod 2060
///     server_features 2064 | connection 2068 | error 2072
///
/// Reference: Xen `public/io/xs_wire.h`, `struct xenstore_domain_interface`; `docs/misc/xenstore-ring.txt`.
public enum XenStoreRing {
    /// Of each ring; a power of two.
    public static let byteCount = 1024
    public static let requests = 0
    public static let replies = 1024
    public static let requestConsumer = 2048
    public static let requestProducer = 2052
    public static let replyConsumer = 2056
    public static let replyProducer = 2060
    public static let features = 2064
    public static let connection = 2068
    public static let error = 2072

    /// The bits of `server_features`.
    public enum Feature {
        public static let reconnection: UInt32 = 1
        public static let errorField: UInt32 = 2
    }

    /// The values of `connection`.
    public enum Connection {
        public static let isConnected: UInt32 = 0
        /// The guest wants to start over, and waits for ``isConnected``.
        public static let reconnects: UInt32 = 1
    }

    /// The values of `error`: why the server has stopped serving the ring.
    public enum Failure: UInt32, Sendable {
        case none = 0
        case communication = 1
        /// The indices cannot be.
        case ringIndex = 2
        /// What came is no packet.
        case protocolViolation = 3
    }
}
