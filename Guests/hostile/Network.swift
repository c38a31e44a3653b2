import _Volatile

/// A network frontend that sends what it should not.
struct NetworkFrontend {
    var transmit: Ring
    var receive: Ring
    let bus: Frontend
    let page: Shared
    let reference: UInt32

    init() {
        transmit = Ring(entryCount: 256, entrySize: 12)
        receive = Ring(entryCount: 256, entrySize: 8)
        bus = Frontend(Path("device/vif/0"))
        page = Pages.take()
        reference = Grants.grant(page)
        XenStore.write(bus.nodes, "tx-ring-ref", transmit.reference)
        XenStore.write(bus.nodes, "rx-ring-ref", receive.reference)
        XenStore.write(bus.nodes, "event-channel", bus.port)
        XenStore.write(bus.nodes, "request-rx-copy", 1)
        XenStore.write(bus.nodes, "feature-rx-notify", 1)
        bus.connect()
    }

    /// A slot of a frame; `more` says that another follows.
    mutating func put(_ reference: UInt32, offset: UInt16 = 0, size: UInt16, flags: UInt16 = 0) {
        let entry = transmit.next
        entry.word(0).store(reference)
        entry.half(4).store(offset)
        entry.half(6).store(flags)
        entry.half(8).store(UInt16(truncatingIfNeeded: transmit.producer))
        entry.half(10).store(size)
        transmit.publish()
    }

    /// The status of the answer; 99 when none comes.
    mutating func status() -> Int32 {
        Xen.notify(bus.port)
        guard let response = transmit.response() else { return 99 }
        return Int32(Int16(bitPattern: response.half(2).load()))
    }

    mutating func send(_ reference: UInt32, offset: UInt16 = 0, size: UInt16, flags: UInt16 = 0) -> Int32 {
        put(reference, offset: offset, size: size, flags: flags)
        return status()
    }

    mutating func offer(_ reference: UInt32) {
        let entry = receive.next
        entry.half(0).store(UInt16(truncatingIfNeeded: receive.producer))
        entry.half(2).store(0)
        entry.word(4).store(reference)
        receive.publish()
    }

    /// Asks who has the gateway's address; the status of the frame sent.
    mutating func askForGateway() -> Int32 {
        let frame: StaticString = "??????\u{0}\u{16}>\u{1}\u{2}\u{3}\u{8}\u{6}\u{0}\u{1}\u{8}\u{0}\u{6}\u{4}\u{0}\u{1}"
        var index: UInt32 = 0
        frame.withUTF8Buffer {
            for byte in $0 {
                page.byte(index).store(index < 6 ? 0xff : byte)
                index += 1
            }
        }
        for offset in 0..<6 as Range<UInt32> { page.byte(22 + offset).store(page.byte(6 + offset).load()) }
        page.word(28).store(0x0f02_000a)
        page.word(32).store(0)
        page.word(36).store(0)
        page.word(38).store(0x0202_000a)
        page.clear(from: 42, to: 60)
        return send(reference, size: 60)
    }

    /// Whether the gateway answers.
    mutating func works() -> Bool {
        let buffer = Pages.take()
        offer(Grants.grant(buffer))
        guard askForGateway() == 0 else { return false }
        while let response = receive.response() {
            let status = Int16(bitPattern: response.half(6).load())
            if status >= 42, buffer.half(12).load() == 0x0608, buffer.half(20).load() == 0x0200 { return true }
            // Something else came first: the host's network has words of its own.
            buffer.clear()
            offer(Grants.grant(buffer))
            Xen.notify(bus.port)
        }
        return false
    }
}

extension Shared {
    func clear(from first: UInt32, to end: UInt32) {
        var offset = first
        while offset < end {
            byte(offset).store(0)
            offset += 1
        }
    }
}

/// Interface 0 on a user-mode network.
func attackNetwork() {
    var network = NetworkFrontend()
    check("a good interface", network.works())
    let good = network.reference
    check("a frame of no bytes", network.send(good, size: 0), -1)
    check("a frame shorter than its header", network.send(good, size: 13), -1)
    check("a frame that leaves its page", network.send(good, offset: 4090, size: 60), -1)
    check("a frame with an offset behind its page", network.send(good, offset: 65535, size: 60), -1)
    check("a grant that was never given", network.send(Grants.unused(), size: 60), -1)
    check("a grant outside the table", network.send(.max, size: 60), -1)
    check("a grant for another domain", network.send(Grants.grant(Pages.take(), to: 7), size: 60), -1)
    check("the interface after all that", network.works())

    // The backend has a frame for a guest whose buffer is none.
    network.offer(Grants.unused())
    check("a question whose answer has nowhere to go", network.askForGateway(), 0)
    let response = network.receive.response()
    check("a receive buffer that was never granted", response.map { Int32(Int16(bitPattern: $0.half(6).load())) } ?? 99, -1)
    check("the interface after a bad buffer", network.works())

    // A chain that says of every slot that another follows.
    for _ in 0..<200 { network.put(good, size: 20, flags: 4) }
    Xen.notify(network.bus.port)
    _ = network.transmit.response(turns: 20_000)
    reconnect(&network)
    check("the interface after a frame without an end", network.works())

    network.transmit.page.word(0).store(network.transmit.producer &+ 5000)
    Xen.notify(network.bus.port)
    check("no answer on a broken ring", network.transmit.response(turns: 20_000) == nil)
    reconnect(&network)
    check("the interface with new rings", network.works())

    flipStates(network.bus)
    network = NetworkFrontend()
    check("the interface after a storm of states", network.works())
}

private func reconnect(_ network: inout NetworkFrontend) {
    network.bus.close()
    network = NetworkFrontend()
}
