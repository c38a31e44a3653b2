extension DescriptionReader {
    /// `vnuma=`: a list for each node, of texts "pnode=0", "size=512", "vcpus=0-1", "vdistances=10,20". It decides how much memory and how
    /// many vCPUs the guest has.
    mutating func readNUMA(_ description: inout DomainDescription, _ inert: inout InertSettings) {
        guard let setting = reader.settings["vnuma"] else { return }
        guard case .list(let nodes) = setting.value else {
            return reader.report(
                .error, "vnuma", "`vnuma' is a single value but should be a list", remedy: "write vnuma = [ [ \"size=64\" ] ]")
        }
        guard !nodes.isEmpty else { return }
        var shown: [JSONText] = []
        var (memoryKiB, vcpus): (UInt64, Int) = (0, 0)
        for (index, node) in nodes.enumerated() {
            let place = setting.place(ofElement: index)
            do throws(SpecificationError) {
                let node = try VirtualNode(node, count: nodes.count)
                shown.append(node.json)
                memoryKiB += node.memoryKiB ?? 0
                vcpus += node.vcpus.count
                if node.hostNode != nil { inert.build["numa_placement"] = .boolean(false) }
            } catch {
                reader.report(.error, at: place, "`vnuma': \(error.cause)", remedy: error.remedy)
            }
        }
        inert.build["vnuma_nodes"] = .array(shown)
        settle(vcpus, memoryKiB, &description)
    }

    private mutating func settle(_ vcpus: Int, _ memoryKiB: UInt64, _ description: inout DomainDescription) {
        if let maximum = description.maxVCPUs, maximum != 0, maximum != vcpus {
            reader.report(
                .error, "vnuma", "`vnuma' has \(vcpus) vCPUs, and maxvcpus=\(maximum)", remedy: "give each vCPU to one node")
        }
        if let maximum = description.maxMemoryKiB, maximum != memoryKiB {
            reader.report(
                .error, "vnuma", "`vnuma' has \(memoryKiB / 1024) MiB, and maxmem=\(maximum / 1024)",
                remedy: "let the sizes add up to maxmem=")
        }
        description.maxVCPUs = description.maxVCPUs ?? vcpus
        description.maxMemoryKiB = memoryKiB
    }
}

/// One node of `vnuma=`.
struct VirtualNode {
    var memoryKiB: UInt64?
    var distances: [UInt64]
    var hostNode: UInt64?
    var vcpus: [Int] = []

    /// - Parameter count: how many nodes there are, and distances of each.
    init(_ value: ConfigValue, count: Int) throws(SpecificationError) {
        distances = [UInt64](repeating: 0, count: count)
        guard case .list(let items) = value else {
            throw SpecificationError("a node is a list of texts", remedy: "write vnuma = [ [ \"size=64\", \"vcpus=0\" ] ]")
        }
        for item in items { try read(item.text ?? "") }
    }

    private mutating func read(_ item: String) throws(SpecificationError) {
        let name = item.prefix { $0 != "=" }
        let value = item.dropFirst(name.count + 1).trimmed
        switch name.trimmed {
        case "pnode": hostNode = try Self.number(value, item)
        case "size":
            let size = try Self.number(value, item)
            guard size < 1 << 34 else { throw Self.error(item) }
            memoryKiB = size * 1024
        case "vdistances":
            let values = try value.split(separator: ",").map { (text) throws(SpecificationError) in try Self.number(text.trimmed, item) }
            guard values.count <= distances.count else {
                throw SpecificationError("`\(item)': more distances than nodes", remedy: "write one for each node")
            }
            distances.replaceSubrange(0..<values.count, with: values)
        case "vcpus": try readVCPUs(value, item)
        default: throw SpecificationError("unknown parameter `\(item)'", remedy: "the parameters are pnode, size, vcpus, vdistances")
        }
    }

    private mutating func readVCPUs(_ value: Substring, _ item: String) throws(SpecificationError) {
        for part in value.split(separator: ",") {
            let bounds = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            let first = try Self.number(bounds[0].trimmed, item)
            let last = bounds.count == 2 ? try Self.number(bounds[1].trimmed, item) : first
            guard first <= last, last < 128 else { throw Self.error(item) }
            vcpus += Int(first)...Int(last)
        }
    }

    private static func number(_ text: Substring, _ item: String) throws(SpecificationError) -> UInt64 {
        guard let number = UInt64(digits: text), number <= UInt64(UInt32.max) << 8 else { throw error(item) }
        return number
    }

    private static func error(_ item: String) -> SpecificationError {
        SpecificationError("`\(item)' has no sound value", remedy: "write numbers; vcpus are ranges such as 0-1,3 below 128")
    }

    var json: JSONText {
        var members = JSONMembers()
        members.add("memkb", memoryKiB.map { Int64(clamping: $0) })
        members.add("distances", distances.map { .number(Int64(clamping: $0)) })
        if let hostNode, hostNode != 0 { members.add("pnode", Int64(clamping: hostNode)) }
        members.add("vcpus", Set(vcpus).sorted().map { .number(Int64($0)) })
        return .object(members.all)
    }
}
