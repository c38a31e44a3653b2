/// `cpuid=`: what a guest's CPUID leaves are to say, as libxl keeps it: a text of 32 characters for each register.
public struct CPUIDPolicy: Equatable, Sendable {
    /// What is asked of one leaf.
    public struct Leaf: Equatable, Sendable {
        public var number: UInt32
        /// nil where none was named.
        public var subleaf: UInt32?
        /// EAX to EDX, nil where nothing is asked. 32 characters, for the highest bit first: `0` and `1` ask for that value; `x`, `k` and
        /// `s` leave what the machine has.
        public var registers: [String?] = [nil, nil, nil, nil]

        /// The bits of a register for which a value is asked.
        ///
        /// - Parameter register: 0 to 3 for EAX to EDX.
        public func bits(asked register: Int) -> [Int] {
            (registers[register] ?? "").utf8.enumerated().compactMap { $1 <= UInt8(ascii: "1") ? 31 - $0 : nil }
        }
    }

    /// In the order in which they were named first.
    public private(set) var leaves: [Leaf] = []

    public init() {}

    private mutating func change(_ leaf: UInt32, _ subleaf: UInt32?, _ register: Int, _ change: (String?) -> String) {
        var index = leaves.firstIndex { $0.number == leaf && $0.subleaf == subleaf }
        if index == nil {
            index = leaves.count
            leaves.append(Leaf(number: leaf, subleaf: subleaf))
        }
        guard let index else { return }
        leaves[index].registers[register] = change(leaves[index].registers[register])
    }
}

extension CPUIDPolicy {
    /// What a bit is called in `cpuid=`: a flag, or a number with several bits; for a bit without a name its place.
    ///
    /// - Parameter register: 0 to 3 for EAX to EDX.
    public static func name(leaf: UInt32, subleaf: UInt32?, register: Int, bit: Int) -> (name: String, isFlag: Bool) {
        if let name = CPUIDFeature.name(leaf: leaf, subleaf: subleaf, register: register, bit: bit) {
            return (name, CPUIDFeature.named(name)?.width == 1)
        }
        let place = "0x" + String(leaf, radix: 16) + (subleaf.map { ",\($0)" } ?? "")
        return ("\(place):\(registerNames[register]) bit \(bit)", true)
    }
}

// MARK: - libxl's form

extension CPUIDPolicy {
    /// "host,tm=0,sse3=0".
    ///
    /// - Returns: one error for each part that is wrong.
    mutating func applyFlags(_ text: String) -> [SpecificationError] {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(\.trimmed)
        guard parts.first == "host" else {
            return [SpecificationError("\"\(text)\" does not start with host", remedy: "write for instance cpuid=\"host,sse4_2=0\"")]
        }
        var errors: [SpecificationError] = []
        for part in parts.dropFirst() {
            do throws(SpecificationError) { try applyFlag(part) } catch { errors.append(error) }
        }
        return errors
    }

    private mutating func applyFlag(_ part: Substring) throws(SpecificationError) {
        guard let equals = part.firstIndex(of: "=") else {
            throw SpecificationError("\"\(part)\" has no value", remedy: part.isEmpty ? "remove a comma" : "write \(part)=0 or \(part)=1")
        }
        let name = part[..<equals]
        guard let feature = CPUIDFeature.named(String(name)) else {
            let nearest = NearestKey.find(String(name), among: CPUIDFeature.names)
            throw SpecificationError("there is no feature \"\(name)\"", remedy: nearest.map { "did you mean `\($0)'?" } ?? "remove it")
        }
        let old = leaves.first { $0.number == feature.leaf && $0.subleaf == feature.subleaf }?.registers[feature.register]
        var bits = Array((old ?? String(repeating: "x", count: 32)).utf8)
        try feature.write(part[part.index(after: equals)...], into: &bits)
        change(feature.leaf, feature.subleaf, feature.register) { _ in String(decoding: bits, as: UTF8.self) }
    }
}

// MARK: - xend's form

extension CPUIDPolicy {
    /// "0x1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0,edx=…", with ",subleaf" behind the leaf where it has some.
    ///
    /// - Returns: the error, if there is one; nothing of the text counts then.
    mutating func applyRegisters(_ text: String) -> [SpecificationError] {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = parts[0].split(separator: ",", omittingEmptySubsequences: false).map { Self.number($0.trimmed) }
        guard parts.count == 2, numbers.count <= 2, let first = numbers[0], let last = numbers[numbers.count - 1] else {
            let example = "write for instance \"0x1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0\" or \"7,0:ebx=…\""
            return [SpecificationError("\"\(text)\" names no leaf", remedy: example)]
        }
        var new = self
        for assignment in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
            guard let (register, bits) = Self.register(assignment.trimmed) else {
                return [
                    SpecificationError("\"\(assignment)\" is no register", remedy: "write eax to edx with 32 of the characters 0 1 x k s")
                ]
            }
            new.change(first, numbers.count == 2 ? last : nil, register) { _ in bits }
        }
        self = new
        return []
    }

    private static func number(_ text: Substring) -> UInt32? {
        if case .value(let value) = CInteger.parse(String(text)) { UInt32(exactly: value) } else { nil }
    }

    static let registerNames = ["eax", "ebx", "ecx", "edx"]

    private static func register(_ text: Substring) -> (Int, String)? {
        guard let index = registerNames.firstIndex(where: { text.hasPrefix("\($0)=") }) else { return nil }
        let bits = String(text.dropFirst(4))
        return isRegister(bits) ? (index, bits) : nil
    }

    private static func isRegister(_ text: String) -> Bool { text.utf8.count == 32 && text.utf8.allSatisfy("01xks".utf8.contains) }
}

// MARK: - JSON

extension CPUIDPolicy {
    /// libxl's object; nil when nothing is asked.
    var json: JSONText? {
        guard !leaves.isEmpty else { return nil }
        return .object([("cpuid", .array(leaves.map(Self.json))), ("msr", .array([]))])
    }

    private static func json(_ leaf: Leaf) -> JSONText {
        var members = JSONMembers()
        members.add("leaf", Int64(leaf.number))
        members.add("subleaf", leaf.subleaf.map(Int64.init))
        for (name, bits) in zip(registerNames, leaf.registers) { members.add(name, bits) }
        return .object(members.all)
    }

    /// Reads libxl's object, or the array that older versions wrote.
    ///
    /// - Returns: nil when it is neither.
    init?(json: JSONText) {
        guard case .array(let elements)? = json["cpuid"] ?? json as JSONText? else { return nil }
        for element in elements {
            guard let leaf = element["leaf"]?.number.flatMap({ UInt32(exactly: $0) }) else { return nil }
            let subleaf = element["subleaf"]?.number.flatMap { UInt32(exactly: $0) }
            guard (subleaf == nil) == (element["subleaf"] == nil) else { return nil }
            for (register, name) in Self.registerNames.enumerated() {
                guard let value = element[name] else { continue }
                guard let bits = value.string, Self.isRegister(bits) else { return nil }
                change(leaf, subleaf, register) { _ in bits }
            }
        }
    }
}

extension DescriptionReader {
    mutating func readCPUID(_ description: inout DomainDescription) {
        guard let setting = reader.settings["cpuid"] else { return }
        let texts = setting.value.text.map { [($0, setting.place)] } ?? reader.strings("cpuid").map { ($0.text, $0.place) }
        for (text, place) in texts {
            let errors =
                setting.value.text == nil ? description.cpuid.applyRegisters(text) : description.cpuid.applyFlags(text)
            for error in errors { reader.report(.error, at: place, "`cpuid': \(error.cause)", remedy: error.remedy) }
        }
    }
}
