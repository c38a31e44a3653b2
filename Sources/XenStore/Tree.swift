/// The nodes of a store as one value: a copy costs nothing, and a change copies only the nodes from the root to the place.
struct Tree: Sendable {
    private(set) var root: Node
    /// How many nodes each domain owns.
    private(set) var nodeCounts: [UInt16: Int] = [0: 1]
    /// Counts changes; grows with each.
    private(set) var generation: UInt64 = 1

    init() {
        root = Node(value: [], permissions: Permissions(owner: 0), generation: 1)
    }

    func node(_ path: StorePath) -> Node? {
        var node = root
        for name in path.components {
            guard let child = node.child(name) else { return nil }
            node = child
        }
        return node
    }

    /// The deepest node on the way to `path`, and how many names lead to it.
    func deepest(towards path: StorePath) -> (node: Node, depth: Int) {
        var node = root
        var depth = 0
        for name in path.components {
            guard let child = node.child(name) else { break }
            node = child
            depth += 1
        }
        return (node, depth)
    }

    // MARK: - changes

    mutating func setValue(_ value: [UInt8], at path: StorePath) {
        update(path.components[...]) { node, generation in
            node.value = value
            node.contentGeneration = generation
        }
    }

    mutating func setPermissions(_ permissions: Permissions, at path: StorePath) {
        guard let node = node(path) else { return }
        nodeCounts[node.permissions.owner, default: 0] -= 1
        nodeCounts[permissions.owner, default: 0] += 1
        update(path.components[...]) { node, generation in
            node.permissions = permissions
            node.contentGeneration = generation
        }
    }

    /// Creates the node and the missing ones above it; only the last one gets the value.
    ///
    /// - Precondition: `depth` names of `path` lead to an existing node, and no more.
    mutating func insert(_ value: [UInt8], at path: StorePath, below depth: Int, permissions: Permissions) {
        let missing = path.components[depth...]
        nodeCounts[permissions.owner, default: 0] += missing.count
        let generation = generation + 1
        var node = Node(value: value, permissions: permissions, generation: generation)
        for name in missing.dropFirst().reversed() {
            let parent = Node(value: [], permissions: permissions, generation: generation)
            parent.insert(node, named: name)
            node = parent
        }
        update(path.components[..<depth]) { parent, generation in
            parent.insert(node, named: missing.first!)
            parent.childrenGeneration = generation
        }
    }

    /// Removes the node and everything below it, and returns it.
    ///
    /// - Precondition: the node exists and is not the root.
    mutating func remove(_ path: StorePath) -> Node {
        let name = path.components.last!
        var removed: Node?
        update(path.components.dropLast()) { parent, generation in
            removed = parent.removeChild(at: parent.index(of: name)!)
            parent.childrenGeneration = generation
        }
        var remaining = [removed!]
        while let node = remaining.popLast() {
            nodeCounts[node.permissions.owner, default: 0] -= 1
            remaining.append(contentsOf: node.children)
        }
        return removed!
    }

    /// Traps where the counts or the order of names do not fit the nodes.
    func checkInvariants() {
        var counts: [UInt16: Int] = [:]
        var remaining = [root]
        while let node = remaining.popLast() {
            counts[node.permissions.owner, default: 0] += 1
            precondition(node.names.count == node.children.count, "every name has its node")
            precondition(zip(node.names, node.names.dropFirst()).allSatisfy { $0 < $1 }, "names are sorted")
            remaining.append(contentsOf: node.children)
        }
        precondition(counts == nodeCounts.filter { $0.value != 0 }, "node counts fit the tree")
    }

    private mutating func update(_ path: ArraySlice<String>, _ change: (Node, UInt64) -> Void) {
        generation += 1
        Self.update(&root, path, generation, change)
    }

    private static func update(_ node: inout Node, _ path: ArraySlice<String>, _ generation: UInt64, _ change: (Node, UInt64) -> Void) {
        if !isKnownUniquelyReferenced(&node) { node = Node(copying: node) }
        node.subtreeGeneration = generation
        guard let name = path.first else { return change(node, generation) }
        guard let index = node.index(of: name) else { preconditionFailure("a change needs an existing place") }
        update(&node.children[index], path.dropFirst(), generation, change)
    }
}
