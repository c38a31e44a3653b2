import DeviceTestSupport
import Glibc
import Testing
import XenBus

@Suite("Nodes of devices") struct NodeTests {
    /// What Xen's toolstack wrote for a disk and a network interface of domain 1, without what drivers and scripts added.
    static let fixture: [String] = {
        let path = "\(#filePath)".split(separator: "/").dropLast().joined(separator: "/")
        let added = [
            "feature-", "discard-alignment", "discard-granularity", "discard-secure", "info ", "sectors ", "sector-size", "physical-",
            "max-ring", "multi-queue", "/node ", "event-channel", "ring-ref", "protocol", "request-rx-copy", "xdp-headroom",
        ]
        return contents(of: "/\(path)/Fixtures/xenstore-running.txt", at: 0, 1 << 20).split(separator: 10)
            .map { String(decoding: $0, as: UTF8.self) }.filter { line in !added.contains { line.contains($0) } }
    }()

    private func normalized(_ line: String) -> String {
        var line = line
        let numbers = [
            ("/domain/1", "/domain/7"), ("/libxl/1", "/libxl/7"), ("vbd/1", "vbd/7"), ("vif/1", "vif/7"), ("n1,r0", "n7,r0"),
            ("n0,r1", "n0,r7"),
        ]
        for (old, new) in numbers {
            line = line.split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
        }
        line = line.split(separator: "frontend-id = \"1\"", omittingEmptySubsequences: false).joined(separator: "frontend-id = \"7\"")
        // Both states were at 1 when the nodes were made; the hotplug script had not run.
        if line.contains("/state = ") {
            return line.split(separator: "\"", maxSplits: 2, omittingEmptySubsequences: false).enumerated()
                .map { $0.offset == 1 ? "1" : String($0.element) }.joined(separator: "\"")
        }
        return line.split(separator: "hotplug-status = \"connected\"", omittingEmptySubsequences: false).joined(
            separator: "hotplug-status = \"\"")
    }

    @Test("A disk's and an interface's nodes are those of Xen's toolstack, with its permissions")
    func creation() throws {
        let guest = try TestGuest()
        let bus = try DeviceBus(domain: TestGuest.domainID, store: guest.store) { _ in }
        let disk = RecordingBackend(
            frontend: [("virtual-device", "51712"), ("device-type", "disk"), ("trusted", "1")],
            backend: [
                ("params", "/tmp/out.raw"), ("script", "/etc/xen/scripts/block"), ("removable", "0"), ("bootable", "1"), ("dev", "xvda"),
                ("type", "phy"), ("mode", "w"), ("device-type", "disk"), ("discard-enable", "1"), ("specification", "xen"),
            ])
        let interface = RecordingBackend(
            kind: "vif", id: 0, frontend: [("handle", "0"), ("mac", "00:16:3e:12:34:56"), ("trusted", "1")], guarded: [("mtu", "1500")],
            backend: [
                ("script", "/etc/xen/scripts/vif-bridge"), ("mac", "00:16:3e:12:34:56"), ("bridge", "xenbr0"), ("handle", "0"),
                ("type", "vif"), ("hotplug-status", ""),
            ])
        try bus.attach(disk)
        try bus.attach(interface)
        let ours = guest.listing(below: "/").filter { $0.contains("device/v") || $0.contains("backend/v") }
        let expected = Set(Self.fixture.map(normalized)).subtracting([
            "/local/domain/0/backend/vbd/7/51712/hotplug-status = \"\"   (n0,r7)"
        ])
        #expect(Set(ours).symmetricDifference(expected).sorted() == [])
        bus.stop()
    }

    @Test("Ports and ring pages are listed queue by queue, sending first, pages in order")
    func rings() {
        let single = DeviceNodes(["ring-ref": "8", "event-channel": "13", "state": "4"])
        #expect(single.ringReferences == [8] && single.eventChannels == [13])
        let interface = DeviceNodes(["rx-ring-ref": "2", "tx-ring-ref": "1", "event-channel-rx": "4", "event-channel-tx": "3"])
        #expect(interface.ringReferences == [1, 2] && interface.eventChannels == [3, 4])
        var many = DeviceNodes(["multi-queue-num-queues": "11"])
        for queue in 0..<11 {
            many["queue-\(queue)/event-channel"] = "\(100 + queue)"
            for page in 0..<12 { many["queue-\(queue)/ring-ref\(page)"] = "\(queue * 12 + page)" }
        }
        #expect(many.eventChannels == Array(100..<111) && many.ringReferences == Array(0..<132))
    }
}
