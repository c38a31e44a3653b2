/// Looks at every key of a configuration once: unknown ones, those that are refused, those that change nothing.
enum KeyReview {
    static func review(_ reader: inout ConfigReader) {
        let isHVM = ["type", "builder"].contains { reader.settings[$0]?.value.text == "hvm" }
        for setting in reader.settings.all {
            guard let key = KnownKey.named(setting.name) else {
                reportUnknown(setting.name, &reader)
                continue
            }
            switch key.treatment {
            case .honoured: break
            case .noEffect where isHVM && key.readers == .hvm: break
            case .noEffect(let reason):
                reader.report(.note, setting.name, "`\(setting.name)' changes nothing: \(reason)")
            case .warned(let reason):
                guard !isHarmless(setting.value, []) else { break }
                reader.report(.warning, setting.name, "`\(setting.name)' is not obeyed: \(reason)", remedy: "remove the key")
            case .refused(let cause, let remedy, let harmless, let exitCode):
                guard !isHarmless(setting.value, harmless) else { break }
                reader.refuse(setting.name, "`\(setting.name)': \(cause)", remedy: remedy, exitCode: exitCode)
            }
        }
    }

    private static func reportUnknown(_ name: String, _ reader: inout ConfigReader) {
        let nearest = NearestKey.find(name, among: KnownKey.all.lazy.map(\.name))
        reader.report(
            .warning, name, "unknown key `\(name)' is ignored",
            remedy: nearest.map { "did you mean `\($0)'?" } ?? "remove it, or see martlet.cfg(5) for the keys there are")
    }

    private static func isHarmless(_ value: ConfigValue, _ harmless: [String]) -> Bool {
        switch value {
        case .list(let elements): elements.isEmpty
        case .atom(let text, _): text.isEmpty || harmless.contains(text) || CInteger.parse(text) == .value(0)
        }
    }
}
