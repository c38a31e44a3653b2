internal import ControlProtocol
internal import DomainConfig

extension DomainDescription {
    /// Says of what `cpuid=` asks for that the engine does not have it so, one warning for each feature.
    func warnings(unmet: CPUIDOverride) -> [ConfigDiagnostic] {
        var words: [String] = []
        for (register, bits) in unmet.registers.enumerated() {
            for (position, character) in (bits ?? "").enumerated() where character != "x" {
                let word = CPUIDPolicy.name(leaf: unmet.leaf, subleaf: unmet.subleaf, register: register, bit: 31 - position)
                let text = word.isFlag ? "\(word.name)=\(character)" : word.name
                if !words.contains(text) { words.append(text) }
            }
        }
        return words.map { word in
            let name = word.prefix { $0 != "=" }
            let cause =
                word.hasSuffix("=1")
                ? "this engine has no \(name), or it needs what is switched off" : "\(name) cannot be otherwise than this engine has it"
            return ConfigDiagnostic(.warning, at: places["cpuid"], "`cpuid': \(word): \(cause)", remedy: "remove \(word)")
        }
    }
}
