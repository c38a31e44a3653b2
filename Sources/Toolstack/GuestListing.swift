public import ControlProtocol
public import KernelImage

/// The text of `martlet list` and of the verbs that share its columns.
public struct GuestListing: Sendable {
    /// One line: a guest and what its process says, or nothing but its description when that does not answer.
    public struct Row: Sendable {
        public var domainID: UInt16
        public var name: String
        public var uuid: String
        public var memoryMiB: UInt64
        public var vcpus: Int
        public var state: GuestState
        public var seconds: Double
        /// The host's processors all its vCPUs may run on; nil for all.
        public var affinity: [Int]?

        public init(domainID: UInt16, name: String, uuid: String, memoryMiB: UInt64, vcpus: Int, state: GuestState, seconds: Double) {
            self.domainID = domainID
            self.name = name
            self.uuid = uuid
            self.memoryMiB = memoryMiB
            self.vcpus = vcpus
            self.state = state
            self.seconds = seconds
        }
    }

    /// What stands behind the usual columns.
    public struct Extras: OptionSet, Sendable {
        public var rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// UUID and shutdown reason; brings the label with it.
        public static let uuid = Extras(rawValue: 1)
        /// The security label, which no guest has.
        public static let label = Extras(rawValue: 2)
        public static let pool = Extras(rawValue: 4)
        public static let affinity = Extras(rawValue: 8)
        /// Claimed memory, which no guest has (`claims`).
        public static let claims = Extras(rawValue: 16)
    }

    public var rows: [Row]
    /// The host's processors, to tell "all" from others.
    public var processors: [Int]

    public init(rows: [Row], processors: [Int] = []) {
        self.rows = rows
        self.processors = processors
    }

    /// Header and rows.
    public func text(_ extras: Extras = []) -> String {
        var text = "Name                                        ID   Mem VCPUs\tState\tTime(s)"
        if extras.contains(.uuid) { text += "   UUID                            Reason-Code\tSecurity Label" }
        if extras.contains(.label), !extras.contains(.uuid) { text += "   Security Label" }
        if extras.contains(.pool) { text += "         Cpupool" }
        if extras.contains(.affinity) { text += " NODE Affinity" }
        if extras.contains(.claims) { text += "  Claimed" }
        return rows.reduce(text + "\n") { $0 + line($1, extras) + "\n" }
    }

    private func line(_ row: Row, _ extras: Extras) -> String {
        var line = row.line
        if extras.contains(.uuid) {
            line += " " + row.uuid + " " + Columns.right(row.state.shutdownReason.map { String($0.rawValue, radix: 16) } ?? "-", 8)
        }
        if !extras.isDisjoint(with: [.uuid, .label]) { line += " " + Columns.right("-", 16) }
        if extras.contains(.pool) { line += Columns.right(PoolListing.name, 16) }
        if extras.contains(.affinity) { line += " " + CPUList.text(row.affinity, of: processors) }
        if extras.contains(.claims) { line += " " + Columns.right("0", 5) }
        return line
    }

    /// The text of `sharing`: no pages are shared.
    public var sharingText: String {
        rows.reduce("Name                                        ID   Mem Shared\n") { text, row in
            let start = Columns.left(row.name, 40) + " " + Columns.right("\(row.domainID)", 5) + " "
            return text + start + Columns.right("\(row.memoryMiB)", 5) + "  " + Columns.right("0", 5) + "\n"
        }
    }

    /// The text of `vm-list`.
    public var uuidText: String {
        rows.reduce("UUID                                  ID    name\n") {
            $0 + "\($1.uuid)  \($1.domainID)    \(Columns.left($1.name, 30))\n"
        }
    }

    /// An array with an object for each row.
    public var json: JSONValue {
        .array(
            rows.map { row in
                .object([
                    .init("domid", .integer(Int64(row.domainID))), .init("name", .string(row.name)), .init("uuid", .string(row.uuid)),
                    .init("memoryMiB", .integer(Int64(clamping: row.memoryMiB))), .init("vcpus", .integer(Int64(row.vcpus))),
                    .init("state", .string(row.state.letters)),
                    .init("shutdownReason", row.state.shutdownReason.map { .string($0.word) } ?? .null),
                    .init("cpuTimeMilliseconds", .integer(Int64(clamping: UInt64(max(0, row.seconds * 1000))))),
                    .init("affinity", row.affinity.map { .array($0.map { .integer(Int64($0)) }) } ?? .null),
                ])
            })
    }

    /// The host, which xl lists as domain 0.
    public static var host: Row {
        Row(
            domainID: 0, name: "Domain-0", uuid: "00000000-0000-0000-0000-000000000000", memoryMiB: Host.memoryKiB / 1024,
            vcpus: Host.onlineCPUs, state: GuestState(running: true), seconds: Host.busySeconds)
    }
}

extension GuestListing.Row {
    /// What a guest's process says of it; one that does not answer is shown without a state.
    public init(_ entry: GuestRegistry.Entry) {
        let description = entry.description
        self.init(
            domainID: entry.domainID, name: description.name, uuid: description.uuid, memoryMiB: description.memoryKiB / 1024,
            vcpus: description.vcpus, state: GuestState(), seconds: 0)
        guard let status = try? entry.status(timeoutMilliseconds: 2000) else { return }
        memoryMiB = status.currentMemoryKiB / 1024
        vcpus = status.onlineVCPUs
        state = status.state
        let nanoseconds = status.vcpuTimesNanoseconds.reduce(UInt64(0)) { $0 &+ $1 }
        seconds = Double(nanoseconds) / 1e9
        let hard = status.vcpus.map(\.hardAffinity)
        if let first = hard.first ?? nil, hard.allSatisfy({ $0 == first }) { affinity = first }
    }

    fileprivate var line: String {
        Columns.left(name, 40) + " " + Columns.right("\(domainID)", 5) + " " + Columns.right("\(memoryMiB)", 5) + " "
            + Columns.right("\(vcpus)", 5) + "     " + state.letters + "  " + Columns.right(Columns.tenths(seconds), 8)
    }
}
