/// What a frontend's nodes say about its connection, whatever the kind of device.
extension DeviceNodes {
    /// Its ports: queue by queue, sending before receiving.
    public var eventChannels: [UInt32] { numbers { $0.hasPrefix("event-channel") } }

    /// Its ring pages: queue by queue, sending before receiving, pages in order.
    public var ringReferences: [UInt32] { numbers { $0.contains("ring-ref") } }

    /// The nodes that change when a frontend makes itself a new connection.
    var connection: [String: String] {
        texts.filter { path, _ in path.contains("ring-ref") || path.contains("event-channel") }
    }

    private func numbers(_ isWanted: (Substring) -> Bool) -> [UInt32] {
        let places = texts.keys.compactMap { path -> (queue: Int, name: Substring, path: String)? in
            let parts = path.split(separator: "/")
            guard let name = parts.last, parts.count <= 2, isWanted(name) else { return nil }
            guard parts.count == 2 else { return (0, name, path) }
            return Self.trailingNumber(parts[0]).map { ($0, name, path) }
        }
        return places.sorted { ($0.queue, Self.rank($0.name)) < ($1.queue, Self.rank($1.name)) }.compactMap { number($0.path) }
    }

    private static func rank(_ name: Substring) -> Int {
        if name.hasSuffix("-tx") || name.hasPrefix("tx-") { return -2 }
        if name.hasSuffix("-rx") || name.hasPrefix("rx-") { return -1 }
        return trailingNumber(name) ?? 0
    }

    private static func trailingNumber(_ name: Substring) -> Int? {
        Int(name.drop { !$0.isNumber }.prefix { $0.isNumber })
    }
}
