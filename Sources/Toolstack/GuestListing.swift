public import ControlProtocol
internal import DomainConfig

/// The text of `martlet list`, in xl's columns.
public struct GuestListing: Sendable {
    /// One line: a guest and what its process says, or nil when it does not answer.
    public struct Row: Sendable {
        public var domainID: UInt16
        public var name: String
        public var uuid: String
        public var memoryMiB: UInt64
        public var vcpus: Int
        public var state: GuestState
        public var seconds: Double

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

    public var rows: [Row]

    public init(rows: [Row]) { self.rows = rows }

    /// Header and rows; `verbose` adds UUID, shutdown reason and security label.
    public func text(verbose: Bool = false) -> String {
        var text = "Name                                        ID   Mem VCPUs\tState\tTime(s)"
        if verbose { text += "   UUID                            Reason-Code\tSecurity Label" }
        text += "\n"
        for row in rows { text += row.line(verbose: verbose) + "\n" }
        return text
    }

    /// A line of `martlet vm-list`.
    public static func vmLine(uuid: String, domainID: UInt16, name: String) -> String {
        "\(uuid)  \(domainID)    \(Columns.left(name, 30))"
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
    }

    fileprivate func line(verbose: Bool) -> String {
        var line =
            Columns.left(name, 40) + " " + Columns.right("\(domainID)", 5) + " " + Columns.right("\(memoryMiB)", 5) + " "
            + Columns.right("\(vcpus)", 5) + "     " + state.letters + "  " + Columns.right(Columns.tenths(seconds), 8)
        guard verbose else { return line }
        let reason = state.shutdownReason.map { String($0.rawValue, radix: 16) } ?? "-"
        line += " " + uuid + " " + Columns.right(reason, 8) + " " + Columns.right("-", 16)
        return line
    }
}

/// Text in columns.
enum Columns {
    static func left(_ text: String, _ width: Int) -> String { text + padding(text, width) }
    static func right(_ text: String, _ width: Int) -> String { padding(text, width) + text }

    /// A number with one decimal.
    static func tenths(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "-" }
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }

    private static func padding(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.unicodeScalars.count))
    }
}

extension GuestRegistry.Entry {
    /// The configuration as libxl's JSON, as `create` stored it.
    ///
    /// - Throws: an error when the guest has just ended.
    public func configurationJSON() throws(OperatorError) -> String {
        do throws(SystemError) {
            return String(decoding: try Files.read("\(directory)/\(GuestCreation.configurationFileName)"), as: UTF8.self)
        } catch {
            throw OperatorError("the configuration of \"\(description.name)\" cannot be read: \(error.sentence)")
        }
    }
}

extension GuestListing {
    /// The host's entry in `list -l`.
    public static var hostConfigurationJSON: String {
        JSONText.object([
            ("c_info", .object([("type", .string("pv")), ("name", .string("Domain-0"))])),
            (
                "b_info",
                .object([
                    ("max_memkb", .number(Int64(clamping: Host.memoryKiB))), ("target_memkb", .number(Int64(clamping: Host.memoryKiB))),
                    ("sched_params", .object([])), ("type.pv", .object([])), ("arch_arm", .object([])), ("arch_x86", .object([])),
                ])
            ),
        ]).text()
    }
}
