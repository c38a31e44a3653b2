/// One change that a client asks for; a transaction's log is a list of them.
enum Mutation: Sendable {
    case write(StorePath, [UInt8])
    case makeDirectory(StorePath)
    case remove(StorePath)
    case setPermissions(StorePath, Permissions)

    var path: StorePath {
        switch self {
        case .write(let path, _), .makeDirectory(let path), .remove(let path), .setPermissions(let path, _): path
        }
    }
}

extension Mutation {
    var valueByteCount: Int { if case .write(_, let value) = self { value.count } else { 0 } }
}

/// What a mutation did, for those who watch.
struct Change: Sendable {
    var path: StorePath
    /// The node and everything below it is gone.
    var isRemoval: Bool
    /// What was there, kept only where it may have let somebody look who now may not.
    var before: Former?

    /// A place as it was before its change.
    struct Former: Sendable {
        /// Nobody changes it any more: it is out of the tree, or a copy.
        var node: Node
        var parentPermissions: Permissions?
    }
}

extension Tree {
    /// Makes one change on behalf of `requester`.
    ///
    /// - Returns: nil where there was nothing to do.
    /// - Throws: a ``StoreError``; nothing has changed then.
    mutating func apply(_ mutation: Mutation, by requester: Requester, within quotas: Quotas) throws(StoreError) -> Change? {
        switch mutation {
        case .write(let path, let value):
            guard requester.isPrivileged || value.count <= quotas.nodeSize else { throw .noSpace }
            return try write(value, at: path, keepsExisting: false, by: requester, within: quotas)
        case .makeDirectory(let path):
            return try write([], at: path, keepsExisting: true, by: requester, within: quotas)
        case .remove(let path):
            return try remove(path, by: requester)
        case .setPermissions(let path, let permissions):
            guard requester.isPrivileged || permissions.entries.count <= quotas.permissions else { throw .noSpace }
            return try setPermissions(permissions, at: path, by: requester)
        }
    }

    private mutating func write(
        _ value: [UInt8], at path: StorePath, keepsExisting: Bool, by requester: Requester, within quotas: Quotas
    ) throws(StoreError) -> Change? {
        let (node, depth) = deepest(towards: path)
        guard requester.may(.write, node.permissions) else { throw .accessDenied }
        if depth == path.components.count {
            guard !keepsExisting else { return nil }
            setValue(value, at: path)
        } else {
            guard !path.isSpecial else { throw .invalidArgument }
            var permissions = node.permissions
            if !requester.isPrivileged {
                permissions.owner = requester.domain
                let missing = path.components.count - depth
                guard nodeCounts[requester.domain, default: 0] + missing <= quotas.nodes else { throw .noSpace }
            }
            insert(value, at: path, below: depth, permissions: permissions)
        }
        return Change(path: path, isRemoval: false)
    }

    private mutating func remove(_ path: StorePath, by requester: Requester) throws(StoreError) -> Change? {
        guard let parent = path.parent, !path.isSpecial else { throw .invalidArgument }
        guard let permissions = node(path)?.permissions else {
            guard node(parent) != nil else { throw missing(path, for: requester) }
            return nil
        }
        guard requester.may(.write, permissions) else { throw .accessDenied }
        let parentPermissions = node(parent)?.permissions
        return Change(path: path, isRemoval: true, before: Change.Former(node: remove(path), parentPermissions: parentPermissions))
    }

    private mutating func setPermissions(
        _ permissions: Permissions, at path: StorePath, by requester: Requester
    ) throws(StoreError) -> Change {
        guard let former = node(path).map(Node.init(copying:)) else { throw missing(path, for: requester) }
        guard requester.owns(former.permissions) else { throw .accessDenied }
        guard requester.isPrivileged || permissions.owner == former.permissions.owner else { throw .notPermitted }
        setPermissions(permissions, at: path)
        return Change(path: path, isRemoval: false, before: Change.Former(node: former))
    }

    /// Who may not look into the nearest existing node does not learn what is missing in it.
    func missing(_ path: StorePath, for requester: Requester) -> StoreError {
        requester.may(.read, deepest(towards: path).node.permissions) ? .noSuchEntry : .accessDenied
    }

    /// The node, if `requester` may read it.
    ///
    /// - Throws: ``StoreError/noSuchEntry``, ``StoreError/accessDenied``.
    func readable(_ path: StorePath, by requester: Requester) throws(StoreError) -> Node {
        guard let node = node(path) else { throw missing(path, for: requester) }
        guard requester.may(.read, node.permissions) else { throw .accessDenied }
        return node
    }

    /// Whether a watcher may learn that something happened at `path`: it may read the node or the one above it.
    func lets(_ requester: Requester, noticeAt path: StorePath) -> Bool {
        if requester.isPrivileged { return true }
        if let node = node(path), requester.may(.read, node.permissions) { return true }
        guard let parent = path.parent, !path.isSpecial, let node = node(parent) else { return false }
        return requester.may(.read, node.permissions)
    }
}

extension Change.Former {
    /// The same question about the time before a change at `changed`; `path` is there or below.
    func lets(_ requester: Requester, noticeAt path: StorePath, changed: StorePath) -> Bool {
        var parent = parentPermissions
        var place: Node? = node
        for name in path.components[changed.components.count...] {
            parent = place?.permissions
            place = place?.child(name)
        }
        return [place?.permissions, parent].contains { $0.map { requester.may(.read, $0) } ?? false }
    }
}
