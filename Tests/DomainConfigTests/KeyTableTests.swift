import DomainConfig
import Testing

@Suite("The table of keys") struct KeyTableTests {
    private func read(_ text: String) -> (description: DomainDescription?, diagnostics: [ConfigDiagnostic]) {
        DomainDescription.read(Array(text.utf8), source: "f") { _ in .noPVHEntry("") }
    }

    /// A sound configuration to which a key is added, without what the key is in conflict with.
    private func base(without key: String) -> String {
        var lines = ["name='t'", "kernel='/k'", "memory=64", "vcpus=1"]
        // The old words for the type stand alone.
        if !["type", "builder", "pvh", "device_model_version"].contains(key) { lines.append("type='pvh'") }
        if key == "builder" { lines.append("device_model_version='none'") }
        let alone = ["firmware": "kernel", "cmdline": "cmdline"][key]
        return lines.filter { !$0.hasPrefix("\(key)=") && !$0.hasPrefix("\(alone ?? key)=") }.joined(separator: "\n") + "\n"
    }

    /// The text of a member, found by its path.
    private func member(_ path: String, of description: DomainDescription?) -> String? {
        var value = description?.json(uuid: "-")
        var rest = path[...]
        while !rest.isEmpty {
            let isQuoted = rest.hasPrefix("\"")
            let name = isQuoted ? rest.dropFirst().prefix { $0 != "\"" } : rest.prefix { $0 != "." }
            rest = rest.dropFirst(name.count + (isQuoted ? 2 : 0)).drop { $0 == "." }
            value = value?[String(name)]
        }
        return value?.text()
    }

    @Test("has every key once, with a sentence, a default and a sample the grammar takes")
    func complete() {
        #expect(Set(KnownKey.all.map(\.name)).count == KnownKey.all.count)
        #expect(KnownKey.all.count > 170)
        for key in KnownKey.all {
            #expect(key.summary.hasSuffix(".") && key.summary.first?.isUppercase != false || key.summary.first?.isLowercase == true)
            #expect(!key.defaultText.isEmpty)
            #expect(ConfigParser.parse(Array("\(key.name) = \(key.sample)".utf8), source: "").diagnostics.isEmpty, "\(key.name)")
        }
    }

    @Test("says of each key what happens to it: obeyed, shown, warned of or refused", arguments: KnownKey.all.map(\.name))
    func walk(name: String) throws {
        let key = try #require(KnownKey.named(name))
        let base = base(without: key.name)
        let (description, diagnostics) = read(base + "\(key.name) = \(key.sample)\n")
        let line = base.count { $0 == "\n" } + 1
        let own = diagnostics.filter { $0.place?.line == line }
        #expect(diagnostics.allSatisfy { $0.severity != .error }, "\(diagnostics.map(\.line))")
        switch key.treatment {
        case .honoured:
            let isOldWord = ["builder", "pvh", "device_model_version"].contains(key.name)
            #expect(own.allSatisfy { isOldWord && $0.severity == .warning && $0.remedy.contains("type=\"pvh\"") }, "\(own.map(\.line))")
        case .noEffect(let reason):
            #expect(own.map(\.severity) == [.note])
            #expect(own.first?.cause.contains(reason) == true && own.first?.cause.contains("`\(key.name)'") == true)
        case .warned(let reason):
            #expect(own.map(\.severity) == [.warning])
            #expect(own.first?.cause.contains(reason) == true && own.first?.remedy.isEmpty == false)
        case .refused(let cause, let remedy, _, let exitCode):
            let refusals = own.filter { $0.severity == .refusal }
            #expect(refusals.map(\.cause) == ["`\(key.name)': \(cause)"])
            #expect(refusals.map(\.remedy) == [remedy] && refusals.map(\.exitCode) == [exitCode])
        }
        if let path = key.member, !["builder", "pvh", "device_model_version", "type"].contains(key.name) {
            let shown = member(path, of: description)
            #expect(shown != nil, "\(path)")
            #expect(shown != member(path, of: read(base).description), "the value shows in \(path)")
        }
    }

    @Test("what is refused is harmless when it is switched off", arguments: KnownKey.all.map(\.name))
    func harmless(name: String) throws {
        let key = try #require(KnownKey.named(name))
        guard case .refused(_, _, let words, _) = key.treatment else { return }
        let off = [KnownKey.Shape.list: ["[ ]"], .boolean: ["0"], .string: words.map { "\"\($0)\"" } + ["\"\""]][key.shape] ?? []
        #expect(!off.isEmpty)
        for value in off {
            let (_, diagnostics) = read(base(without: key.name) + "\(key.name) = \(value)\n")
            #expect(!diagnostics.contains { $0.severity == .refusal }, "\(value): \(diagnostics.map(\.line))")
        }
    }

    @Test("a default that is written out changes nothing and is never an error", arguments: KnownKey.all.map(\.name))
    func defaults(name: String) throws {
        let key = try #require(KnownKey.named(name))
        let isLiteral = key.defaultText.hasPrefix("\"") || key.defaultText.allSatisfy { ("0"..."9").contains($0) }
        guard isLiteral, key.shape != .list else { return }
        let base = base(without: key.name == "pvh" ? "" : key.name)
        let (description, diagnostics) = read(base + "\(key.name) = \(key.defaultText)\n")
        #expect(diagnostics.allSatisfy { $0.severity == .note }, "\(diagnostics.map(\.line))")
        let silent = read(base).description
        #expect(description?.effectiveVCPUs == silent?.effectiveVCPUs && description?.onReboot == silent?.onReboot)
        #expect(description?.onPoweroff == silent?.onPoweroff && description?.onSoftReset == silent?.onSoftReset)
    }
}
