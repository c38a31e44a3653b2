import HostIO
import Testing
import XenBus

@testable import NetBackend

@Suite("Connecting a network driver") struct ConnectionTests {
    @Test("The nodes are those of a captured guest, but for what this backend does not offer")
    func nodes() throws {
        let station = try Station(try TestLink(), id: 1)
        _ = eventually { station.state == "2" }
        let backend = [
            "bridge": "xenbr0", "feature-ctrl-ring": "0", "feature-dynamic-multicast-control": "1", "feature-xdp-headroom": "1",
            "feature-gso-tcpv4": "1",
            "feature-gso-tcpv6": "1", "feature-ipv6-csum-offload": "1", "feature-multicast-control": "1", "feature-rx-copy": "1",
            "feature-rx-flip": "0", "feature-sg": "1", "feature-split-event-channels": "1", "frontend": "/local/domain/1/device/vif/0",
            "frontend-id": "1", "handle": "0", "hotplug-status": "connected", "mac": "00:16:3e:12:34:56", "multi-queue-max-queues": "1",
            "online": "1", "script": "/etc/xen/scripts/vif-bridge", "state": "2", "type": "vif",
        ]
        let frontend = [
            "backend": "/local/domain/0/backend/vif/1/0", "backend-id": "0", "handle": "0", "mac": "00:16:3e:12:34:56", "mtu": "1500",
            "state": "1", "trusted": "1",
        ]
        let access = try #require(station.bus.devices.first)
        #expect(access.frontend.texts == frontend)
        for (name, value) in backend { #expect(station.node("\(station.backendPath)/\(name)") == value, "\(name)") }
        #expect(station.node("/libxl/1/device/vif/0/hotplug-status") == "")
    }

    @Test("What the configuration says beyond that is there, too")
    func moreNodes() throws {
        let station = try Station(try TestLink()) { configuration in
            configuration.mtu = 9000
            configuration.rate = .init(bytesPerInterval: 62500, intervalMicroseconds: 50000)
            configuration.interfaceName = "eth7"
            configuration.ip = "10.0.0.7"
            configuration.isTrusted = false
            configuration.maximumQueueCount = 4
        }
        _ = eventually { station.state == "2" }
        let expected = [
            "mtu": "9000", "rate": "62500,50000", "vifname": "eth7", "ip": "10.0.0.7", "multi-queue-max-queues": "4",
        ]
        for (name, value) in expected { #expect(station.node("\(station.backendPath)/\(name)") == value, "\(name)") }
        #expect(station.node("\(station.frontendPath)/trusted") == "0")
        #expect(station.node("\(station.frontendPath)/mtu") == "9000")
    }

    @Test(
        "A driver that cannot be served is told why, and nothing of it is in use",
        arguments: [
            ("request-rx-copy", "0", "request-rx-copy"), ("request-rx-copy", nil, "request-rx-copy"), ("tx-ring-ref", nil, "tx-ring-ref"),
            ("rx-ring-ref", "many", "rx-ring-ref"), ("tx-ring-ref", "4000", "4000"), ("rx-ring-ref", "4294967295", "4294967295"),
            ("event-channel-rx", nil, "event-channel"), ("event-channel-tx", "9999", "9999"),
            ("multi-queue-num-queues", "0", "multi-queue-num-queues"), ("multi-queue-num-queues", "3", "multi-queue-num-queues"),
            ("multi-queue-num-queues", "2", "queue-0/tx-ring-ref"),
        ] as [(String, String?, String)])
    func refused(node: String, value: String?, named: String) throws {
        let station = try Station(try TestLink()) { $0.maximumQueueCount = 2 }
        station.makeQueues(1)
        var nodes = station.nodes(Station.linuxFeatures, flat: true)
        nodes[node] = value
        try station.publish(nodes)
        #expect(eventually { station.state == "5" })
        #expect(station.node("\(station.backendPath)/error")?.contains(named) == true)
        #expect(!station.domain.isInUse(station.queues[0].transmitReference))
        #expect(!station.domain.isInUse(station.queues[0].receiveReference))
        // The same driver does better the second time: its ports are free.
        try station.disconnect()
        try station.restartDriver()
        #expect(eventually { station.state == "2" })
    }

    @Test("Rings are in use while connected, and free after", arguments: [(1, true), (1, false), (2, true)])
    func lifetime(queueCount: Int, splitsPorts: Bool) throws {
        let station = try Station(try TestLink()) { $0.maximumQueueCount = 2 }
        for _ in 0..<3 {
            try station.connect(queueCount: queueCount, splitsPorts: splitsPorts)
            let references = station.queues.flatMap { [$0.transmitReference, $0.receiveReference] }
            #expect(references.allSatisfy(station.domain.isInUse))
            #expect(station.queues[queueCount - 1].send(Packets.ethernet([1])) == [0])
            try station.disconnect()
            #expect(!references.contains(where: station.domain.isInUse))
            if queueCount == 1 { try station.restartDriver() } else { break }
        }
        #expect(station.log.all.isEmpty)
    }

    @Test("Packets for a guest without a driver are nobody's, and the link is closed with the device")
    func withoutDriver() throws {
        let link = try TestLink()
        do {
            let station = try Station(link)
            link.give([Packets.ethernet([1])])
            _ = eventually { station.state == "2" }
            station.bus.stop()
        }
        #expect(link.wasClosed)
    }
}
