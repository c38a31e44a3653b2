internal import ControlProtocol

/// The text of `martlet top`: a heading, a line for each guest, and more lines where wanted.
public struct TopView: Sendable {
    /// What the lines are sorted by.
    public var order = TopColumn.domainID
    public var showsVCPUs = false
    public var showsNetworks = false
    public var showsDisks = false
    /// Names are cut at ten characters otherwise.
    public var showsFullNames = false
    /// The names of the columns stand above every guest, not only above the first.
    public var repeatsColumns = false
    /// The host is the first line, whatever they are sorted by.
    public var showsHostFirst = false

    public init() {}

    /// The whole picture, line by line.
    ///
    /// - Parameter earlier: what was taken before; CPU % are 0 without it.
    public func lines(_ sample: TopSample, since earlier: TopSample?) -> [String] {
        let picture = picture(sample, since: earlier)
        return picture.heading + [picture.columns.text] + picture.blocks.flatMap { $0.map(\.text) }
    }

    /// The picture in its parts, for a screen that may be too small for all of it.
    struct Picture {
        enum Kind { case columns, guest, details }

        var heading: [String]
        var columns: (text: String, kind: Kind)
        /// One for each guest: its line, and those that belong to it.
        var blocks: [[(text: String, kind: Kind)]]
        /// How many characters the names of guests take.
        var nameWidth: Int
    }

    func picture(_ sample: TopSample, since earlier: TopSample?) -> Picture {
        let lines = sample.rows.map {
            TopLine(row: $0, cpuShare: share($0, sample, earlier), totalMemoryKiB: sample.totalMemoryKiB)
        }.sorted(by: isAbove)
        let nameWidth = showsFullNames ? max(10, lines.map { $0.row.name.unicodeScalars.count }.max() ?? 0) : 10
        func joined(_ text: (TopColumn) -> String) -> String {
            TopColumn.shown.map { Columns.right(text($0), $0 == .name ? nameWidth : $0.width) }.joined(separator: " ")
        }
        let columns = (text: joined(\.rawValue), kind: Picture.Kind.columns)
        let blocks = lines.enumerated().map { index, line in
            (repeatsColumns && index > 0 ? [columns] : [])
                + [(joined { $0 == .name ? String(line.row.name.prefix(nameWidth)) : $0.text(line) }, .guest)]
                + details(line).map { ($0, .details) }
        }
        return Picture(heading: heading(sample), columns: columns, blocks: blocks, nameWidth: nameWidth)
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

    private func details(_ line: TopLine) -> [String] {
        var lines: [String] = []
        if showsVCPUs, !line.row.vcpus.isEmpty {
            let times = line.row.vcpus.enumerated().map { "\($0): \($1.timeNanoseconds / 1_000_000_000)s" + ($1.online ? "" : " offline") }
            lines.append("VCPUs(sec):   " + times.joined(separator: "   "))
        }
        for device in line.devices("vif") where showsNetworks {
            lines.append(
                "Net\(device.id)  RX: \(device.bytesIn)bytes \(device.requestsIn)pkts  TX: \(device.bytesOut)bytes "
                    + "\(device.requestsOut)pkts \(device.errors)err")
        }
        for device in line.devices("vbd") where showsDisks {
            lines.append(
                "VBD \(device.id)  RD: \(device.requestsIn)  WR: \(device.requestsOut)  RSECT: \(device.bytesIn / 512)  "
                    + "WSECT: \(device.bytesOut / 512)  \(device.errors)err")
        }
        return lines
    }

    private func isAbove(_ left: TopLine, _ right: TopLine) -> Bool {
        let hosts = (left.row.domainID == 0, right.row.domainID == 0)
        if showsHostFirst, hosts.0 != hosts.1 { return hosts.0 }
        return order.isAscending(left, right)
    }

    /// Processor time per wall time since the earlier sample, in %; several vCPUs can have more than 100.
    private func share(_ row: TopSample.Row, _ sample: TopSample, _ earlier: TopSample?) -> Double {
        guard let earlier, sample.nanoseconds > earlier.nanoseconds,
            let before = earlier.rows.first(where: { $0.domainID == row.domainID }), row.cpuNanoseconds >= before.cpuNanoseconds
        else { return 0 }
        return Double(row.cpuNanoseconds - before.cpuNanoseconds) * 100 / Double(sample.nanoseconds - earlier.nanoseconds)
    }
}
