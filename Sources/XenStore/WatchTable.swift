/// One client's wish to hear about changes at or below a place.
struct Watch: Sendable {
    var connection: ConnectionID
    var path: StorePath
    /// The path as the client wrote it, which events repeat.
    var spelling: String
    var isRelative: Bool
    var token: [UInt8]
    /// How many levels below `path` are of interest; nil for all.
    var depth: Int?
}

/// All watches, found by the path that changes: a tree of names with watches at its branches.
struct WatchTable: Sendable {
    private struct Branch: Sendable {
        var watches: [Watch] = []
        var children: [String: Branch] = [:]
        var isEmpty: Bool { watches.isEmpty && children.isEmpty }
    }

    private var root = Branch()

    func contains(_ watch: Watch) -> Bool {
        var branch = root
        for name in watch.path.components {
            guard let child = branch.children[name] else { return false }
            branch = child
        }
        return branch.watches.contains { $0.connection == watch.connection && $0.token == watch.token }
    }

    mutating func insert(_ watch: Watch) {
        Self.insert(watch, into: &root, watch.path.components[...])
    }

    private static func insert(_ watch: Watch, into branch: inout Branch, _ path: ArraySlice<String>) {
        guard let name = path.first else { return branch.watches.append(watch) }
        insert(watch, into: &branch.children[name, default: Branch()], path.dropFirst())
    }

    mutating func remove(_ watch: Watch) {
        Self.remove(watch, from: &root, watch.path.components[...])
    }

    private static func remove(_ watch: Watch, from branch: inout Branch, _ path: ArraySlice<String>) {
        guard let name = path.first else {
            return branch.watches.removeAll { $0.connection == watch.connection && $0.token == watch.token }
        }
        guard branch.children[name] != nil else { return }
        remove(watch, from: &branch.children[name]!, path.dropFirst())
        if branch.children[name]!.isEmpty { branch.children[name] = nil }
    }

    /// Calls `body` for each watch that a change concerns: those at or above its path, and for a removal those below.
    /// `body` also learns whether the watch lies below.
    func forEach(concernedBy change: Change, _ body: (Watch, _ isBelow: Bool) -> Void) {
        var branch = root
        for (level, name) in change.path.components.enumerated() {
            let distance = change.path.components.count - level
            for watch in branch.watches where watch.depth.map({ distance <= $0 }) ?? true { body(watch, false) }
            guard let child = branch.children[name] else { return }
            branch = child
        }
        for watch in branch.watches { body(watch, false) }
        if change.isRemoval { Self.forEach(below: branch) { body($0, true) } }
    }

    private static func forEach(below branch: Branch, _ body: (Watch) -> Void) {
        for (_, child) in branch.children.sorted(by: { $0.key < $1.key }) {
            for watch in child.watches { body(watch) }
            forEach(below: child, body)
        }
    }
}
