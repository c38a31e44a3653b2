/// Text in, text out, as domain 0: for the process the store lives in.
extension Store {
    /// The value of a node as text, nil where there is none.
    ///
    /// - Precondition: `path` is a path.
    public func text(at path: String) -> String? {
        tree.node(Self.known(path)).map { String(decoding: $0.value, as: UTF8.self) }
    }

    /// - Precondition: `path` is a path.
    public mutating func setText(_ text: String, at path: String, in transaction: UInt32 = 0) throws(StoreError) {
        try write(Array(text.utf8), to: Self.known(path), in: transaction, by: local)
    }

    /// Every node with its value and permissions, parents first, names sorted: what `xenstore-ls -fp` shows.
    public func listing() -> [(path: String, value: [UInt8], permissions: Permissions)] {
        var result: [(path: String, value: [UInt8], permissions: Permissions)] = []
        var remaining = [(path: "", node: tree.root)]
        while let (path, node) = remaining.popLast() {
            if !path.isEmpty { result.append((path, node.value, node.permissions)) }
            for (name, child) in zip(node.names, node.children).reversed() { remaining.append((path + "/" + name, child)) }
        }
        return result
    }

    static func known(_ path: String) -> StorePath {
        do { return try StorePath(path) } catch { preconditionFailure("\(path) is no store path") }
    }
}
