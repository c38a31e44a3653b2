/// The operations on nodes, typed: what a request asks for once it is taken apart, and what our own program calls.
///
/// `transaction` is 0 outside a transaction. Each throws a ``StoreError`` and has changed nothing then.
extension Store {
    public func hasTransaction(_ transaction: UInt32, of id: ConnectionID) -> Bool {
        connections[id]?.transactions[transaction] != nil
    }

    public mutating func read(_ path: StorePath, in transaction: UInt32 = 0, by id: ConnectionID) throws(StoreError) -> [UInt8] {
        try look(at: path, .content, in: transaction, by: id).value
    }

    public mutating func permissions(of path: StorePath, in transaction: UInt32 = 0, by id: ConnectionID) throws(StoreError) -> Permissions
    {
        try look(at: path, .content, in: transaction, by: id).permissions
    }

    /// The names of the children, sorted, and a number that changes when they do.
    public mutating func directory(
        _ path: StorePath, in transaction: UInt32 = 0, by id: ConnectionID
    ) throws(StoreError) -> (names: [String], generation: UInt64) {
        let node = try look(at: path, .children, in: transaction, by: id)
        return (node.names, node.childrenGeneration)
    }

    public mutating func write(_ value: [UInt8], to path: StorePath, in transaction: UInt32 = 0, by id: ConnectionID) throws(StoreError) {
        try apply(.write(path, value), in: transaction, by: id)
    }

    /// Creates a node without a value; does nothing to one that exists.
    public mutating func makeDirectory(_ path: StorePath, in transaction: UInt32 = 0, by id: ConnectionID) throws(StoreError) {
        try apply(.makeDirectory(path), in: transaction, by: id)
    }

    /// Removes a node and all below it; does nothing where there is none in an existing parent.
    public mutating func remove(_ path: StorePath, in transaction: UInt32 = 0, by id: ConnectionID) throws(StoreError) {
        try apply(.remove(path), in: transaction, by: id)
    }

    public mutating func setPermissions(
        _ permissions: Permissions, of path: StorePath, in transaction: UInt32 = 0, by id: ConnectionID
    ) throws(StoreError) {
        try apply(.setPermissions(path, permissions), in: transaction, by: id)
    }

    // MARK: - transactions

    /// Opens a transaction and returns its id, never 0.
    ///
    /// - Throws: ``StoreError/noSpace`` when a guest has too many open.
    public mutating func startTransaction(by id: ConnectionID) throws(StoreError) -> UInt32 {
        let requester = requester(id)
        guard requester.isPrivileged || connections[id]!.transactions.count < quotas(of: requester.domain).transactions else {
            throw .noSpace
        }
        let transaction = newTransactionID(for: id)
        connections[id]!.transactions[transaction] = Transaction(tree)
        return transaction
    }

    /// Ends a transaction; its changes become visible, and watchers hear of them, only if `commits`.
    ///
    /// - Throws: ``StoreError/noSuchEntry`` for an unknown id; ``StoreError/tryAgain`` when somebody else changed what it saw
    ///   or changed. The transaction is over in every case.
    public mutating func endTransaction(_ transaction: UInt32, commits: Bool, by id: ConnectionID) throws(StoreError) {
        guard let ended = connections[id]!.transactions.removeValue(forKey: transaction) else { throw .noSuchEntry }
        // One that only looked saw a consistent snapshot, whatever happened since.
        guard commits, !ended.log.isEmpty else { return }
        guard ended.isUndisturbed(in: tree) else { throw .tryAgain }
        let requester = requester(id)
        let quotas = quotas(of: requester.domain)
        var result = tree
        var changes: [Change] = []
        for mutation in ended.log {
            do throws(StoreError) {
                if let change = try result.apply(mutation, by: requester, within: quotas) { changes.append(change) }
            } catch {
                throw .tryAgain
            }
        }
        tree = result
        for change in changes { fire(change) }
    }

    // MARK: - inside

    private mutating func look(
        at path: StorePath, _ aspect: Transaction.Dependency.Aspect, in transaction: UInt32, by id: ConnectionID
    ) throws(StoreError) -> Node {
        let requester = requester(id)
        guard transaction != 0 else { return try tree.readable(path, by: requester) }
        try inTransaction(transaction, of: id) { (open, limit) throws(StoreError) in
            try open.depend(on: path, .content, limit: limit)
            if aspect != .content { try open.depend(on: path, aspect, limit: limit) }
        }
        return try connections[id]!.transactions[transaction]!.tree.readable(path, by: requester)
    }

    private mutating func apply(_ mutation: Mutation, in transaction: UInt32, by id: ConnectionID) throws(StoreError) {
        let requester = requester(id)
        let quotas = quotas(of: requester.domain)
        guard transaction != 0 else {
            if let change = try tree.apply(mutation, by: requester, within: quotas) { fire(change) }
            return
        }
        try inTransaction(transaction, of: id) { (open, limit) throws(StoreError) in
            let ancestor = mutation.path.components.prefix(open.tree.deepest(towards: mutation.path).depth)
            try open.depend(on: StorePath(components: Array(ancestor)), .content, limit: limit)
            let aspect: Transaction.Dependency.Aspect = if case .remove = mutation { .subtree } else { .content }
            try open.depend(on: mutation.path, aspect, limit: limit)
            try open.record(mutation, limit: limit)
            do throws(StoreError) {
                _ = try open.tree.apply(mutation, by: requester, within: quotas)
            } catch {
                open.forgetLastRecord()
                throw error
            }
        }
    }

    private mutating func inTransaction(
        _ transaction: UInt32, of id: ConnectionID, _ body: (inout Transaction, _ limit: Int?) throws(StoreError) -> Void
    ) throws(StoreError) {
        guard connections[id]!.transactions[transaction] != nil else { throw .noSuchEntry }
        let requester = requester(id)
        let limit = requester.isPrivileged ? nil : quotas(of: requester.domain).transactionNodes
        try body(&connections[id]!.transactions[transaction]!, limit)
    }
}
