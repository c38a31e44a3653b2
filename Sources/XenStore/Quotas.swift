/// What an unprivileged domain may use; domain 0 has no limits.
public struct Quotas: Hashable, Sendable {
    /// Nodes the domain owns.
    public var nodes = 1000
    public var watches = 128
    /// Transactions open at one time.
    public var transactions = 10
    /// Nodes looked at, and changes made, in one transaction.
    public var transactionNodes = 1024
    /// Bytes of one node's value.
    public var nodeSize = 2048
    /// Entries in one node's permissions.
    public var permissions = 5

    public init() {}

    /// The names of GET_QUOTA and SET_QUOTA.
    static let fields: [(name: String, field: any WritableKeyPath<Quotas, Int> & Sendable)] = [
        ("nodes", \.nodes), ("watches", \.watches), ("transactions", \.transactions),
        ("transaction-nodes", \.transactionNodes), ("node-size", \.nodeSize), ("permissions", \.permissions),
    ]

    static func field(named name: ArraySlice<UInt8>) -> (any WritableKeyPath<Quotas, Int> & Sendable)? {
        fields.first { $0.name.utf8.elementsEqual(name) }?.field
    }
}
