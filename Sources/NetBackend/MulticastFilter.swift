/// The multicast addresses a guest wants to hear, once it has asked for the choice.
///
/// Reference: Xen `public/io/netif.h`, "Multicast filtering".
struct MulticastFilter {
    static let maximumCount = 64

    var isOn: Bool
    private var addresses: Set<MACAddress> = []

    init(isOn: Bool) { self.isOn = isOn }

    /// - Returns: false when the list is full.
    mutating func join(_ address: MACAddress) -> Bool {
        guard addresses.contains(address) || addresses.count < Self.maximumCount else { return false }
        addresses.insert(address)
        return true
    }

    mutating func leave(_ address: MACAddress) { addresses.remove(address) }

    func admits(_ frame: Frame) -> Bool {
        guard isOn else { return true }
        let destination = frame.destination
        return !destination.isGroup || destination == .broadcast || addresses.contains(destination)
    }
}
