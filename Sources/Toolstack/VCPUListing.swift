public import ControlProtocol
public import KernelImage

/// The text of `martlet vcpu-list`.
public struct VCPUListing: Sendable {
    public struct Row: Sendable {
        public var name: String
        public var domainID: UInt16
        public var number: Int
        public var status: VCPUStatus
        public var isPaused: Bool

        public init(name: String, domainID: UInt16, number: Int, status: VCPUStatus, isPaused: Bool) {
            self.name = name
            self.domainID = domainID
            self.number = number
            self.status = status
            self.isPaused = isPaused
        }
    }

    public var rows: [Row]
    /// The host's processors, to tell "all" from others.
    public var processors: [Int]

    public init(rows: [Row], processors: [Int]) {
        self.rows = rows
        self.processors = processors
    }

    /// Header and rows.
    public var text: String {
        rows.reduce("Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)\n") {
            $0 + line($1) + "\n"
        }
    }

    private func line(_ row: Row) -> String {
        let vcpu = row.status
        let start = Columns.left(row.name, 32) + " " + Columns.right("\(row.domainID)", 5) + " " + Columns.right("\(row.number)", 5)
        let processor = vcpu.online ? "\(vcpu.processor ?? 0)" : "-"
        let letters = vcpu.online ? (vcpu.running ? "r" : "-") + (vcpu.blocked ? "b" : "-") + (row.isPaused ? "p" : "-") : "--p"
        let seconds = Columns.right(Columns.tenths(Double(vcpu.timeNanoseconds) / 1e9), 9)
        return start + Columns.right(processor, 5) + "   " + letters + " " + seconds + "  "
            + CPUList.text(vcpu.hardAffinity, of: processors) + " / " + CPUList.text(vcpu.softAffinity, of: processors)
    }

    /// An array with an object for each row.
    public var json: JSONValue {
        func list(_ numbers: [Int]?) -> JSONValue { numbers.map { .array($0.map { .integer(Int64($0)) }) } ?? .null }
        return .array(
            rows.map { row in
                .object([
                    .init("domid", .integer(Int64(row.domainID))), .init("name", .string(row.name)),
                    .init("vcpu", .integer(Int64(row.number))),
                    .init("cpu", row.status.processor.map { .integer(Int64($0)) } ?? .null), .init("online", .bool(row.status.online)),
                    .init("running", .bool(row.status.running)), .init("blocked", .bool(row.status.blocked)),
                    .init("timeMilliseconds", .integer(Int64(row.status.timeNanoseconds / 1_000_000))),
                    .init("hardAffinity", list(row.status.hardAffinity)), .init("softAffinity", list(row.status.softAffinity)),
                ])
            })
    }
}

extension VCPUListing {
    /// The vCPUs of a guest.
    ///
    /// - Throws: an error when its process does not answer.
    public static func rows(of guest: GuestRegistry.Entry) throws(OperatorError) -> [Row] {
        let status = try guest.status()
        var vcpus = status.vcpus
        if vcpus.isEmpty {
            vcpus = status.vcpuTimesNanoseconds.enumerated().map { index, time in
                VCPUStatus(
                    online: index < status.onlineVCPUs, running: status.state.running, blocked: status.state.blocked, processor: nil,
                    timeNanoseconds: time)
            }
        }
        return vcpus.enumerated().map { number, vcpu in
            Row(
                name: guest.description.name, domainID: guest.domainID, number: number, status: vcpu,
                isPaused: status.state.paused && !vcpu.running)
        }
    }

    /// The host's processors, as xl shows those of domain 0. What another processor does just now nobody can say: it is shown as blocked.
    public static func hostRows(_ topology: HostTopology) -> [Row] {
        let current = Host.currentProcessor
        return topology.processors.enumerated().map { index, processor in
            let isCurrent = processor.number == current
            let status = VCPUStatus(
                online: true, running: isCurrent, blocked: !isCurrent, processor: processor.number,
                timeNanoseconds: UInt64(max(0, Host.busySeconds(ofProcessor: processor.number)) * 1e9))
            return Row(name: "Domain-0", domainID: 0, number: index, status: status, isPaused: false)
        }
    }
}
