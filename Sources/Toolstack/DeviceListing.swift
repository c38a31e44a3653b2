public import ControlProtocol
public import KernelImage

/// The text of `martlet block-list` and `network-list`.
public struct DeviceListing: Sendable {
    public var domainID: UInt16
    public var devices: [DeviceStatus]

    public init(domainID: UInt16, devices: [DeviceStatus]) {
        self.domainID = domainID
        self.devices = devices
    }

    /// What the devices of a guest are now.
    ///
    /// - Throws: an error when its process does not answer.
    public init(_ guest: GuestRegistry.Entry) throws(OperatorError) {
        self.init(domainID: guest.domainID, devices: try guest.devices())
    }

    public static let blockHeading = "Vdev  BE  handle state evt-ch ring-ref BE-path                       \n"
    public static let networkHeading = "Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path                       \n"

    /// Lines of the disks, without the heading. What xl heads "handle" is the guest's domain ID.
    public var blockLines: String {
        select("vbd").reduce("") { text, device in
            let start =
                Columns.left("\(device.id)", 5) + " 0   " + Columns.left("\(domainID)", 6) + " " + Columns.left("\(device.state)", 5)
            let ring = Columns.left(Self.only(device.eventChannels), 6) + " " + Columns.left(Self.number(device.ringReferences, 0), 8)
            return text + start + " " + ring + " " + Columns.left(device.backendPath, 30) + "\n"
        }
    }

    /// Lines of the network interfaces, without the heading. Where there are several event channels, xl shows -1.
    public var networkLines: String {
        select("vif").reduce("") { text, device in
            let start = Columns.left("\(device.id)", 3) + " 0  " + Columns.left(device.mac ?? "", 17) + Columns.right("\(device.id)", 6)
            let state = " " + Columns.right("\(device.state)", 5) + " " + Columns.right(Self.only(device.eventChannels), 6)
            let transmit = Columns.right(Self.number(device.ringReferences, 0), 5)
            let receive = Columns.left(Self.number(device.ringReferences, 1), 11)
            return text + start + state + " " + transmit + "/" + receive + " " + Columns.left(device.backendPath, 30) + "\n"
        }
    }

    /// An array with an object for each device of a kind ("vbd" or "vif").
    public func json(_ kind: String) -> [JSONValue] {
        select(kind).map { device in
            func numbers(_ list: [UInt32]) -> JSONValue { .array(list.map { .integer(Int64($0)) }) }
            func count(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }
            return .object([
                .init("domid", .integer(Int64(domainID))), .init("id", .integer(Int64(device.id))),
                .init("state", .integer(Int64(device.state))), .init("mac", device.mac.map { .string($0) } ?? .null),
                .init("eventChannels", numbers(device.eventChannels)), .init("ringReferences", numbers(device.ringReferences)),
                .init("backendPath", .string(device.backendPath)), .init("requestsIn", count(device.requestsIn)),
                .init("requestsOut", count(device.requestsOut)), .init("bytesIn", count(device.bytesIn)),
                .init("bytesOut", count(device.bytesOut)), .init("errors", count(device.errors)),
            ])
        }
    }

    private func select(_ kind: String) -> [DeviceStatus] { devices.filter { $0.kind == kind }.sorted { $0.id < $1.id } }

    private static func only(_ numbers: [UInt32]) -> String { numbers.count == 1 ? "\(numbers[0])" : "-1" }

    private static func number(_ numbers: [UInt32], _ index: Int) -> String { index < numbers.count ? "\(numbers[index])" : "-1" }
}
