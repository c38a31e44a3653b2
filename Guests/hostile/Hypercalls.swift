import _Volatile

@_extern(c, "hypercall")
func hypercall(_ number: UInt32, _ first: UInt32, _ second: UInt32, _ third: UInt32, _ fourth: UInt32) -> Int32

/// Memory that somebody else reads and writes, too. Paging is off: an address is an address.
struct Shared {
    var address: UInt32

    func byte(_ offset: UInt32) -> VolatileMappedRegister<UInt8> { .init(unsafeBitPattern: UInt(address + offset)) }
    func half(_ offset: UInt32) -> VolatileMappedRegister<UInt16> { .init(unsafeBitPattern: UInt(address + offset)) }
    func word(_ offset: UInt32) -> VolatileMappedRegister<UInt32> { .init(unsafeBitPattern: UInt(address + offset)) }

    func clear(_ byteCount: UInt32 = 4096) {
        var offset: UInt32 = 0
        while offset < byteCount {
            word(offset).store(0)
            offset += 4
        }
    }
}

/// Pages of RAM above the kernel, never given back.
enum Pages {
    nonisolated(unsafe) private static var next: UInt32 = 0x40_0000

    static func take() -> Shared {
        let page = Shared(address: next)
        next += 4096
        page.clear()
        return page
    }
}

enum Xen {
    /// Arguments of hypercalls, a page of their own.
    private static let arguments = Shared(address: 0x30_0000)

    /// HVMOP_get_param.
    static func parameter(_ index: UInt32) -> UInt32 {
        arguments.clear(16)
        arguments.half(0).store(0x7ff0)
        arguments.word(4).store(index)
        _ = hypercall(34, 1, arguments.address, 0, 0)
        return arguments.word(8).load()
    }

    /// XENMEM_add_to_physmap of the grant table's first page.
    static func mapGrantTable(at address: UInt32) {
        arguments.clear(16)
        arguments.half(0).store(0x7ff0)
        arguments.word(4).store(1)
        arguments.word(12).store(address >> 12)
        if hypercall(12, 7, arguments.address, 0, 0) != 0 { fail("the grant table cannot be mapped") }
    }

    /// EVTCHNOP_alloc_unbound for domain 0.
    static func allocatePort() -> UInt32 {
        arguments.clear(16)
        arguments.half(0).store(0x7ff0)
        if hypercall(32, 6, arguments.address, 0, 0) != 0 { fail("no event channel") }
        return arguments.word(4).load()
    }

    /// EVTCHNOP_send.
    static func notify(_ port: UInt32) {
        arguments.word(0).store(port)
        _ = hypercall(32, 4, arguments.address, 0, 0)
    }

    /// XENMEM_add_to_physmap of the page in which pending events are marked.
    static func mapSharedInfo(at address: UInt32) {
        arguments.clear(16)
        arguments.half(0).store(0x7ff0)
        arguments.word(12).store(address >> 12)
        if hypercall(12, 7, arguments.address, 0, 0) != 0 { fail("the shared page cannot be mapped") }
    }

    /// SCHEDOP_poll of one event channel, without an end.
    static func sleep(on port: UInt32) {
        arguments.clear(24)
        arguments.word(0).store(arguments.address + 16)
        arguments.word(4).store(1)
        arguments.word(16).store(port)
        _ = hypercall(29, 3, arguments.address, 0, 0)
    }

    /// SCHEDOP_shutdown.
    static func shutDown(_ reason: UInt32) {
        arguments.word(0).store(reason)
        _ = hypercall(29, 2, arguments.address, 0, 0)
    }

    /// SCHEDOP_yield.
    static func yield() { _ = hypercall(29, 0, 0, 0, 0) }

    /// Gives others time until a condition holds; false when it never does.
    static func wait(_ turns: UInt32 = 3_000_000, until condition: () -> Bool) -> Bool {
        var turn: UInt32 = 0
        while turn < turns {
            if condition() { return true }
            yield()
            turn += 1
        }
        return condition()
    }
}

/// Entries of the grant table, version 1, counted up and never reused.
enum Grants {
    private static let table = Shared(address: 0x0800_0000)
    nonisolated(unsafe) private static var next: UInt32 = 16

    enum Access: UInt16 { case full = 1, readOnly = 5 }

    static func setUp() { Xen.mapGrantTable(at: table.address) }

    static func grant(_ page: Shared, _ access: Access = .full, to domain: UInt16 = 0) -> UInt32 {
        let reference = next
        next += 1
        grantFrame(page.address >> 12, access, to: domain, as: reference)
        return reference
    }

    static func grantFrame(_ frame: UInt32, _ access: Access, to domain: UInt16, as reference: UInt32) {
        table.word(reference * 8 + 4).store(frame)
        table.half(reference * 8 + 2).store(domain)
        table.half(reference * 8).store(access.rawValue)
    }

    static func unused() -> UInt32 {
        next += 1
        return next - 1
    }
}
