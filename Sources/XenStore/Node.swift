/// One node of the tree.
///
/// A node that only one tree refers to is changed in place; one that a snapshot shares is copied first
/// (`isKnownUniquelyReferenced` in ``Tree``). That is what makes the reference safe to hand between threads.
final class Node: @unchecked Sendable {
    var value: [UInt8]
    var permissions: Permissions
    /// Sorted by their UTF-8; `children` runs in parallel.
    private(set) var names: [String] = []
    var children: [Node] = []

    /// The tree's generation when the value or the permissions last changed.
    var contentGeneration: UInt64
    /// … when a child last came or went.
    var childrenGeneration: UInt64
    /// … when anything here or below last changed.
    var subtreeGeneration: UInt64

    init(value: [UInt8], permissions: Permissions, generation: UInt64) {
        self.value = value
        self.permissions = permissions
        contentGeneration = generation
        childrenGeneration = generation
        subtreeGeneration = generation
    }

    init(copying other: Node) {
        value = other.value
        permissions = other.permissions
        names = other.names
        children = other.children
        contentGeneration = other.contentGeneration
        childrenGeneration = other.childrenGeneration
        subtreeGeneration = other.subtreeGeneration
    }

    /// Where `name` is or belongs.
    private func position(of name: String) -> Int {
        var low = 0
        var high = names.count
        while low < high {
            let middle = (low &+ high) &>> 1
            if names[middle] < name { low = middle &+ 1 } else { high = middle }
        }
        return low
    }

    func index(of name: String) -> Int? {
        let position = position(of: name)
        return position < names.count && names[position] == name ? position : nil
    }

    func child(_ name: String) -> Node? { index(of: name).map { children[$0] } }

    /// - Precondition: there is no such child yet.
    func insert(_ child: Node, named name: String) {
        let position = position(of: name)
        names.insert(name, at: position)
        children.insert(child, at: position)
    }

    func removeChild(at index: Int) -> Node {
        names.remove(at: index)
        return children.remove(at: index)
    }
}
