extension DomainDescription {
    /// Reads a configuration: the grammar, the keys, their values and how they fit together.
    ///
    /// - Parameters:
    ///   - bytes: the file's content.
    ///   - source: the file's name for messages.
    ///   - overrides: `key=value` words from the command line.
    ///   - hostCPUs: how many CPUs the host has, for lists of CPUs.
    ///   - probeKernel: asked about the path in `kernel=`, only when nothing else tells the kind of guest.
    /// - Returns: the description unless there are errors; and everything worth saying, in the order of the lines.
    public static func read(
        _ bytes: [UInt8], source: String, overrides: [String] = [], hostCPUs: Int = 1, probeKernel: (String) -> KernelProbe
    ) -> (description: DomainDescription?, diagnostics: [ConfigDiagnostic]) {
        let (settings, grammar) = ConfigParser.parse(bytes, source: source, overrides: overrides)
        guard grammar.isEmpty else { return (nil, grammar) }
        var reader = DescriptionReader(settings, source: source, hostCPUs: hostCPUs)
        let description = reader.read(probeKernel)
        let diagnostics = reader.diagnostics
        let failed = diagnostics.contains { $0.severity == .error }
        return (failed ? nil : description, inFileOrder(diagnostics))
    }

    /// By line; what has no line comes last. Otherwise as found.
    private static func inFileOrder(_ diagnostics: [ConfigDiagnostic]) -> [ConfigDiagnostic] {
        let lines = diagnostics.map { $0.place?.line ?? .max }
        return diagnostics.indices.sorted { (lines[$0], $0) < (lines[$1], $1) }.map { diagnostics[$0] }
    }
}
