public import ControlProtocol

/// Lists of the host's processors, as `cpus=` and `vcpu-pin` take them.
public enum CPUList {
    /// Reads "all", "0-3,5,^1", "node:1" or "nodes:0-1,^node:1"; `^` takes away.
    ///
    /// - Returns: the numbers in order, only those the host has; nil for all of them.
    /// - Throws: an error when the text is no such list, or names no processor this host has.
    public static func parse(_ text: String, topology: HostTopology = .current) throws(OperatorError) -> [Int]? {
        if text == "all" { return nil }
        var chosen: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            var word = part.drop { $0 == " " }
            let removes = word.hasPrefix("^")
            if removes { word.removeFirst() }
            let numbers = try numbers(word, in: text, topology)
            if removes { chosen.subtract(numbers) } else { chosen.formUnion(numbers) }
        }
        chosen.formIntersection(topology.processors.map(\.number))
        guard !chosen.isEmpty else {
            throw OperatorError(
                "\"\(text)\" names no processor of this host", remedy: "the host has \(describe(topology.processors.map(\.number)))")
        }
        return chosen.sorted()
    }

    private static func numbers(_ word: Substring, in text: String, _ topology: HostTopology) throws(OperatorError) -> Set<Int> {
        if word == "all" { return Set(topology.processors.map(\.number)) }
        for prefix in ["nodes:", "node:"] where word.hasPrefix(prefix) {
            let nodes = try range(word.dropFirst(prefix.count), in: text)
            return Set(topology.processors.filter { nodes.contains($0.node) }.map(\.number))
        }
        return Set(try range(word, in: text))
    }

    private static func range(_ word: Substring, in text: String) throws(OperatorError) -> ClosedRange<Int> {
        let ends = word.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard ends.count <= 2, let low = ends.first ?? nil, let high = ends.last ?? nil, low <= high else {
            throw OperatorError("\"\(text)\" is no list of processors", remedy: "write all, or numbers and ranges like 0-3,5,^1, or node:0")
        }
        return Int(low)...Int(high)
    }

    /// A list for people, as xl prints it: "all" for nil and for every processor of the host, else "0-3,5".
    public static func text(_ numbers: [Int]?, of all: [Int]) -> String {
        guard let numbers, Set(numbers) != Set(all) else { return "all" }
        return numbers.isEmpty ? "none" : describe(numbers)
    }

    private static func describe(_ numbers: [Int]) -> String {
        var parts: [String] = []
        var run: ClosedRange<Int>?
        for number in numbers.sorted() + [Int.max] {
            if let current = run, number == current.upperBound + 1 {
                run = current.lowerBound...number
                continue
            }
            if let run { parts.append(run.count == 1 ? "\(run.lowerBound)" : "\(run.lowerBound)-\(run.upperBound)") }
            run = number...number
        }
        return parts.joined(separator: ",")
    }
}
