/// From the bytes of a request to the bytes of its reply.
extension Store {
    private static let ok: [UInt8] = [UInt8(ascii: "O"), UInt8(ascii: "K"), 0]

    mutating func answer(_ type: MessageType, _ request: Packet, from id: ConnectionID) throws(StoreError) -> [UInt8] {
        let transaction = request.transactionID
        switch type {
        case .read:
            return try read(path(in: request, of: id), in: transaction, by: id)
        case .directory:
            return try directory(path(in: request, of: id), in: transaction, by: id).names.flatMap { $0.utf8 + [0] }
        case .directoryPart:
            return try directoryPart(request, from: id)
        case .getPermissions:
            return try permissions(of: path(in: request, of: id), in: transaction, by: id).entries.flatMap { $0.description.utf8 + [0] }
        case .write:
            let end = try request.payload.firstIndex(of: 0).orInvalid()
            let path = try StorePath(bytes: request.payload[..<end], of: requester(id).domain)
            try write(Array(request.payload[(end + 1)...]), to: path, in: transaction, by: id)
        case .makeDirectory:
            try makeDirectory(path(in: request, of: id), in: transaction, by: id)
        case .remove:
            try remove(path(in: request, of: id), in: transaction, by: id)
        case .setPermissions:
            let words = try words(of: request, 2...)
            let path = try StorePath(bytes: words[0], of: requester(id).domain)
            try setPermissions(Permissions(words: words.dropFirst()), of: path, in: transaction, by: id)
        case .transactionStart:
            _ = try words(of: request, 0...1)
            guard transaction == 0 else { throw .busy }
            return text(String(try startTransaction(by: id)))
        case .transactionEnd:
            let commits = try flag(words(of: request, 1...1)[0])
            try endTransaction(transaction, commits: commits, by: id)
        case .watch:
            let words = try words(of: request, 2...3)
            let path = try StorePath(bytes: words[0], of: requester(id).domain)
            let depth = words.count == 3 ? try decimal(words[2], as: Int.self).orInvalid() : nil
            try watch(path, spelling: String(decoding: words[0], as: UTF8.self), token: Array(words[1]), depth: depth, by: id)
        case .unwatch:
            let words = try words(of: request, 2...2)
            try unwatch(StorePath(bytes: words[0], of: requester(id).domain), token: Array(words[1]), by: id)
        case .resetWatches:
            // Drops transactions and waiting events too: they are of no use to who starts over.
            reset(id)
        case .watchEvent, .error:
            throw .notSupported
        case .control, .introduce, .release, .getDomainPath, .isDomainIntroduced, .resume, .setTarget,
            .getFeature, .setFeature, .getQuota, .setQuota:
            return try answerAboutDomains(type, request, from: id)
        }
        return Self.ok
    }

    /// Part of a long directory: the generation, then whole names from a byte offset; an empty name ends the last part.
    private mutating func directoryPart(_ request: Packet, from id: ConnectionID) throws(StoreError) -> [UInt8] {
        let words = try words(of: request, 2...2)
        let path = try StorePath(bytes: words[0], of: requester(id).domain)
        let offset = try decimal(words[1], as: Int.self).orInvalid()
        let (names, generation) = try directory(path, in: request.transactionID, by: id)
        let list = names.flatMap { $0.utf8 + [0] }
        let reply = text(String(generation))
        let rest = list.dropFirst(offset)
        let room = Packet.maximumPayloadByteCount - reply.count - 1
        guard rest.count > room else { return reply + rest + [0] }
        let end = rest.prefix(room).lastIndex(of: 0) ?? rest.startIndex
        return reply + rest[..<(end + 1)]
    }

    // MARK: - INTRODUCE and the like

    private mutating func answerAboutDomains(_ type: MessageType, _ request: Packet, from id: ConnectionID) throws(StoreError) -> [UInt8] {
        switch type {
        case .getDomainPath:
            return text("/local/domain/\(try domain(words(of: request, 1...1)[0]))")
        case .isDomainIntroduced:
            return text(isIntroduced(domain: try domain(words(of: request, 1...1)[0])) ? "T" : "F")
        case .getFeature:
            return text(String(try feature(words(of: request, 0...1), from: id)))
        default:
            guard requester(id).isPrivileged else { throw .accessDenied }
            return try answerPrivileged(type, request)
        }
    }

    private mutating func answerPrivileged(_ type: MessageType, _ request: Packet) throws(StoreError) -> [UInt8] {
        switch type {
        case .introduce:
            let words = try words(of: request, 3...3)
            guard decimal(words[1], as: UInt64.self) != nil, decimal(words[2], as: UInt32.self) != nil else { throw .invalidArgument }
            introduce(domain: try domain(words[0]))
        case .release:
            try release(domain: domain(words(of: request, 1...1)[0]))
        case .resume:
            guard introduced.contains(try domain(words(of: request, 1...1)[0])) else { throw .noSuchEntry }
        case .setTarget:
            let words = try words(of: request, 2...2)
            let domains = (try domain(words[0]), try domain(words[1]))
            guard introduced.contains(domains.0), introduced.contains(domains.1) else { throw .noSuchEntry }
            targets[domains.0] = domains.1
        case .setFeature:
            let words = try words(of: request, 2...2)
            let (domain, features) = (try domain(words[0]), try decimal(words[1], as: UInt32.self).orInvalid())
            guard features & ~Self.features == 0 else { throw .invalidArgument }
            guard !introduced.contains(domain) else { throw .busy }
            domainFeatures[domain] = features
        case .getQuota:
            return try quota(words(of: request, 0...2))
        case .setQuota:
            try setQuota(words(of: request, 2...3))
        default:
            return text(try control(words(of: request, 1...)))
        }
        return Self.ok
    }

    private func feature(_ words: [ArraySlice<UInt8>], from id: ConnectionID) throws(StoreError) -> UInt32 {
        guard let word = words.first, !word.isEmpty else { return Self.features }
        guard requester(id).isPrivileged else { throw .accessDenied }
        return domainFeatures[try domain(word)] ?? Self.features
    }

    /// Without a name, the names; with one, the general value; with a domain and a name, the domain's.
    private func quota(_ words: [ArraySlice<UInt8>]) throws(StoreError) -> [UInt8] {
        guard let name = words.last, !name.isEmpty else { return text(Quotas.fields.map(\.name).joined(separator: " ")) }
        let field = try Quotas.field(named: name).orInvalid()
        let quotas = words.count == 2 ? quotas(of: try domain(words[0])) : quotas
        return text(String(quotas[keyPath: field]))
    }

    private mutating func setQuota(_ words: [ArraySlice<UInt8>]) throws(StoreError) {
        let name = words[words.count - 2]
        let field = try Quotas.field(named: name).orInvalid()
        let value = Int(try decimal(words[words.count - 1], as: Int32.self).orInvalid())
        guard words.count == 3 else { return quotas[keyPath: field] = value }
        let domain = try domain(words[0])
        domainQuotas[domain, default: [:]][String(decoding: name, as: UTF8.self)] = value
    }

    private mutating func control(_ words: [ArraySlice<UInt8>]) throws(StoreError) -> String {
        switch (String(decoding: words[0], as: UTF8.self), words.count) {
        case ("help", 1): return "check\nhelp\nquota [set <name> <value> | <domid>]"
        case ("check", 1):
            tree.checkInvariants()
            return "OK"
        case ("quota", 1):
            return Quotas.fields.map { "\($0.name): \(quotas[keyPath: $0.field])" }.joined(separator: "\n")
        case ("quota", 2): return usage(of: try domain(words[1]))
        case ("quota", 4) where words[1].elementsEqual("set".utf8):
            try setQuota(Array(words[2...]))
            return "OK"
        default: throw .invalidArgument
        }
    }

    /// What a domain uses of what it may use.
    private func usage(of domain: UInt16) -> String {
        let connections = connections.values.filter { $0.domain == domain }
        let used = [
            "nodes": tree.nodeCounts[domain, default: 0], "watches": connections.map(\.watches.count).reduce(0, +),
            "transactions": connections.map(\.transactions.count).reduce(0, +),
        ]
        let quotas = quotas(of: domain)
        return Quotas.fields.map { name, field in
            "\(name): " + (used[name].map { "\($0) of " } ?? "") + (domain == 0 ? "any number" : "\(quotas[keyPath: field])")
        }.joined(separator: "\n")
    }

    // MARK: - taking requests apart

    /// The words of a request, each of which must end with a zero byte.
    private func words(of request: Packet, _ count: some RangeExpression<Int>) throws(StoreError) -> [ArraySlice<UInt8>] {
        guard request.payload.last ?? 0 == 0 else { throw .invalidArgument }
        var words: [ArraySlice<UInt8>] = []
        var start = 0
        for index in request.payload.indices where request.payload[index] == 0 {
            words.append(request.payload[start..<index])
            start = index + 1
        }
        guard count.contains(words.count) else { throw .invalidArgument }
        return words
    }

    private func path(in request: Packet, of id: ConnectionID) throws(StoreError) -> StorePath {
        let payload = request.payload
        guard let end = payload.firstIndex(of: 0), end == payload.count - 1 else { throw .invalidArgument }
        return try StorePath(bytes: payload[..<end], of: requester(id).domain)
    }

    private func domain(_ word: ArraySlice<UInt8>) throws(StoreError) -> UInt16 {
        try decimal(word, as: UInt16.self).orInvalid()
    }

    private func flag(_ word: ArraySlice<UInt8>) throws(StoreError) -> Bool {
        switch Array(word) {
        case [UInt8(ascii: "T")]: true
        case [UInt8(ascii: "F")]: false
        default: throw .invalidArgument
        }
    }

    private func text(_ string: String) -> [UInt8] { Array(string.utf8) + [0] }
}

extension Optional {
    fileprivate func orInvalid() throws(StoreError) -> Wrapped {
        guard let self else { throw .invalidArgument }
        return self
    }
}
