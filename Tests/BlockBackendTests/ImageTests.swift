import BlockBackend
import DeviceTestSupport
import Glibc
import TestSupport
import Testing
import XenBus

@Suite("Images") struct ImageTests {
    private func open(_ path: String, _ guest: TestGuest, name: String = "xvda", readOnly: Bool = false) throws(BlockFailure) -> BlockDevice
    {
        var configuration = BlockConfiguration(name: name, deviceNumber: 51712, path: path)
        configuration.isReadOnly = readOnly
        return try BlockDevice(configuration, guest: guest.access) { _ in }
    }

    @Test("Two writers of an image, or a writer and a reader, are refused; readers share")
    func locks() throws {
        let (directory, guest) = (ScratchDirectory(), try TestGuest())
        let path = directory.file("a.img", byteCount: 4096)
        do {
            let writer = try open(path, guest)
            let inUse = BlockFailure(
                "xvdb: \(path) is in use by another disk, guest or program",
                remedy: "end the one that uses it, or give each guest a copy of its own (sharing needs access=ro on all sides)")
            #expect(throws: inUse) { try open(path, guest, name: "xvdb") }
            #expect(throws: BlockFailure.self) { try open(path, guest, name: "xvdb", readOnly: true) }
            writer.close()
        }
        let readers = try [open(path, guest, readOnly: true), open(path, guest, readOnly: true)]
        #expect(throws: BlockFailure.self) { try open(path, guest) }
        for reader in readers { reader.close() }
    }

    @Test("An image that was closed can be opened again at once")
    func reopening() throws {
        let (directory, guest) = (ScratchDirectory(), try TestGuest())
        let path = directory.file("a.img", byteCount: 4096)
        for _ in 0..<3 { try open(path, guest).close() }
    }

    @Test("A drive without a medium is a disk of no sectors, and needs no file")
    func emptyDrive() throws {
        let guest = try TestGuest()
        var configuration = BlockConfiguration(name: "xvdc", deviceNumber: 51744, path: "")
        (configuration.isReadOnly, configuration.isCDROM) = (true, true)
        let drive = try BlockDevice(configuration, guest: guest.access) { _ in }
        #expect(try drive.refreshSize().contains { $0.name == "sectors" && $0.value == "0" })
        #expect(drive.backendNodes.contains { $0.name == "params" && $0.value == "aio:" })
        drive.close()
    }

    @Test("QEMU's programs respect our lock, and we theirs", .enabled(if: Host.hasQEMU, "qemu-utils is not installed"))
    func qemuLocks() throws {
        let (directory, guest) = (ScratchDirectory(), try TestGuest())
        let path = directory.file("a.img", byteCount: 1 << 20)
        let device = try open(path, guest)
        let refused = shell("qemu-io -f raw -c 'write 0 512' '\(path)'")
        #expect(refused.status != 0 && refused.output.contains("lock"), "\(refused.output)")
        device.close()
        #expect(shell("qemu-io -f raw -c 'write 0 512' '\(path)'").status == 0)
    }

    @Test("What cannot be opened is named, with a remedy")
    func failures() throws {
        let (directory, guest) = (ScratchDirectory(), try TestGuest())
        let missing = "\(directory.path)/none.img"
        #expect(
            throws: BlockFailure(
                "xvda: \(missing) cannot be opened: No such file or directory",
                remedy: "give the path of an image that exists; `truncate -s 8G FILE` makes an empty one")
        ) { try open(missing, guest) }
        #expect(throws: BlockFailure.self) { try open(directory.path, guest) }
        #expect(throws: BlockFailure("xvda: /dev/null is neither a file nor a block device", remedy: "name a disk image")) {
            try open("/dev/null", guest)
        }
    }

    @Test("A new size is shown to the guest, which can use it")
    func resize() throws {
        let bench = try BlockBench.connected(byteCount: 1 << 20)
        let frontend = bench.frontend
        let page = bench.pages(1, seed: 5)[0]
        #expect(frontend.backendNode("sectors") == "2048")
        resizeFile(bench.path, to: 2 << 20)
        #expect(frontend.ask(frontend.request(1, id: 1, sector: 2048, [.init(page.reference)])) == bench.failed(1, 1))
        bench.bus.announce(kind: "vbd", id: BlockBench.id, try bench.device.refreshSize())
        #expect(eventually { frontend.backendNode("sectors") == "4096" })
        #expect(frontend.ask(frontend.request(1, id: 2, sector: 2048, [.init(page.reference)])) == bench.ok(1, 2))
    }

    @Test("A failure of the host becomes an error of the guest's and a line of the log", arguments: Way.possible)
    func hostErrors(way: Way) throws {
        let bench = try way.bench(byteCount: 1 << 20)
        let frontend = bench.frontend
        let page = bench.pages(1, seed: 5)[0]
        // Somebody cuts the image behind our back.
        resizeFile(bench.path, to: 4096)
        #expect(frontend.ask(frontend.request(0, id: 1, sector: 8, [.init(page.reference)])) == bench.failed(0, 1))
        #expect(bench.log.all == ["xvda: a read at byte 4096 failed: Input/output error"])
        #expect(bench.device.statistics.errors == 1)
        #expect(frontend.ask(frontend.request(0, id: 2, sector: 0, [.init(page.reference)])) == bench.ok(0, 2))
    }

    @Test("Direct transfers move the same bytes", arguments: [BlockIOMethod.ring, .threads].filter { $0 != .ring || Host.hasRing })
    func direct(method: BlockIOMethod) throws {
        let bench = try BlockBench.connected {
            $0.isDirectIOSafe = true
            $0.method = method
        }
        let frontend = bench.frontend
        let pages = bench.pages(11, seed: 40)
        #expect(frontend.ask(frontend.request(1, id: 1, sector: 3, pages.map { .init($0.reference, 1, 6) })) == bench.ok(1, 1))
        #expect(bench.onDisk(sector: 3, 11 * 3072) == pages.indices.flatMap { BlockBench.pattern(40 + UInt8($0))[512..<3584] })
        #expect(frontend.ask(frontend.request(0, id: 2, sector: 3, pages.map { .init($0.reference, 0, 5) })) == bench.ok(0, 2))
        #expect(bench.guest.read(pages[10].address, 3072) == Array(BlockBench.pattern(50)[512..<3584]))
    }
}

@Suite("A disk's connection") struct ConnectionTests {
    @Test("A connected disk's nodes read as Xen's")
    func nodes() throws {
        let bench = try BlockBench.connected { $0.backendType = "phy" }
        let expected = [
            "bootable": "1", "dev": "xvda", "device-type": "disk", "discard-alignment": "0", "discard-enable": "1",
            "discard-granularity": "4096", "discard-secure": "0", "feature-barrier": "1", "feature-discard": "1",
            "feature-flush-cache": "1",
            "feature-max-indirect-segments": "256", "feature-persistent": "1", "frontend": "/local/domain/7/device/vbd/51712",
            "frontend-id": "7", "hotplug-status": "connected", "info": "0", "max-ring-page-order": "4", "mode": "w",
            "multi-queue-max-queues": "4", "online": "1", "params": bench.path, "physical-sector-size": "512", "removable": "0",
            "script": "/etc/xen/scripts/block", "sector-size": "512", "sectors": "32768", "specification": "xen", "state": "4",
            "type": "phy",
        ]
        #expect(bench.guest.store.snapshot("/local/domain/0/backend/vbd/7/51712")?.texts == expected)
        #expect(bench.guest.node("device/vbd/51712/virtual-device") == "51712")
    }

    @Test("One frontend hands over to the next, with other rings and another layout")
    func handOver() throws {
        let bench = try BlockBench.connected(FrontendOptions(is32Bit: true))
        let page = bench.pages(1, seed: 8)[0]
        #expect(bench.frontend.ask(bench.frontend.request(1, id: 1, sector: 0, [.init(page.reference)])) == bench.ok(1, 1))
        #expect(try bench.frontend.close())
        try bench.frontend.enter(1)
        let next = BlockFrontend(bench.guest, id: BlockBench.id, FrontendOptions(pageOrder: 0, isPersistent: true))
        #expect(try next.connect())
        let other = bench.pages(1, seed: 0)[0]
        #expect(next.ask(next.request(0, id: 1, sector: 0, [.init(other.reference)])) == bench.ok(0, 1))
        #expect(bench.guest.read(other.address, 4096) == BlockBench.pattern(8))
        #expect(bench.device.statistics.requestsIn == 1 && bench.device.statistics.requestsOut == 1)
    }

    @Test("Everything that was taken from the ring is finished before the backend is closed")
    func closing() throws {
        let bench = try BlockBench.connected(FrontendOptions(pageOrder: 4))
        let frontend = bench.frontend
        let pages = bench.pages(8, seed: 0)
        for id in 0..<500 { frontend.put(frontend.request(1, id: UInt64(id), sector: UInt64(id * 8), [.init(pages[id % 8].reference)])) }
        frontend.push()
        bench.bus.stop()
        let responses = frontend.takeResponses()
        #expect(responses.allSatisfy { $0.status == 0 })
        for response in responses {
            #expect(bench.onDisk(sector: Int(response.id) * 8, 4096) == BlockBench.pattern(UInt8(response.id % 8)))
        }
        #expect(pages.allSatisfy { !bench.guest.isInUse($0.reference) } && !bench.guest.isInUse(frontend.rings[0].references[15]))
    }

    @Test("A thousand disks come, are used and go, and no descriptor, thread or grant is left")
    func thousand() throws {
        let (directory, guest, log) = (ScratchDirectory(), try TestGuest(), Lines())
        let path = directory.file("a.img", byteCount: 1 << 20)
        let bus = try DeviceBus(domain: TestGuest.domainID, store: guest.store) { log.append($0) }
        try bus.start()
        defer { bus.stop() }
        let (page, ring) = (guest.takePage(), guest.takePage())
        let (reference, ringReference) = (guest.grant(page), guest.grant(ring))
        let before = Self.countDescriptorsAndThreads()
        for round in 0..<1000 {
            try bus.attach(try BlockDevice(BlockConfiguration(name: "xvda", deviceNumber: 51712, path: path), guest: guest.access) { _ in })
            let frontend = BlockFrontend(guest, id: 51712)
            #expect(frontend.waitForBackend(2))
            guest.write([UInt8](repeating: 0, count: 64), at: ring)
            frontend.rings = [.init(pages: [ring], references: [ringReference], port: guest.makePort())]
            try frontend.publishNodes()
            try frontend.enter(3)
            #expect(frontend.waitForBackend(4))
            let response = frontend.ask(frontend.request(1, id: UInt64(round), sector: 8, [.init(reference)]))
            #expect(response == .init(id: UInt64(round), operation: 1, status: 0))
            bus.detach(kind: "vbd", id: 51712, forced: false) { if let failure = $0 { log.append(failure.message) } }
            #expect(frontend.waitForBackend(5))
            try frontend.enter(6)
            #expect(eventually { guest.node(frontend.device) == nil })
            guest.closePort(frontend.rings[0].port)
            #expect(!guest.isInUse(reference) && !guest.isInUse(ringReference))
        }
        #expect(log.all == [])
        // Other tests run beside this one, but none holds that many.
        let after = Self.countDescriptorsAndThreads()
        #expect(after.descriptors < before.descriptors + 500 && after.threads < before.threads + 500)
        #expect(shell("ls -l /proc/\(getpid())/fd | grep -c '\(path)'").output == "0\n")
    }

    private static func countDescriptorsAndThreads() -> (descriptors: Int, threads: Int) {
        let counts = shell("ls /proc/\(getpid())/fd | wc -l; ls /proc/\(getpid())/task | wc -l").output.split(separator: "\n").map {
            Int($0)!
        }
        return (counts[0], counts[1])
    }
}
