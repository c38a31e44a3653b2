import Martlet

/// The guests of the user who runs this program.
enum Guests {
    static func registry() throws(OperatorError) -> GuestRegistry {
        try GuestRegistry(directory: Environment.current.runtimeDirectory)
    }

    static func find(_ word: String) throws(OperatorError) -> GuestRegistry.Entry {
        if word == "0" || word == "Domain-0" {
            throw OperatorError("\(word) is the host, not a guest", remedy: "name a guest; `martlet list' shows them")
        }
        return try registry().find(word)
    }
}
