public import ControlProtocol
internal import Glibc
public import KernelImage

/// The text of `martlet uptime`.
public struct UptimeListing: Sendable {
    public struct Row: Sendable {
        public var name: String
        public var domainID: UInt16
        public var seconds: UInt64

        public init(name: String, domainID: UInt16, seconds: UInt64) {
            self.name = name
            self.domainID = domainID
            self.seconds = seconds
        }
    }

    public var rows: [Row]

    public init(rows: [Row]) { self.rows = rows }

    /// Header and rows.
    public var text: String {
        rows.reduce("Name                                ID Uptime\n") { text, row in
            let time = Self.duration(row.seconds, withSeconds: true)
            return text + Columns.left(row.name, 33) + " " + Columns.right("\(row.domainID)", 4) + " " + time + "\n"
        }
    }

    /// A line for each row, in the manner of uptime(1).
    ///
    /// - Parameter clock: the time of day, "HH:MM:SS".
    public func shortText(clock: String = Self.clock) -> String {
        rows.reduce("") { $0 + " \(clock) up \(Self.duration($1.seconds, withSeconds: false)), \($1.name) (\($1.domainID))\n" }
    }

    /// An array with an object for each row.
    public var json: JSONValue {
        .array(
            rows.map { row in
                .object([
                    .init("domid", .integer(Int64(row.domainID))), .init("name", .string(row.name)),
                    .init("uptimeSeconds", .integer(Int64(clamping: row.seconds))),
                ])
            })
    }

    /// "2 days,  3:04:05".
    private static func duration(_ total: UInt64, withSeconds: Bool) -> String {
        let (days, hours, minutes, seconds) = (total / 86400, total / 3600 % 24, total / 60 % 60, total % 60)
        func two(_ number: UInt64) -> String { (number < 10 ? "0" : "") + "\(number)" }
        let start = days == 0 ? "" : days == 1 ? "1 day, " : "\(days) days, "
        return start + Columns.right("\(hours)", 2) + ":" + two(minutes) + (withSeconds ? ":" + two(seconds) : "")
    }

    /// The time of day here.
    public static var clock: String {
        var now = time(nil)
        var parts = unsafe tm()
        unsafe localtime_r(&now, &parts)
        func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + "\(number)" }
        let (hours, minutes, seconds) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
        return "\(two(hours)):\(two(minutes)):\(two(seconds))"
    }

    /// The host.
    public static var host: Row { Row(name: "Domain-0", domainID: 0, seconds: Host.uptimeSeconds) }
}

extension UptimeListing.Row {
    /// A guest: since it was first unpaused.
    ///
    /// - Throws: an error when its process does not answer.
    public init(_ guest: GuestRegistry.Entry) throws(OperatorError) {
        let status = try guest.status()
        self.init(name: guest.description.name, domainID: guest.domainID, seconds: status.uptimeNanoseconds / 1_000_000_000)
    }
}
