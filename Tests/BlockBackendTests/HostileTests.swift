import BlockBackend
import DeviceTestSupport
import HostIO
import Synchronization
import TestSupport
import Testing
import XenBus

private final class Flag: Sendable {
    let isSet = Atomic(false)
}

@Suite("Hostile guests") struct HostileTests {
    /// A request that must fail, made for a bench with one granted page.
    struct Attack: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var status: Int16 = -1
        var operation: UInt8
        var make: @Sendable (BlockFrontend, (address: UInt64, reference: UInt32)) -> [UInt8]
    }

    static let sectors: UInt64 = 2048
    static let attacks: [Attack] = [
        Attack(testDescription: "read past the end", operation: 0) { $0.request(0, id: 9, sector: sectors - 7, [.init($1.reference)]) },
        Attack(testDescription: "write past the end", operation: 1) { $0.request(1, id: 9, sector: sectors, [.init($1.reference)]) },
        Attack(testDescription: "sector that overflows", operation: 1) { $0.request(1, id: 9, sector: .max - 3, [.init($1.reference)]) },
        Attack(testDescription: "sector whose bytes overflow", operation: 0) {
            $0.request(0, id: 9, sector: 1 << 55, [.init($1.reference)])
        },
        Attack(testDescription: "barrier whose sector's bytes overflow", operation: 2) {
            $0.request(2, id: 9, sector: 1 << 54, [.init($1.reference)])
        },
        Attack(testDescription: "no segment", operation: 1) { frontend, _ in frontend.request(1, id: 9, sector: 0) },
        Attack(testDescription: "twelve segments", operation: 1) { frontend, page in
            frontend.request(1, id: 9, sector: 0, (0..<11).map { _ in .init(page.reference) }, count: 12)
        },
        Attack(testDescription: "255 segments", operation: 0) { $0.request(0, id: 9, sector: 0, [.init($1.reference)], count: 255) },
        Attack(testDescription: "segment beyond its page", operation: 1) { $0.request(1, id: 9, sector: 0, [.init($1.reference, 0, 8)]) },
        Attack(testDescription: "segment backwards", operation: 1) { $0.request(1, id: 9, sector: 0, [.init($1.reference, 5, 4)]) },
        Attack(testDescription: "reference 0 that is the console's", operation: 0) { frontend, _ in
            frontend.request(0, id: 9, sector: 0, [.init(4000)])
        },
        Attack(testDescription: "reference beyond the table", operation: 1) { frontend, _ in
            frontend.request(1, id: 9, sector: 0, [.init(.max)])
        },
        Attack(testDescription: "good segment, then a bad one", operation: 1) {
            $0.request(1, id: 9, sector: 0, [.init($1.reference), .init(3999)])
        },
        Attack(testDescription: "page that is not there", operation: 1) { frontend, page in
            frontend.guest.setGrant(page.reference, 0xfff_ffff_f000)
            return frontend.request(1, id: 9, sector: 0, [.init(page.reference)])
        },
        Attack(testDescription: "operation 4", status: -2, operation: 4) { $0.request(4, id: 9, sector: 0, [.init($1.reference)]) },
        Attack(testDescription: "operation 255", status: -2, operation: 255) { $0.request(255, id: 9, sector: 0, [.init($1.reference)]) },
        Attack(testDescription: "discard past the end", operation: 5) { frontend, _ in
            frontend.discard(id: 9, sector: sectors - 8, count: 9)
        },
        Attack(testDescription: "discard that overflows", operation: 5) { frontend, _ in frontend.discard(id: 9, sector: 8, count: .max) },
        Attack(testDescription: "indirect with 0 segments", operation: 0) { $0.indirect(0, id: 9, sector: 0, [], list: $1) },
        Attack(testDescription: "indirect with 257 segments", operation: 0) { $0.indirect(0, id: 9, sector: 0, [], list: $1, count: 257) },
        Attack(testDescription: "indirect with 65535 segments", operation: 1) {
            $0.indirect(1, id: 9, sector: 0, [], list: $1, count: 65535)
        },
        Attack(testDescription: "indirect inside indirect", operation: 6) {
            $0.indirect(6, id: 9, sector: 0, [.init($1.reference)], list: $1)
        },
        Attack(testDescription: "indirect flush", operation: 3) { $0.indirect(3, id: 9, sector: 0, [.init($1.reference)], list: $1) },
        Attack(testDescription: "indirect list that is not granted", operation: 0) {
            $0.indirect(0, id: 9, sector: 0, [.init($1.reference)], list: ($1.address, 3998))
        },
        Attack(testDescription: "indirect segments that are not granted", operation: 0) {
            $0.indirect(0, id: 9, sector: 0, [.init(3997), .init(3996)], list: $1)
        },
    ]

    @Test("A flush may name any sector: nothing is moved", arguments: [UInt8(2), 3], [UInt64(1) << 54, .max >> 10, .max])
    func emptyFlush(operation: UInt8, sector: UInt64) throws {
        for method in [BlockIOMethod.automatic, .threads] {
            let bench = try BlockBench.connected { $0.method = method }
            #expect(bench.frontend.ask(bench.frontend.request(operation, id: 9, sector: sector)) == bench.ok(operation, 9))
        }
    }

    @Test("Gets an error for each bad request, and the next good one works", arguments: attacks, [false, true])
    func attack(attack: Attack, is32Bit: Bool) throws {
        let bench = try BlockBench.connected(FrontendOptions(is32Bit: is32Bit), byteCount: Int(Self.sectors) * 512)
        let frontend = bench.frontend
        let pages = bench.pages(2, seed: 0)
        let before = bench.onDisk(sector: 0, Int(Self.sectors) * 512)
        let response = frontend.ask(attack.make(frontend, pages[0]))
        #expect(response == .init(id: 9, operation: attack.operation, status: attack.status))
        #expect(bench.device.statistics.errors == 1)
        #expect(bench.onDisk(sector: 0, Int(Self.sectors) * 512 + 4096) == before)
        #expect(frontend.ask(frontend.request(1, id: 10, sector: 0, [.init(pages[1].reference)])) == bench.ok(1, 10))
        #expect(eventually { !bench.guest.isInUse(pages[0].reference) && !bench.guest.isInUse(pages[1].reference) })
    }

    @Test("Cannot write a disk that is read-only", arguments: [UInt8(1), 2, 3, 5])
    func readOnly(operation: UInt8) throws {
        let bench = try BlockBench.connected { $0.isReadOnly = true }
        let frontend = bench.frontend
        let page = bench.pages(1, seed: 77)[0]
        #expect(
            frontend.backendNode("info") == "4" && frontend.backendNode("mode") == "r" && frontend.backendNode("feature-discard") == nil)
        let request =
            operation == 5
            ? frontend.discard(id: 1, sector: 0, count: 8) : frontend.request(operation, id: 1, sector: 0, [.init(page.reference)])
        #expect(frontend.ask(request) == bench.failed(operation, 1))
        #expect(bench.onDisk(sector: 0, 4096) == [UInt8](repeating: 0, count: 4096))
        #expect(frontend.ask(frontend.request(0, id: 2, sector: 0, [.init(page.reference)])) == bench.ok(0, 2))
        #expect(frontend.ask(frontend.request(3, id: 3, sector: 0)) == bench.ok(3, 3))
    }

    @Test("Breaks only its own ring by jumping indices", arguments: [UInt32(33), 1000, 0x8000_0000, .max])
    func jump(distance: UInt32) throws {
        let bench = try BlockBench.connected()
        let frontend = bench.frontend
        let page = bench.pages(1, seed: 1)[0]
        #expect(frontend.ask(frontend.request(1, id: 1, sector: 0, [.init(page.reference)])) == bench.ok(1, 1))
        frontend.rings[0].produced &+= distance
        frontend.push()
        #expect(eventually { bench.log.all == ["xvda: the guest broke the indices of a ring, which is served no more"] })
        #expect(bench.device.statistics.errors == 1)
        // A driver that starts anew is served again.
        #expect(try frontend.close())
        try frontend.enter(1)
        #expect(try frontend.connect())
        #expect(frontend.ask(frontend.request(0, id: 2, sector: 0, [.init(page.reference)])) == bench.ok(0, 2))
    }

    @Test("Cannot change a request after it was looked at")
    func rereads() throws {
        let bench = try BlockBench.connected(byteCount: 1 << 20)
        let frontend = bench.frontend
        let page = bench.pages(1, seed: 60)[0]
        let good = frontend.request(1, id: 1, sector: 16, [.init(page.reference)])
        // Half of one and half of the other is no third sector.
        let bad = frontend.request(1, id: 1, sector: 1 << 40 | 16, [.init(3990)])
        let (guest, done) = (bench.guest, Flag())
        let start = frontend.rings[0].pages[0] + 64
        let flipper = try HostThread {
            var turn = false
            while !done.isSet.load(ordering: .relaxed) {
                turn.toggle()
                // All 32 places of the ring, the sector and the first reference.
                for index in 0..<UInt64(32) { guest.write(Array((turn ? bad : good)[16..<28]), at: start + index * 112 + 16) }
            }
        }
        var statuses: [Int16: Int] = [:]
        for _ in 0..<300 {
            for _ in 0..<32 { frontend.put(good) }
            frontend.push()
            for response in frontend.waitForResponses(32) { statuses[response.status, default: 0] += 1 }
        }
        done.isSet.store(true, ordering: .relaxed)
        flipper.join()
        #expect(statuses.values.reduce(0, +) == 9600 && Set(statuses.keys).isSubset(of: [0, -1]))
        #expect(Int(bench.device.statistics.errors) == statuses[-1, default: 0])
        #expect(contents(of: bench.path, at: 0, 2 << 20).count == 1 << 20)
        #expect(contents(of: bench.path, at: 0, 8192) == [UInt8](repeating: 0, count: 8192))
    }

    @Test("Takes its pages back only from itself")
    func vanishingPages() throws {
        let bench = try BlockBench.connected()
        let frontend = bench.frontend
        let page = bench.pages(1, seed: 4)[0]
        // The ring's page and the data page leave the guest's map; what the backend holds stays.
        for address in [frontend.rings[0].pages[0]] { #expect(bench.guest.unmap(address)) }
        bench.guest.send(frontend.rings[0].port)
        #expect(bench.guest.unmap(page.address))
        #expect(bench.frontend.backendState == "4")
        #expect(try frontend.close())
        try frontend.enter(1)
        #expect(try frontend.connect())
    }

    @Test(
        "Is told what is wrong with what it published",
        arguments: [
            ("ring-ref", "4000", "a page of a ring is not granted: badReference"), ("ring-ref", "", "ring-ref is missing"),
            ("event-channel", "900", "the event channels cannot be bound: invalidArgument"),
            // The xenstore's own port.
            ("event-channel", "1", "the event channels cannot be bound: invalidArgument"),
            ("event-channel", "-1", "event-channel is missing"), ("protocol", "arm-abi", "protocol \"arm-abi\" is not known"),
            ("multi-queue-num-queues", "5", "multi-queue-num-queues is not in 1...4"),
            ("multi-queue-num-queues", "0", "multi-queue-num-queues is not in 1...4"),
            ("multi-queue-num-queues", "2", "queue-0/event-channel is missing"),
            ("ring-page-order", "5", "ring-page-order is not in 0...4"),
            ("ring-page-order", "1", "ring-ref0 is missing"),
        ])
    func badNodes(name: String, value: String, message: String) throws {
        let bench = try BlockBench()
        let frontend = bench.frontend
        #expect(frontend.waitForBackend(2))
        frontend.rings = []
        let page = bench.guest.takePage()
        frontend.rings = [.init(pages: [page], references: [bench.guest.grant(page)], port: bench.guest.makePort())]
        try frontend.publishNodes()
        try bench.guest.write("\(frontend.device)/\(name)", value)
        try frontend.enter(3)
        #expect(frontend.waitForBackend(5))
        #expect(frontend.backendNode("error") == message)
        #expect(!bench.guest.isInUse(frontend.rings[0].references[0]))
    }

    @Test("Writes anything into rings and indices; the backend lives", arguments: (0..<UInt64(FuzzRun.cases(3))).map { FuzzRun.seed &+ $0 })
    func fuzz(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let bench = try BlockBench.connected(FrontendOptions(is32Bit: random.oneIn(2), isPersistent: random.oneIn(2)), byteCount: 1 << 20)
        let frontend = bench.frontend
        let pages = bench.pages(16, seed: 0)
        for _ in 0..<60 {
            for _ in 0..<(20 + random.below(60)) { mischief(frontend, pages.map(\.reference), &random) }
            #expect(contents(of: bench.path, at: 0, 2 << 20).count == 1 << 20)
            #expect(try frontend.close(), "seed \(seed)")
            try frontend.enter(1)
            #expect(try frontend.connect(), "seed \(seed)")
            #expect(frontend.ask(frontend.request(3, id: 5, sector: 0)) == bench.ok(3, 5), "seed \(seed)")
            for index in frontend.rings.indices { bench.guest.closePort(frontend.rings[index].port) }
        }
    }

    private func mischief(_ frontend: BlockFrontend, _ references: [UInt32], _ random: inout SeededRandom) {
        var entry = [UInt8](repeating: 0, count: frontend.entryByteCount)
        switch random.below(4) {
        case 0: for index in entry.indices { entry[index] = random.byte() }
        case 1: entry = frontend.discard(id: 1, sector: random.integer(), count: random.integer(), flags: random.byte())
        default:
            let segments = (0..<random.below(12)).map { _ in
                BlockFrontend.Segment(
                    random.oneIn(8) ? UInt32(truncatingIfNeeded: random.next()) : random.pick(references),
                    UInt8(random.below(9)), UInt8(random.below(9)))
            }
            let sector = random.oneIn(4) ? random.integer() : UInt64(random.below(2048))
            entry = frontend.request(UInt8(random.below(7)), id: random.next(), sector: sector, segments)
        }
        frontend.put(entry)
        if random.oneIn(40) { frontend.rings[0].produced = UInt32(truncatingIfNeeded: random.integer()) }
        if random.oneIn(10) { frontend.guest.put(UInt32(truncatingIfNeeded: random.integer()), at: frontend.rings[0].pages[0] + 8) }
        if random.oneIn(3) { frontend.push() }
    }
}
