/// The number a guest and the xenstore know a virtual disk by, and the names it has in configurations (xen-vbd-interface(7)).
///
///     xvdX[P], dNpP   202 << 8 | disk << 4 | partition        up to 16 disks with 15 partitions
///                     1 << 28 | disk << 8 | partition         beyond
///     hdX[P]          3 or 22 << 8 | (disk & 1) << 6 | partition
///     sdX[P]            8 << 8 | disk << 4 | partition
///     a number        itself
public struct VirtualDeviceNumber: Equatable, Hashable, Sendable {
    public var value: UInt32

    public init(_ value: UInt32) { self.value = value }

    /// - Returns: nil for a name that stands for no device.
    public init?(vdev: String) {
        if let place = Self.match(vdev, "xvd", disks: 1 << 20, partitions: 256) ?? Self.matchNumbered(vdev) {
            value = Self.xenNumber(place)
        } else if let place = Self.match(vdev, "hd", disks: 4, partitions: 64) {
            value = (place.disk < 2 ? 3 : 22) << 8 | (place.disk & 1) << 6 | place.partition
        } else if let place = Self.match(vdev, "sd", disks: 16, partitions: 16) {
            value = 8 << 8 | place.disk << 4 | place.partition
        } else if case .value(let number) = CInteger.parse(vdev), vdev.utf8.first.map(Self.isDigit) == true, (0..<1 << 29).contains(number)
        {
            value = UInt32(number)
        } else {
            return nil
        }
    }

    private typealias Place = (disk: UInt32, partition: UInt32)

    private static func xenNumber(_ place: Place) -> UInt32 {
        if place.disk < 16, place.partition < 16 { return 202 << 8 | place.disk << 4 | place.partition }
        return 1 << 28 | place.disk << 8 | place.partition
    }

    /// "xvd" and letters that count a, b, …, z, aa, …; then a partition or nothing.
    private static func match(_ name: String, _ prefix: String, disks: UInt32, partitions: UInt32) -> Place? {
        guard name.hasPrefix(prefix) else { return nil }
        let rest = name.utf8.dropFirst(prefix.utf8.count)
        let letters = rest.prefix { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        guard !letters.isEmpty, letters.count <= 5 else { return nil }
        let disk = letters.reduce(0) { $0 * 26 + UInt32($1 - UInt8(ascii: "a")) + 1 } - 1
        let digits = rest.dropFirst(letters.count)
        guard disk < disks, let partition = digits.isEmpty ? 0 : number(digits, below: partitions) else { return nil }
        return (disk, partition)
    }

    /// "d5p1", and "d5" for the whole disk.
    private static func matchNumbered(_ name: String) -> Place? {
        guard name.utf8.first == UInt8(ascii: "d") else { return nil }
        let parts = name.utf8.dropFirst().split(separator: UInt8(ascii: "p"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let disk = number(first, below: 1 << 20) else { return nil }
        guard parts.count == 2 else { return (disk, 0) }
        return number(parts[1], below: 256).map { (disk, $0) }
    }

    private static func number(_ digits: some Collection<UInt8>, below limit: UInt32) -> UInt32? {
        guard !digits.isEmpty, digits.count <= 7, digits.allSatisfy(isDigit) else { return nil }
        let value = digits.reduce(0) { $0 * 10 + UInt32($1 - UInt8(ascii: "0")) }
        return value < limit ? value : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
