public import KernelImage

/// The text of `martlet cpupool-list`: one pool of all the host's processors.
public struct PoolListing: Sendable {
    /// The only pool.
    public static let name = "Pool-0"

    public var processors: [Int]
    /// Guests and the host.
    public var domainCount: Int

    public init(processors: [Int], domainCount: Int) {
        self.processors = processors
        self.domainCount = domainCount
    }

    public var text: String {
        "Name               CPUs   Sched     Active   Domain count\n" + Columns.left(Self.name, 19)
            + Columns.right("\(processors.count)", 3)
            + " " + Columns.right("credit2", 9) + "       y       " + Columns.right("\(domainCount)", 4) + "\n"
    }

    /// With the processors instead of numbers of them.
    public var processorText: String {
        "Name               CPU list\n" + Columns.left(Self.name, 19) + processors.map(String.init).joined(separator: ",") + "\n"
    }

    /// An array with one object.
    public var json: JSONValue {
        .array([
            .object([
                .init("name", .string(Self.name)), .init("cpus", .array(processors.map { .integer(Int64($0)) })),
                .init("domains", .integer(Int64(domainCount))),
            ])
        ])
    }
}
