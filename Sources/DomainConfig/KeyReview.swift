/// Looks at every key of a configuration once: unknown ones, those that are refused, those that change nothing.
enum KeyReview {
    static func review(_ reader: inout ConfigReader) {
        for setting in reader.settings.all {
            guard let key = KnownKey.named(setting.name) else {
                reportUnknown(setting.name, &reader)
                continue
            }
            switch key.treatment {
            case .honoured: break
            case .noEffect(let reason):
                reader.report(.note, setting.name, "`\(setting.name)' changes nothing: \(reason)")
            case .notAttached(let what): reportDevices(setting, what, &reader)
            case .refused(let cause, let remedy, let harmless):
                guard !isHarmless(setting.value, harmless) else { break }
                reader.report(.refusal, setting.name, "`\(setting.name)': \(cause)", remedy: remedy)
            }
        }
    }

    private static func reportUnknown(_ name: String, _ reader: inout ConfigReader) {
        let nearest = NearestKey.find(name, among: KnownKey.all.lazy.map(\.name))
        reader.report(
            .warning, name, "unknown key `\(name)' is ignored",
            remedy: nearest.map { "did you mean `\($0)'?" } ?? "remove it, or see xl.cfg(5) for the keys there are")
    }

    private static func reportDevices(_ setting: ConfigSetting, _ what: String, _ reader: inout ConfigReader) {
        guard case .list(let elements) = setting.value, !elements.isEmpty else { return }
        let those = elements.count == 1 ? "it" : "them"
        reader.report(
            .warning, setting.name, "`\(setting.name)': this version does not attach \(what) yet; the guest starts without \(those)")
    }

    private static func isHarmless(_ value: ConfigValue, _ harmless: [String]) -> Bool {
        switch value {
        case .list(let elements): elements.isEmpty
        case .atom(let text, _): text.isEmpty || harmless.contains(text) || CInteger.parse(text) == .value(0)
        }
    }
}
