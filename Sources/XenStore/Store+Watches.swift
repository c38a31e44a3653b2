extension Store {
    /// Reports changes at and below `path`, and one event at once so that the watcher looks for a first time.
    ///
    /// - Parameters:
    ///   - spelling: the path as events for this very node repeat it.
    ///   - depth: how many levels below `path` count; nil for all.
    /// - Throws: ``StoreError/alreadyExists`` for the same path and token, ``StoreError/tooBig`` when a guest has too many.
    public mutating func watch(
        _ path: StorePath, spelling: String? = nil, token: [UInt8], depth: Int? = nil, by id: ConnectionID
    ) throws(StoreError) {
        let spelling = spelling ?? path.description
        let first = spelling.utf8.first
        let watch = Watch(
            connection: id, path: path, spelling: spelling,
            isRelative: first != UInt8(ascii: "/") && first != UInt8(ascii: "@"), token: token, depth: depth)
        guard !watches.contains(watch) else { throw .alreadyExists }
        let requester = requester(id)
        guard requester.isPrivileged || connections[id]!.watches.count < quotas(of: requester.domain).watches else { throw .tooBig }
        watches.insert(watch)
        connections[id]!.watches.append(watch)
        connections[id]!.post(Connection.Event(path: spelling, token: token))
    }

    /// - Throws: ``StoreError/noSuchEntry`` when there is no such watch.
    public mutating func unwatch(_ path: StorePath, token: [UInt8], by id: ConnectionID) throws(StoreError) {
        guard let index = connections[id]!.watches.firstIndex(where: { $0.path == path && $0.token == token }) else {
            throw .noSuchEntry
        }
        watches.remove(connections[id]!.watches.remove(at: index))
    }
}
