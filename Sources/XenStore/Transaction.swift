/// A snapshot a client works on, what it saw there and what it changed.
///
/// At the end its changes are made again on the store as it is then, provided nobody has changed what the transaction saw
/// or changed itself. Writers of different nodes, even of one directory, do not meet; nor do two who add different children.
struct Transaction: Sendable {
    /// A part of a node that a transaction relies on.
    struct Dependency: Hashable, Sendable {
        enum Aspect: Sendable {
            /// Whether it exists, its value and permissions.
            case content
            /// The names of its children.
            case children
            /// Everything here and below.
            case subtree
        }
        var path: StorePath
        var aspect: Aspect
    }

    let base: Tree
    var tree: Tree
    private(set) var dependencies: Set<Dependency> = []
    private(set) var log: [Mutation] = []
    /// What paths and values take, roughly.
    private var byteCount = 0
    /// How much that may be for an unprivileged client: a path may have 1500 names, and each is kept by itself.
    static let maximumByteCount = 4 << 20

    init(_ tree: Tree) {
        base = tree
        self.tree = tree
    }

    /// Notes that the client saw this.
    ///
    /// - Throws: ``StoreError/noSpace`` when an unprivileged client looked at more than its quota allows.
    mutating func depend(on path: StorePath, _ aspect: Dependency.Aspect, limit: Int?) throws(StoreError) {
        guard dependencies.insert(Dependency(path: path, aspect: aspect)).inserted else { return }
        byteCount += path.footprint
        if let limit, dependencies.count > limit || byteCount > Self.maximumByteCount { throw .noSpace }
    }

    mutating func record(_ mutation: Mutation, limit: Int?) throws(StoreError) {
        let size = mutation.path.footprint + mutation.valueByteCount
        if let limit, log.count >= limit || byteCount + size > Self.maximumByteCount { throw .noSpace }
        byteCount += size
        log.append(mutation)
    }

    /// Takes back the last ``record(_:limit:)``, of a change that was refused.
    mutating func forgetLastRecord() { log.removeLast() }

    /// Whether `current` still holds all that the transaction relies on as it was in the snapshot.
    func isUndisturbed(in current: Tree) -> Bool {
        if current.generation == base.generation { return true }
        return dependencies.allSatisfy { Self.stamp($0, in: base) == Self.stamp($0, in: current) }
    }

    /// 0 for a node that does not exist.
    private static func stamp(_ dependency: Dependency, in tree: Tree) -> UInt64 {
        guard let node = tree.node(dependency.path) else { return 0 }
        return switch dependency.aspect {
        case .content: node.contentGeneration
        case .children: node.childrenGeneration
        case .subtree: node.subtreeGeneration
        }
    }
}
