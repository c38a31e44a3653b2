import BlockBackend
import DeviceTestSupport
import Testing

@Suite("Grants of block requests") struct GrantTests {
    @Test("Without persistent grants nothing but the ring is held after the response")
    func released() throws {
        let bench = try BlockBench.connected()
        let pages = bench.pages(11, seed: 1)
        #expect(bench.frontend.ask(bench.frontend.request(1, id: 1, sector: 0, pages.map { .init($0.reference) })) == bench.ok(1, 1))
        #expect(eventually { pages.allSatisfy { !bench.guest.isInUse($0.reference) } })
        #expect(bench.frontend.rings[0].references.allSatisfy { bench.guest.isInUse($0) })
        #expect(!bench.guest.revoke(bench.frontend.rings[0].references[0]))
    }

    @Test("Persistent grants are kept until the frontend closes")
    func kept() throws {
        let bench = try BlockBench.connected(FrontendOptions(isPersistent: true))
        let pages = bench.pages(11, seed: 1)
        let request = bench.frontend.request(1, id: 1, sector: 0, pages.map { .init($0.reference) })
        #expect(bench.frontend.ask(request) == bench.ok(1, 1))
        #expect(pages.allSatisfy { bench.guest.isInUse($0.reference) })
        #expect(try bench.frontend.close())
        #expect(pages.allSatisfy { bench.guest.revoke($0.reference) })
        #expect(bench.frontend.rings[0].references.allSatisfy { bench.guest.revoke($0) })
    }

    @Test("No more than 1056 are kept: those used longest ago go")
    func bounded() throws {
        let bench = try BlockBench.connected(FrontendOptions(isPersistent: true))
        let pages = bench.pages(2400, seed: 0)
        for start in stride(from: 0, to: pages.count, by: 8) {
            let segments = pages[start..<start + 8].map { BlockFrontend.Segment($0.reference) }
            #expect(bench.frontend.ask(bench.frontend.request(0, id: UInt64(start), sector: 0, segments))?.status == 0)
        }
        let inUse = pages.map { bench.guest.isInUse($0.reference) }
        #expect(inUse.count { $0 } <= 1056)
        #expect(inUse.suffix(900).allSatisfy { $0 } && !inUse.prefix(1000).contains(true))
    }

    @Test("A page granted for reading serves writes of the disk, and no reads")
    func readOnly() throws {
        for isPersistent in [false, true] {
            let bench = try BlockBench.connected(FrontendOptions(isPersistent: isPersistent))
            let page = bench.pages(1, seed: 30, readOnly: true)[0]
            #expect(bench.frontend.ask(bench.frontend.request(1, id: 1, sector: 0, [.init(page.reference)])) == bench.ok(1, 1))
            #expect(bench.frontend.ask(bench.frontend.request(0, id: 2, sector: 8, [.init(page.reference)])) == bench.failed(0, 2))
            #expect(bench.guest.read(page.address, 4096) == BlockBench.pattern(30))
        }
    }
}
