/// A lexical unit of xl.cfg.
enum ConfigToken: Equatable {
    case name(String)
    case number(String)
    case string(String)
    case assign, append, comma, openList, closeList
    /// A newline or a semicolon; only the newline ends a comment and is skipped inside lists.
    case newline, semicolon
    case end
    /// Something the grammar has no place for.
    case bad(LexicalError)
}

struct LexicalError: Error, Equatable {
    var message: String
    var remedy = ""
}

/// A token with the line it starts on and the text it was made of.
struct PlacedToken {
    var token: ConfigToken
    var line: Int
    var text: String
}
