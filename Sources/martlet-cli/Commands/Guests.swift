import Martlet

/// The guests of the user who runs this program.
enum Guests {
    static func registry() throws(OperatorError) -> GuestRegistry {
        try GuestRegistry(directory: Environment.current.runtimeDirectory)
    }

    static func find(_ word: String) throws(OperatorError) -> Guest {
        guard !isHost(word) else {
            throw OperatorError("\(word) is the host, not a guest", remedy: "name a guest; `martlet list' shows them")
        }
        return try registry().find(word)
    }

    /// Domain 0, which only listings know.
    static func isHost(_ word: String) -> Bool { word == "0" || word == "Domain-0" }

    /// What listings are about: the host (nil) or a guest.
    ///
    /// - Parameter words: names and domain IDs; none for the host and all guests.
    static func select(_ words: [String]) throws(OperatorError) -> [Guest?] {
        if words.isEmpty { return [nil] + (try registry().guests()) }
        var selection: [Guest?] = []
        for word in words { selection.append(isHost(word) ? nil : try find(word)) }
        return selection
    }
}
