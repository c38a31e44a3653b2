import BlockBackend
import DeviceTestSupport
import TestSupport
import Testing
import XenBus

/// Both layouts of the ring, and both ways to the disk.
struct Way: Sendable, CustomTestStringConvertible {
    var is32Bit: Bool
    var method: BlockIOMethod
    var isPersistent: Bool
    var testDescription: String { "\(is32Bit ? "32-bit" : "64-bit"), \(method)\(isPersistent ? ", persistent" : "")" }

    static let all: [Way] = [false, true].flatMap { is32Bit in
        [BlockIOMethod.ring, .threads].flatMap { method in
            [false, true].map { Way(is32Bit: is32Bit, method: method, isPersistent: $0) }
        }
    }

    /// io_uring is not to be had on every machine.
    static let possible = all.filter { $0.method != .ring || Host.hasRing }

    var options: FrontendOptions { FrontendOptions(is32Bit: is32Bit, isPersistent: isPersistent) }

    func bench(byteCount: Int = 16 << 20) throws -> BlockBench {
        try BlockBench.connected(options, byteCount: byteCount) { $0.method = method }
    }
}

enum Host {
    /// Found out by asking for a device that must have it, which has to live until it has answered.
    static let hasRing: Bool = {
        do { _ = try BlockBench.connected(byteCount: 4096) { $0.method = .ring } } catch { return false }
        return true
    }()
    static let hasQEMU = shell("command -v qemu-nbd && command -v qemu-img").status == 0
}

@Suite("Block requests") struct OperationTests {
    @Test("The ring is tested where the host has io_uring", .enabled(if: Host.hasRing, "this host forbids io_uring"))
    func ring() { #expect(Way.possible.count == Way.all.count) }

    @Test("What is written comes back, and is in the image", arguments: Way.possible)
    func writeAndRead(way: Way) throws {
        let bench = try way.bench()
        let frontend = bench.frontend
        let source = bench.pages(11, seed: 3)
        let segments = source.map { BlockFrontend.Segment($0.reference) }
        #expect(frontend.ask(frontend.request(1, id: 77, sector: 800, segments)) == bench.ok(1, 77))
        let expected = source.indices.flatMap { BlockBench.pattern(3 + UInt8($0)) }
        #expect(bench.onDisk(sector: 800, 11 * 4096) == expected)
        let target = bench.pages(11, seed: 99)
        #expect(frontend.ask(frontend.request(0, id: 78, sector: 800, target.map { .init($0.reference) })) == bench.ok(0, 78))
        #expect(target.flatMap { bench.guest.read($0.address, 4096) } == expected)
        #expect(bench.device.statistics.bytesIn == 11 * 4096 && bench.device.statistics.bytesOut == 11 * 4096)
        #expect(bench.device.statistics.errors == 0)
    }

    @Test("Segments may be parts of pages", arguments: Way.possible)
    func parts(way: Way) throws {
        let bench = try way.bench()
        let page = bench.pages(1, seed: 0)[0]
        let segments: [BlockFrontend.Segment] = [.init(page.reference, 7, 7), .init(page.reference, 2, 3), .init(page.reference, 0, 0)]
        #expect(bench.frontend.ask(bench.frontend.request(1, id: 1, sector: 5, segments)) == bench.ok(1, 1))
        let bytes = BlockBench.pattern(0)
        #expect(bench.onDisk(sector: 5, 2048) == Array(bytes[3584..<4096] + bytes[1024..<2048] + bytes[0..<512]))
    }

    @Test("Flush, with and without data, and barriers are answered when all is written", arguments: Way.possible)
    func flush(way: Way) throws {
        let bench = try way.bench()
        let frontend = bench.frontend
        let page = bench.pages(1, seed: 50)[0]
        #expect(frontend.ask(frontend.request(3, id: 1, sector: 0)) == bench.ok(3, 1))
        #expect(frontend.ask(frontend.request(3, id: 2, sector: 8, [.init(page.reference)])) == bench.ok(3, 2))
        #expect(frontend.ask(frontend.request(2, id: 3, sector: 16, [.init(page.reference)])) == bench.ok(2, 3))
        #expect(frontend.ask(frontend.request(2, id: 4, sector: 0)) == bench.ok(2, 4))
        #expect(bench.onDisk(sector: 8, 8192) == BlockBench.pattern(50) + BlockBench.pattern(50))
    }

    @Test("A barrier comes after everything before it and before everything after it", arguments: Way.possible)
    func barrier(way: Way) throws {
        let bench = try way.bench()
        let frontend = bench.frontend
        let pages = bench.pages(24, seed: 1)
        for id in 0..<24 {
            let segment = BlockFrontend.Segment(pages[id].reference)
            frontend.put(frontend.request(id == 12 ? 2 : 1, id: UInt64(id), sector: UInt64(id * 8), [segment]))
        }
        frontend.push()
        let responses = frontend.waitForResponses(24)
        #expect(responses.allSatisfy { $0.status == 0 })
        let order = responses.map(\.id)
        #expect(Set(order[..<12]) == Set(0..<12) && order[12] == 12 && Set(order[13...]) == Set(13..<24))
    }

    @Test("Discarded blocks read as zeros", arguments: Way.possible)
    func discard(way: Way) throws {
        let bench = try way.bench()
        let frontend = bench.frontend
        let pages = bench.pages(3, seed: 9)
        #expect(frontend.ask(frontend.request(1, id: 1, sector: 0, pages.map { .init($0.reference) })) == bench.ok(1, 1))
        #expect(frontend.ask(frontend.discard(id: 2, sector: 8, count: 8)) == bench.ok(5, 2))
        #expect(bench.onDisk(sector: 0, 12288) == BlockBench.pattern(9) + [UInt8](repeating: 0, count: 4096) + BlockBench.pattern(11))
        #expect(frontend.ask(frontend.discard(id: 3, sector: 8, count: 0)) == bench.ok(5, 3))
        #expect(frontend.ask(frontend.discard(id: 4, sector: 8, count: 8, flags: 1)) == bench.unsupported(5, 4))
    }

    @Test("Indirect requests move up to 256 pages", arguments: Way.possible)
    func indirect(way: Way) throws {
        let bench = try way.bench()
        let frontend = bench.frontend
        let list = bench.pages(1, seed: 0)[0]
        let source = bench.pages(256, seed: 5)
        let segments = source.map { BlockFrontend.Segment($0.reference) }
        #expect(frontend.ask(frontend.indirect(1, id: 8, sector: 64, segments, list: list)) == bench.ok(1, 8))
        let expected = source.indices.flatMap { BlockBench.pattern(5 &+ UInt8(truncatingIfNeeded: $0)) }
        #expect(bench.onDisk(sector: 64, 256 * 4096) == expected)
        for page in source { bench.guest.write([UInt8](repeating: 0, count: 4096), at: page.address) }
        #expect(frontend.ask(frontend.indirect(0, id: 9, sector: 64, segments, list: list)) == bench.ok(0, 9))
        #expect(source.flatMap { bench.guest.read($0.address, 4096) } == expected)
    }

    @Test("Rings of sixteen pages take all their requests at once", arguments: [false, true])
    func manyPages(is32Bit: Bool) throws {
        let bench = try BlockBench.connected(FrontendOptions(is32Bit: is32Bit, pageOrder: 4))
        let frontend = bench.frontend
        #expect(frontend.entryCount == 512)
        let pages = bench.pages(64, seed: 0)
        for round in 0..<2 {
            for id in 0..<512 {
                let segment = BlockFrontend.Segment(pages[id % 64].reference)
                frontend.put(frontend.request(1, id: UInt64(round * 1000 + id), sector: UInt64(id * 8), [segment]))
            }
            frontend.push()
            let responses = frontend.waitForResponses(512)
            #expect(Set(responses.map(\.id)) == Set((0..<512).map { UInt64(round * 1000 + $0) }))
            #expect(responses.allSatisfy { $0.status == 0 })
        }
        for id in [0, 63, 64, 200, 511] { #expect(bench.onDisk(sector: id * 8, 4096) == BlockBench.pattern(UInt8(id % 64))) }
    }

    @Test("Four rings of four pages are served beside each other")
    func manyRings() throws {
        let bench = try BlockBench.connected(FrontendOptions(pageOrder: 2, queueCount: 4, isPersistent: true))
        let frontend = bench.frontend
        let pages = bench.pages(4, seed: 20)
        for ring in 0..<4 {
            for id in 0..<100 {
                let request = frontend.request(1, id: UInt64(id), sector: UInt64((ring * 100 + id) * 8), [.init(pages[ring].reference)])
                frontend.put(request, ring: ring)
            }
        }
        for ring in 0..<4 { frontend.push(ring: ring) }
        for ring in 0..<4 {
            let responses = frontend.waitForResponses(100, ring: ring)
            #expect(responses.count == 100 && responses.allSatisfy { $0.status == 0 })
            #expect(bench.onDisk(sector: (ring * 100 + 99) * 8, 4096) == BlockBench.pattern(20 + UInt8(ring)))
        }
        #expect(bench.device.statistics.requestsOut == 400)
    }

    @Test("A frontend that asks for an event gets one with the response")
    func events() throws {
        let bench = try BlockBench.connected()
        let frontend = bench.frontend
        _ = bench.guest.takeEvent(frontend.rings[0].port)
        frontend.put(frontend.request(3, id: 1, sector: 0))
        frontend.push()
        #expect(eventually { bench.guest.takeEvent(frontend.rings[0].port) })
        #expect(frontend.takeResponses() == [bench.ok(3, 1)])
    }

    @Test("Disks with sectors of 4096 bytes say so, and refuse less")
    func largeSectors() throws {
        let bench = try BlockBench.connected { $0.sectorByteCount = 4096 }
        let frontend = bench.frontend
        let page = bench.pages(1, seed: 1)[0]
        #expect(frontend.backendNode("sector-size") == "4096" && frontend.backendNode("sectors") == "32768")
        #expect(frontend.ask(frontend.request(1, id: 1, sector: 16, [.init(page.reference)])) == bench.ok(1, 1))
        #expect(frontend.ask(frontend.request(1, id: 2, sector: 17, [.init(page.reference)])) == bench.failed(1, 2))
        #expect(frontend.ask(frontend.request(1, id: 3, sector: 16, [.init(page.reference, 0, 0)])) == bench.failed(1, 3))
    }
}
