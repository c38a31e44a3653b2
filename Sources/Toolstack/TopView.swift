internal import ControlProtocol

/// The text of `martlet top`: a heading, a line for each guest, and more lines where wanted.
public struct TopView: Sendable {
    /// What the lines are sorted by.
    public enum Order: String, CaseIterable, Sendable {
        case domainID = "domain ID"
        case name
        case cpu = "CPU"
        case memory

        /// The next one, for a key that steps through them.
        public var next: Order {
            let all = Order.allCases
            return all[((all.firstIndex(of: self) ?? 0) + 1) % all.count]
        }
    }

    public var order = Order.domainID
    public var showsVCPUs = false
    public var showsNetworks = false
    public var showsDisks = false
    /// Names are cut at ten characters otherwise.
    public var showsFullNames = false

    public init() {}

    /// The whole picture, line by line.
    ///
    /// - Parameter earlier: what was taken before; CPU % are 0 without it.
    public func lines(_ sample: TopSample, since earlier: TopSample?) -> [String] {
        let shares = Dictionary(
            sample.rows.map { ($0.domainID, share($0, sample, earlier)) }, uniquingKeysWith: { first, _ in first })
        var lines = heading(sample)
        lines.append(Self.columns.map { Columns.right($0.head, $0.width) }.joined(separator: " "))
        for row in sorted(sample.rows, shares) {
            let cells = cells(row, sample, shares[row.domainID] ?? 0)
            lines.append(zip(Self.columns, cells).map { Columns.right($1, $0.width) }.joined(separator: " "))
            lines += details(row)
        }
        return lines
    }

    private func heading(_ sample: TopSample) -> [String] {
        let states = sample.rows.map(\.state)
        func count(_ fits: (GuestState) -> Bool) -> Int { states.count(where: fits) }
        let crashed = count { $0.shutdownReason == .crash }
        return [
            "martlet top - \(sample.clock)   Xen \(sample.xenVersion)",
            "\(states.count) domains: \(count(\.running)) running, \(count(\.blocked)) blocked, \(count(\.paused)) paused, \(crashed) crashed, "
                + "\(count(\.dying)) dying, \(count { $0.shutdownReason != nil && $0.shutdownReason != .crash }) shutdown",
            "Mem: \(sample.totalMemoryKiB)k total, \(sample.totalMemoryKiB - min(sample.freeMemoryKiB, sample.totalMemoryKiB))k used, "
                + "\(sample.freeMemoryKiB)k free    CPUs: \(sample.processorCount) @ \(sample.megahertz)MHz",
        ]
    }

    private static let columns: [(head: String, width: Int)] = [
        ("NAME", 10), ("STATE", 6), ("CPU(sec)", 10), ("CPU(%)", 6), ("MEM(k)", 10), ("MEM(%)", 6), ("MAXMEM(k)", 10), ("MAXMEM(%)", 9),
        ("VCPUS", 5), ("NETS", 4), ("NETTX(k)", 8), ("NETRX(k)", 8), ("VBDS", 4), ("VBD_RD", 8), ("VBD_WR", 8), ("VBD_RSECT", 10),
        ("VBD_WSECT", 10),
    ]

    private func cells(_ row: TopSample.Row, _ sample: TopSample, _ share: Double) -> [String] {
        let total = Double(max(1, sample.totalMemoryKiB))
        let networks = row.devices.filter { $0.kind == "vif" }
        let disks = row.devices.filter { $0.kind == "vbd" }
        func sum(_ devices: [DeviceStatus], _ value: KeyPath<DeviceStatus, UInt64>) -> UInt64 {
            devices.reduce(0) { $0 &+ $1[keyPath: value] }
        }
        let maximum = row.maxMemoryKiB.map { ("\($0)", Columns.tenths(Double($0) * 100 / total)) } ?? ("no limit", "n/a")
        return [
            showsFullNames ? row.name : String(row.name.prefix(10)), letters(row.state), "\(row.cpuNanoseconds / 1_000_000_000)",
            Columns.tenths(share), "\(row.memoryKiB)", Columns.tenths(Double(row.memoryKiB) * 100 / total), maximum.0, maximum.1,
            "\(row.vcpus.count(where: \.online))", "\(networks.count)", "\(sum(networks, \.bytesOut) / 1024)",
            "\(sum(networks, \.bytesIn) / 1024)", "\(disks.count)", "\(sum(disks, \.requestsIn))", "\(sum(disks, \.requestsOut))",
            "\(sum(disks, \.bytesIn) / 512)", "\(sum(disks, \.bytesOut) / 512)",
        ]
    }

    private func details(_ row: TopSample.Row) -> [String] {
        var lines: [String] = []
        if showsVCPUs, !row.vcpus.isEmpty {
            let times = row.vcpus.enumerated().map { "\($0): \($1.timeNanoseconds / 1_000_000_000)s" + ($1.online ? "" : " offline") }
            lines.append("VCPUs(sec):   " + times.joined(separator: "   "))
        }
        for device in row.devices where device.kind == "vif" && showsNetworks {
            lines.append(
                "Net\(device.id)  RX: \(device.bytesIn)bytes \(device.requestsIn)pkts  TX: \(device.bytesOut)bytes "
                    + "\(device.requestsOut)pkts \(device.errors)err")
        }
        for device in row.devices where device.kind == "vbd" && showsDisks {
            lines.append(
                "VBD \(device.id)  RD: \(device.requestsIn)  WR: \(device.requestsOut)  RSECT: \(device.bytesIn / 512)  "
                    + "WSECT: \(device.bytesOut / 512)  \(device.errors)err")
        }
        return lines
    }

    /// xentop's order of the letters: dying, shut down, blocked, paused, crashed, running.
    private func letters(_ state: GuestState) -> String {
        let crashed = state.shutdownReason == .crash
        return (state.dying ? "d" : "-") + (state.shutdownReason != nil && !crashed ? "s" : "-") + (state.blocked ? "b" : "-")
            + (state.paused ? "p" : "-") + (crashed ? "c" : "-") + (state.running ? "r" : "-")
    }

    /// Processor time per wall time since the earlier sample, in %; several vCPUs can have more than 100.
    private func share(_ row: TopSample.Row, _ sample: TopSample, _ earlier: TopSample?) -> Double {
        guard let earlier, sample.nanoseconds > earlier.nanoseconds,
            let before = earlier.rows.first(where: { $0.domainID == row.domainID }), row.cpuNanoseconds >= before.cpuNanoseconds
        else { return 0 }
        return Double(row.cpuNanoseconds - before.cpuNanoseconds) * 100 / Double(sample.nanoseconds - earlier.nanoseconds)
    }

    private func sorted(_ rows: [TopSample.Row], _ shares: [UInt16: Double]) -> [TopSample.Row] {
        switch order {
        case .domainID: rows.sorted { $0.domainID < $1.domainID }
        case .name: rows.sorted { ($0.name, $0.domainID) < ($1.name, $1.domainID) }
        case .cpu: rows.sorted { (shares[$1.domainID] ?? 0, $0.domainID) < (shares[$0.domainID] ?? 0, $1.domainID) }
        case .memory: rows.sorted { ($1.memoryKiB, $0.domainID) < ($0.memoryKiB, $1.domainID) }
        }
    }
}
