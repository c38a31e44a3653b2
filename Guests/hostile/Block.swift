import _Volatile

/// A block frontend of the 32-bit layout that asks for what it should not.
struct BlockFrontend {
    var ring: Ring
    let bus: Frontend
    let page: Shared
    let reference: UInt32

    struct Request {
        var operation: UInt8 = 0
        var segmentCount: UInt8 = 1
        var sector: UInt64 = 0
        var reference: UInt32
        var first: UInt8 = 0
        var last: UInt8 = 7
    }

    init() {
        ring = Ring(entryCount: 32, entrySize: 108)
        bus = Frontend(Path("device/vbd/51712"))
        page = Pages.take()
        reference = Grants.grant(page)
        XenStore.write(bus.nodes, "ring-ref", ring.reference)
        XenStore.write(bus.nodes, "event-channel", bus.port)
        XenStore.write(bus.nodes, "protocol", "x86_32-abi")
        bus.connect()
    }

    func fill(_ request: Request) {
        let entry = ring.next
        entry.byte(0).store(request.operation)
        entry.byte(1).store(request.segmentCount)
        entry.half(2).store(51712)
        entry.word(4).store(ring.producer)
        entry.word(8).store(0)
        entry.word(12).store(UInt32(truncatingIfNeeded: request.sector))
        entry.word(16).store(UInt32(truncatingIfNeeded: request.sector >> 32))
        var segment: UInt32 = 0
        while segment < 11 {
            entry.word(20 + segment * 8).store(request.reference)
            entry.byte(24 + segment * 8).store(request.first)
            entry.byte(25 + segment * 8).store(request.last)
            segment += 1
        }
    }

    /// The status of the answer; 99 when none comes.
    mutating func ask(_ request: Request) -> Int32 {
        fill(request)
        ring.publish()
        Xen.notify(bus.port)
        guard let response = ring.response() else { return 99 }
        return Int32(Int16(bitPattern: response.half(10).load()))
    }

    /// Whether the device still does what it is for: a page written comes back.
    mutating func works(_ pattern: UInt32) -> Bool {
        page.word(100).store(pattern)
        guard ask(Request(operation: 1, sector: 8, reference: reference)) == 0 else { return false }
        page.word(100).store(0)
        return ask(Request(operation: 0, sector: 8, reference: reference)) == 0 && page.word(100).load() == pattern
    }
}

/// Disk 51712 of 1 MiB: 2048 sectors.
func attackDisk() {
    var disk = BlockFrontend()
    check("a good disk", disk.works(0x1234_5678))
    typealias Request = BlockFrontend.Request
    let good = disk.reference
    check("a sector behind the end", disk.ask(Request(sector: 2048, reference: good)), -1)
    check("a request across the end", disk.ask(Request(operation: 1, sector: 2041, reference: good)), -1)
    check("a sector that wraps around", disk.ask(Request(sector: .max - 3, reference: good)), -1)
    check("a sector beyond all signed numbers", disk.ask(Request(operation: 1, sector: 1 << 63, reference: good)), -1)
    check("no segments", disk.ask(Request(segmentCount: 0, reference: good)), -1)
    check("more segments than fit", disk.ask(Request(segmentCount: 12, reference: good)), -1)
    check("255 segments", disk.ask(Request(operation: 1, segmentCount: 255, reference: good)), -1)
    check("a segment behind its page", disk.ask(Request(reference: good, first: 0, last: 8)), -1)
    check("a segment backwards", disk.ask(Request(operation: 1, reference: good, first: 5, last: 2)), -1)
    check("a grant that was never given", disk.ask(Request(reference: Grants.unused())), -1)
    check("a grant outside the table", disk.ask(Request(operation: 1, reference: .max)), -1)
    check("a grant for another domain", disk.ask(Request(reference: Grants.grant(Pages.take(), to: 7))), -1)
    check("a page that may not be written to", disk.ask(Request(reference: Grants.grant(Pages.take(), .readOnly))), -1)
    let nowhere = Grants.unused()
    Grants.grantFrame(0xff_ffff, .full, to: 0, as: nowhere)
    check("a grant of memory that is not there", disk.ask(Request(operation: 1, reference: nowhere)), -1)
    check("an operation that does not exist", disk.ask(Request(operation: 77, reference: good)), -2)
    check("the disk after all that", disk.works(0x2345_6789))

    rewriteRequests(&disk)
    check("the disk after requests that changed under way", disk.works(0x3456_789a))

    // A producer that runs ahead of the ring: nothing can be done with such a ring, but the next one is as good as any.
    disk.ring.page.word(0).store(disk.ring.producer &+ 1000)
    Xen.notify(disk.bus.port)
    check("no answer on a broken ring", disk.ring.response(turns: 20_000) == nil)
    disk.bus.close()
    disk = BlockFrontend()
    check("the disk with a new ring", disk.works(0x4567_89ab))

    flipStates(disk.bus)
    disk = BlockFrontend()
    check("the disk after a storm of states", disk.works(0x5678_9abc))
}

/// Changes each request right after the backend was told of it. Each gets one answer, whatever it says.
private func rewriteRequests(_ disk: inout BlockFrontend) {
    var answers: Int32 = 0
    for turn in 0..<1000 as Range<UInt32> {
        disk.fill(.init(operation: UInt8(turn & 1), sector: 16, reference: disk.reference))
        let entry = disk.ring.next
        disk.ring.publish()
        Xen.notify(disk.bus.port)
        for _ in 0..<turn & 31 {
            entry.byte(1).store(200)
            entry.word(16).store(0xffff_ffff)
            entry.word(20).store(0xffff_ffff)
            entry.byte(25).store(255)
        }
        if let response = disk.ring.response() {
            let status = Int16(bitPattern: response.half(10).load())
            if status == 0 || status == -1 { answers += 1 }
        }
    }
    check("one answer to each request that changes under way", answers, 1000)
}

/// Writes states faster than the backend can follow, and some that are none; ends where a frontend may begin.
func flipStates(_ bus: Frontend) {
    var state: UInt32 = 7
    for _ in 0..<300 {
        state = state &* 1_103_515_245 &+ 12345
        bus.setState(state >> 16 & 15)
    }
    XenStore.write(bus.nodes, "state", "none at all")
    bus.close()
}
