internal import GuestMemory
internal import XenBus

/// What a guest's driver says that it takes.
struct FrontendFeatures: Sendable {
    var abilities: FrameAbilities = []
    /// Packets of several buffers.
    var scatters = false
    /// Bytes left free in each buffer before the data.
    var headroom = 0
    var controlsMulticast = false

    static let maximumHeadroom = 1024

    init() {}

    /// - Parameter nodes: the frontend's directory. What is missing is not supported, but for IPv4 checksums.
    init(_ nodes: DeviceNodes) {
        scatters = nodes.flag("feature-sg")
        controlsMulticast = nodes.flag("request-multicast-control")
        headroom = min(nodes.number("xdp-headroom", as: Int.self) ?? 0, Self.maximumHeadroom)
        if headroom < 0 { headroom = 0 }
        if !nodes.flag("feature-no-csum-offload") { abilities.insert(.blankChecksum4) }
        if nodes.flag("feature-ipv6-csum-offload") { abilities.insert(.blankChecksum6) }
        guard scatters else { return }
        if nodes.flag("feature-gso-tcpv4") { abilities.insert(.tcp4) }
        if nodes.flag("feature-gso-tcpv6") { abilities.insert(.tcp6) }
    }

    var bytesPerSlot: Int { GuestMemory.pageSize - headroom }

    func slotCount(_ frame: Frame) -> UInt32 {
        UInt32((frame.count + bytesPerSlot - 1) / bytesPerSlot) + (frame.offload.segmentation == .none ? 0 : 1)
    }

    func takes(_ frame: Frame) -> Bool { scatters || frame.count <= bytesPerSlot }
}
