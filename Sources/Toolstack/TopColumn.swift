internal import ControlProtocol

/// The columns of `martlet top`: xentop's, in its order and with its widths. Any of them can be what the lines are sorted by.
public enum TopColumn: String, CaseIterable, Sendable {
    case domainID = "DOMID"
    case name = "NAME"
    case state = "STATE"
    case cpuSeconds = "CPU(sec)"
    case cpuShare = "CPU(%)"
    case memory = "MEM(k)"
    case memoryShare = "MEM(%)"
    case maxMemory = "MAXMEM(k)"
    case maxMemoryShare = "MAXMEM(%)"
    case vcpus = "VCPUS"
    case networks = "NETS"
    case sent = "NETTX(k)"
    case received = "NETRX(k)"
    case disks = "VBDS"
    /// How often a disk's backend had no room for a request. Ours leaves requests in the ring until it has, and counts none.
    case diskOutOfRequests = "VBD_OO"
    case diskReads = "VBD_RD"
    case diskWrites = "VBD_WR"
    case sectorsRead = "VBD_RSECT"
    case sectorsWritten = "VBD_WSECT"
    /// The security label's number: 0, for there are none.
    case label = "SSID"

    /// All but the domain ID, which only sorts.
    static let shown = allCases.filter { $0 != .domainID }

    /// The next one, for a key that steps through them.
    public var next: TopColumn {
        let all = Self.allCases
        return all[((all.firstIndex(of: self) ?? 0) + 1) % all.count]
    }

    var width: Int {
        switch self {
        case .name, .cpuSeconds, .memory, .maxMemory, .sectorsRead, .sectorsWritten: 10
        case .maxMemoryShare: 9
        case .sent, .received, .diskOutOfRequests, .diskReads, .diskWrites: 8
        case .state, .cpuShare, .memoryShare: 6
        case .domainID, .vcpus: 5
        case .networks, .disks, .label: 4
        }
    }

    func text(_ line: TopLine) -> String {
        switch self {
        case .name: line.row.name
        case .state: line.letters
        case .cpuShare, .memoryShare: Columns.tenths(number(line))
        case .maxMemory where line.row.maxMemoryKiB == nil: "no limit"
        case .maxMemoryShare: line.row.maxMemoryKiB == nil ? "n/a" : Columns.tenths(number(line))
        default: "\(UInt64(number(line)))"
        }
    }

    /// Whether one line stands above another: names ascending, numbers descending, the domain ID where all else is equal.
    func isAscending(_ left: TopLine, _ right: TopLine) -> Bool {
        let byID = left.row.domainID < right.row.domainID
        switch self {
        case .domainID: return byID
        case .name: return (left.row.name, left.row.domainID) < (right.row.name, right.row.domainID)
        case .state: return left.letters == right.letters ? byID : left.letters > right.letters
        default:
            let (first, second) = (number(left), number(right))
            return first == second ? byID : first > second
        }
    }

    private func number(_ line: TopLine) -> Double {
        switch self {
        case .name, .state, .diskOutOfRequests, .label: 0
        case .domainID: Double(line.row.domainID)
        case .cpuSeconds: Double(line.row.cpuNanoseconds / 1_000_000_000)
        case .cpuShare: line.cpuShare
        case .memory: Double(line.row.memoryKiB)
        case .memoryShare: line.share(ofMemory: line.row.memoryKiB)
        // No limit is above every limit.
        case .maxMemory: line.row.maxMemoryKiB.map { Double($0) } ?? .infinity
        case .maxMemoryShare: line.row.maxMemoryKiB.map { line.share(ofMemory: $0) } ?? .infinity
        case .vcpus: Double(line.row.vcpus.count(where: \.online))
        case .networks: Double(line.devices("vif").count)
        case .sent: line.sum("vif", \.bytesOut) / 1024
        case .received: line.sum("vif", \.bytesIn) / 1024
        case .disks: Double(line.devices("vbd").count)
        case .diskReads: line.sum("vbd", \.requestsIn)
        case .diskWrites: line.sum("vbd", \.requestsOut)
        case .sectorsRead: line.sum("vbd", \.bytesIn) / 512
        case .sectorsWritten: line.sum("vbd", \.bytesOut) / 512
        }
    }
}

/// A row with what the rest of the picture has to do with it.
struct TopLine {
    var row: TopSample.Row
    /// In %, of one processor.
    var cpuShare: Double
    var totalMemoryKiB: UInt64

    func share(ofMemory kib: UInt64) -> Double { Double(kib) * 100 / Double(max(1, totalMemoryKiB)) }

    func devices(_ kind: String) -> [DeviceStatus] { row.devices.filter { $0.kind == kind } }

    func sum(_ kind: String, _ value: KeyPath<DeviceStatus, UInt64>) -> Double {
        Double(devices(kind).reduce(0) { $0 &+ $1[keyPath: value] })
    }

    /// xentop's order of the letters: dying, shut down, blocked, paused, crashed, running.
    var letters: String {
        let state = row.state
        let crashed = state.shutdownReason == .crash
        return (state.dying ? "d" : "-") + (state.shutdownReason != nil && !crashed ? "s" : "-") + (state.blocked ? "b" : "-")
            + (state.paused ? "p" : "-") + (crashed ? "c" : "-") + (state.running ? "r" : "-")
    }
}
