/// Lists of host CPUs as `cpus=` and its like write them: "all", "0-3,5,^1", "nodes:0-1,^node:1".
struct CPUList {
    /// How many CPUs the host has. Its bitmaps are whole bytes.
    let hostCPUs: Int

    private var capacity: Int { (max(1, hostCPUs) + 7) / 8 * 8 }

    /// - Returns: the CPUs in ascending order. Those the host cannot have are left out, as libxl does.
    /// - Throws: the part that is no range.
    func parse(_ text: String) throws(SpecificationError) -> [Int] {
        var set = [Bool](repeating: false, count: capacity)
        for part in text.split(separator: ",") { try apply(part.trimmed, to: &set) }
        return set.indices.filter { set[$0] }
    }

    private func apply(_ part: Substring, to set: inout [Bool]) throws(SpecificationError) {
        var rest = part
        let isRemoved = rest.hasPrefix("^")
        if isRemoved { rest = rest.dropFirst() }
        let prefix = ["nodes:", "node:"].first { rest.hasPrefix($0) } ?? ""
        rest = rest.dropFirst(prefix.count)
        if rest == "all" {
            guard !isRemoved else { throw SpecificationError("`\(part)' leaves nothing", remedy: "remove ^, or name the CPUs") }
            for index in set.indices { set[index] = true }
            return
        }
        guard let range = Self.range(rest) else {
            throw SpecificationError("`\(part)' is no range of CPUs", remedy: "write for instance \"all\", \"0-3,^1\" or \"nodes:0\"")
        }
        // A host is taken for a single node.
        let cpus = prefix.isEmpty ? range : range.contains(0) ? 0...max(0, hostCPUs - 1) : nil
        for cpu in cpus ?? 0...0 where cpus != nil && cpu < capacity { set[cpu] = !isRemoved }
    }

    private static func range(_ text: Substring) -> ClosedRange<Int>? {
        let bounds = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map { UInt64(digits: $0.trimmed) }
        guard let first = bounds[0], let last = bounds.count == 2 ? bounds[1] : first, first <= last, last < 1 << 20 else { return nil }
        return Int(first)...Int(last)
    }
}
