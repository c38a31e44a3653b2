/// `cpuid=`: what a guest's CPUID leaves are to say, as libxl keeps it: a string of 32 characters for each register, the highest bit
/// first, `x` where nothing is asked.
struct CPUIDPolicy {
    struct Leaf: Equatable {
        var leaf: UInt32
        var subleaf: UInt32?
        /// EAX to EDX; nil where nothing is asked.
        var registers: [[UInt8]?] = [nil, nil, nil, nil]
    }

    private(set) var leaves: [Leaf] = []

    var json: JSONText? {
        guard !leaves.isEmpty else { return nil }
        return .object([("cpuid", .array(leaves.map(Self.json))), ("msr", .array([]))])
    }

    private static func json(_ leaf: Leaf) -> JSONText {
        var members = JSONMembers()
        members.add("leaf", Int64(leaf.leaf))
        members.add("subleaf", leaf.subleaf.map(Int64.init))
        for (name, bits) in zip(["eax", "ebx", "ecx", "edx"], leaf.registers) {
            members.add(name, bits.map { String(decoding: $0, as: UTF8.self) })
        }
        return .object(members.all)
    }

    /// libxl's form: "host,tm=0,sse3=0".
    ///
    /// - Returns: one error for each part that is wrong; the others count.
    mutating func applyFlags(_ text: String) -> [SpecificationError] {
        let parts = text.split(separator: ",")
        guard parts.first == "host" else {
            return [SpecificationError("\"\(text)\" does not start with host", remedy: "write for instance cpuid=\"host,tm=0\"")]
        }
        var errors: [SpecificationError] = []
        for part in parts.dropFirst() {
            do throws(SpecificationError) { try applyFlag(part.trimmed) } catch { errors.append(error) }
        }
        return errors
    }

    private mutating func applyFlag(_ part: Substring) throws(SpecificationError) {
        guard let equals = part.firstIndex(of: "=") else {
            throw SpecificationError("\"\(part)\" has no value", remedy: "write \(part)=0 or \(part)=1")
        }
        let name = part[..<equals]
        guard let feature = CPUIDFeature.named(String(name)) else {
            let nearest = NearestKey.find(String(name), among: CPUIDFeature.names)
            throw SpecificationError("there is no feature \"\(name)\"", remedy: nearest.map { "did you mean `\($0)'?" } ?? "remove it")
        }
        let value = part[part.index(after: equals)...]
        var bits = register(feature)
        try feature.write(value, into: &bits)
        setRegister(feature, bits)
    }

    private mutating func register(_ feature: CPUIDFeature) -> [UInt8] {
        leaves[index(feature.leaf, feature.subleaf)].registers[feature.register] ?? [UInt8](repeating: UInt8(ascii: "x"), count: 32)
    }

    private mutating func setRegister(_ feature: CPUIDFeature, _ bits: [UInt8]) {
        leaves[index(feature.leaf, feature.subleaf)].registers[feature.register] = bits
    }

    private mutating func index(_ leaf: UInt32, _ subleaf: UInt32?) -> Int {
        if let index = leaves.firstIndex(where: { $0.leaf == leaf && $0.subleaf == subleaf }) { return index }
        leaves.append(Leaf(leaf: leaf, subleaf: subleaf))
        return leaves.count - 1
    }
}

// MARK: - xend's form

extension CPUIDPolicy {
    /// xend's form: "0x1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0,edx=…", with ",subleaf" behind the leaf where it has some.
    ///
    /// - Returns: the error, if there is one.
    mutating func applyRegisters(_ text: String) -> [SpecificationError] {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = parts[0].split(separator: ",", omittingEmptySubsequences: false).map { CInteger.parse(String($0)) }
        guard parts.count == 2, (1...2).contains(numbers.count), let leaf = Self.number(numbers[0]),
            let subleaf = numbers.count == 1 ? .some(nil) : Self.number(numbers[1]).map(Optional.some)
        else {
            return [
                SpecificationError("\"\(text)\" names no leaf", remedy: "write for instance \"0x1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0\"")
            ]
        }
        for assignment in parts[1].split(separator: ",") {
            guard let (register, bits) = Self.register(assignment.trimmed) else {
                return [
                    SpecificationError("\"\(assignment)\" is no register", remedy: "write eax to edx with 32 of the characters 0 1 x k s")
                ]
            }
            leaves[index(leaf, subleaf)].registers[register] = bits
        }
        return []
    }

    private static func number(_ result: CInteger.Result) -> UInt32? {
        if case .value(let value) = result { UInt32(exactly: value) } else { nil }
    }

    private static func register(_ text: Substring) -> (Int, [UInt8])? {
        guard text.utf8.count == 36, let index = ["eax=", "ebx=", "ecx=", "edx="].firstIndex(where: { text.hasPrefix($0) }) else {
            return nil
        }
        let bits = Array(text.utf8.dropFirst(4))
        return bits.allSatisfy { "01xks".utf8.contains($0) } ? (index, bits) : nil
    }
}
