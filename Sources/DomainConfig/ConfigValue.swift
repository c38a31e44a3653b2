/// The value of a setting.
public indirect enum ConfigValue: Equatable, Sendable {
    /// A quoted string, or a number, which the grammar keeps as its text. `joined` tells that `+=` put it together.
    case atom(String, joined: Bool = false)
    case list([ConfigValue])

    /// The text of an atom.
    public var text: String? {
        if case .atom(let text, _) = self { text } else { nil }
    }
}

/// One assignment that is in force.
public struct ConfigSetting: Equatable, Sendable {
    public var name: String
    public var value: ConfigValue
    /// Where its last assignment starts.
    public var place: ConfigPlace
    /// Where each element starts, when the value is a list.
    public var elementPlaces: [ConfigPlace] = []

    /// Where an element stands, for messages about it.
    public func place(ofElement index: Int) -> ConfigPlace {
        elementPlaces.indices.contains(index) ? elementPlaces[index] : place
    }
}

/// The settings of a configuration, in the order of their first assignment.
public struct ConfigSettings: Equatable, Sendable {
    public private(set) var all: [ConfigSetting] = []
    private var indices: [String: Int] = [:]

    public init() {}

    public subscript(name: String) -> ConfigSetting? { indices[name].map { all[$0] } }

    /// `name = value`: the last assignment wins.
    mutating func assign(_ name: String, _ value: ConfigValue, at place: ConfigPlace, elements: [ConfigPlace] = []) {
        let setting = ConfigSetting(name: name, value: value, place: place, elementPlaces: elements)
        if let index = indices[name] {
            all[index] = setting
        } else {
            indices[name] = all.count
            all.append(setting)
        }
    }

    /// `name += value`: joins lists, strings, and an atom to a list; without an earlier value it assigns.
    ///
    /// - Throws: a diagnostic when a list would be joined to a string; the earlier value remains.
    mutating func append(
        _ name: String, _ value: ConfigValue, at place: ConfigPlace, elements: [ConfigPlace] = []
    ) throws(ConfigDiagnostic) {
        guard let earlier = self[name] else { return assign(name, value, at: place, elements: elements) }
        switch (earlier.value, value) {
        case (.list(let old), .list(let new)): assign(name, .list(old + new), at: place, elements: earlier.elementPlaces + elements)
        case (.list(let old), .atom): assign(name, .list(old + [value]), at: place, elements: earlier.elementPlaces + [place])
        case (.atom(let old, _), .atom(let new, _)): assign(name, .atom(old + new, joined: true), at: place)
        case (.atom, .list):
            throw ConfigDiagnostic(
                .error, at: place, "`\(name)' is a string since \(earlier.place), a list cannot be added to it",
                remedy: "write \(name) = [ ... ] in both places")
        }
    }
}
