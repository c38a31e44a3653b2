/// The text of `martlet list -l`: an array of domain IDs with their configurations, as libxl prints it.
public struct ConfigurationListing: Sendable {
    private var objects: [String] = []

    public init() {}

    /// - Parameter configuration: the text of a configuration's JSON, see ``Guest/configurationJSON()``.
    public mutating func append(domainID: UInt16, configuration: String) {
        let lines = configuration.split(separator: "\n", omittingEmptySubsequences: false)
        let trimmed = lines.last == "" ? lines.dropLast() : lines[...]
        let indented = trimmed.enumerated().map { $0 == 0 || $1.isEmpty ? String($1) : "        " + $1 }
        objects.append("    {\n        \"domid\": \(domainID),\n        \"config\": \(indented.joined(separator: "\n"))\n    }")
    }

    /// With the empty line libxl puts behind it.
    public var text: String { objects.isEmpty ? "[\n\n]\n\n" : "[\n" + objects.joined(separator: ",\n") + "\n]\n\n" }
}
