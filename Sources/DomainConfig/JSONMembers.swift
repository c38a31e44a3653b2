/// The members of a JSON object under construction; nil adds nothing.
struct JSONMembers {
    private(set) var all: [(String, JSONText)] = []

    mutating func add(_ key: String, _ value: JSONText) { all.append((key, value)) }
    mutating func add(_ key: String, _ value: String?) { if let value { add(key, .string(value)) } }
    mutating func add(_ key: String, _ value: Int64?) { if let value { add(key, .number(value)) } }
    mutating func add(_ key: String, _ value: Bool?) { if let value { add(key, JSONText.boolean(value)) } }
    /// An array, unless it is empty.
    mutating func add(_ key: String, _ elements: [JSONText]) { if !elements.isEmpty { add(key, .array(elements)) } }
}
