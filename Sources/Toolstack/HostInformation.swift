internal import CLinux
internal import ControlProtocol
internal import Glibc
public import KernelImage

/// What `martlet info` tells of the host, under xl's names.
public struct HostInformation: Sendable {
    /// Names and values in xl's order.
    public var fields: [(name: String, value: String)]
    public var topology: HostTopology

    public init(fields: [(name: String, value: String)], topology: HostTopology) {
        self.fields = fields
        self.topology = topology
    }

    /// That of this machine.
    public static var current: HostInformation {
        let topology = HostTopology.current
        return HostInformation(fields: kernelFields() + processorFields(topology) + memoryFields() + xenFields(), topology: topology)
    }

    public subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    /// A line for each field; with `numa` also the tables of processors and nodes.
    public func text(numa: Bool = false) -> String {
        fields.reduce("") { text, field in
            text + Columns.left(field.name, 23) + ": " + field.value + "\n" + (numa && field.name == "free_cpus" ? topologyText : "")
        }
    }

    /// An object with a string for each field; `cpu_topology` and `numa_info` besides.
    public var json: JSONValue {
        let processors = topology.processors.map { processor in
            JSONValue.object([
                .init("cpu", .integer(Int64(processor.number))), .init("core", .integer(Int64(processor.core))),
                .init("socket", .integer(Int64(processor.socket))), .init("node", .integer(Int64(processor.node))),
            ])
        }
        let nodes = topology.nodes.map { node in
            JSONValue.object([
                .init("node", .integer(Int64(node.number))), .init("memoryMiB", .integer(Int64(node.memoryMiB))),
                .init("freeMiB", .integer(Int64(node.freeMiB))), .init("distances", .array(node.distances.map { .integer(Int64($0)) })),
            ])
        }
        let members = fields.map { JSONValue.Member($0.name, .string($0.value)) }
        return .object(members + [.init("cpu_topology", .array(processors)), .init("numa_info", .array(nodes))])
    }

    private var topologyText: String {
        var text = "cpu_topology           :\ncpu:    core    socket     node\n"
        for cpu in topology.processors {
            text += Columns.right("\(cpu.number)", 3) + ":    " + Columns.right("\(cpu.core)", 4)
            text += "     " + Columns.right("\(cpu.socket)", 4) + "     " + Columns.right("\(cpu.node)", 4) + "\n"
        }
        text += "device topology        :\ndevice           node\nNo device topology data available\n"
        text += "numa_info              :\nnode:    memsize    memfree    distances\n"
        for node in topology.nodes {
            text += Columns.right("\(node.number)", 4) + ":    " + Columns.right("\(node.memoryMiB)", 6)
            text += "     " + Columns.right("\(node.freeMiB)", 6) + "      " + node.distances.map(String.init).joined(separator: ",") + "\n"
        }
        return text
    }

    private static func kernelFields() -> [(name: String, value: String)] {
        var names = utsname()
        guard unsafe uname(&names) == 0 else { return [] }
        return [
            ("host", text(&names.nodename)), ("release", text(&names.release)), ("version", text(&names.version)),
            ("machine", text(&names.machine)),
        ]
    }

    private static func text<Field>(_ field: inout Field) -> String {
        unsafe withUnsafeBytes(of: &field) { bytes in unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private static func processorFields(_ topology: HostTopology) -> [(name: String, value: String)] {
        let megahertz = Host.line(of: "/proc/cpuinfo", startingWith: "cpu MHz").split(separator: " ").last.map(String.init) ?? "0.000"
        return [
            ("nr_cpus", "\(topology.processors.count)"), ("max_cpu_id", "\(topology.processors.last?.number ?? 0)"),
            ("nr_nodes", "\(topology.nodes.count)"), ("cores_per_socket", "\(topology.coresPerSocket)"),
            ("threads_per_core", "\(topology.threadsPerCore)"), ("cpu_mhz", megahertz), ("hw_caps", featureWords()),
            ("virt_caps", "pvh gnttab-v1 gnttab-v2"),
        ]
    }

    /// The eight words of Xen's featureset that xl shows: 1d, 1c, e1d, e1c, Da1, 7b0, 7c0, e7d.
    private static func featureWords() -> String {
        let (eax, ebx, ecx, edx) = (0, 1, 2, 3)
        let words: [(leaf: UInt32, subleaf: UInt32, register: Int)] = [
            (1, 0, edx), (1, 0, ecx), (0x8000_0001, 0, edx), (0x8000_0001, 0, ecx), (0xd, 1, eax), (7, 0, ebx), (7, 0, ecx),
            (0x8000_0007, 0, edx),
        ]
        return words.map { word in
            var registers = [UInt32](repeating: 0, count: 4)
            unsafe martlet_cpuid(word.leaf, word.subleaf, &registers)
            let digits = String(registers[word.register], radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined(separator: ":")
    }

    private static func memoryFields() -> [(name: String, value: String)] {
        [
            ("total_memory", "\(Host.memoryKiB / 1024)"), ("free_memory", "\(Host.availableMemoryKiB / 1024)"),
            ("sharing_freed_memory", "0"), ("sharing_used_memory", "0"), ("outstanding_claims", "0"), ("free_cpus", "0"),
        ]
    }

    /// What guests are told of their hypervisor, and what built this program.
    private static func xenFields() -> [(name: String, value: String)] {
        let version = XenVersion()
        return [
            ("xen_major", "\(version.major)"), ("xen_minor", "\(version.minor)"), ("xen_extra", version.extra),
            ("xen_version", "\(version.major).\(version.minor)\(version.extra)"),
            ("xen_caps", "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 "), ("xen_scheduler", "credit2"),
            ("xen_pagesize", "4096"), ("platform_params", "virt_start=0xffff800000000000"), ("xen_changeset", ""),
            ("xen_commandline", ""), ("cc_compiler", compiler), ("cc_compile_by", "martlet"), ("cc_compile_domain", ""),
            ("cc_compile_date", ""), ("build_id", ""), ("xend_config_format", "4"),
        ]
    }

    private static var compiler: String {
        #if compiler(>=6.4)
        "Swift 6.4 or newer"
        #elseif compiler(>=6.3)
        "Swift 6.3"
        #else
        "Swift"
        #endif
    }
}
