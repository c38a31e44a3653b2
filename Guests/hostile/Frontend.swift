import _Volatile

/// One direction of a device: a shared page with the four indices of Xen's rings and entries behind them.
struct Ring {
    let page: Shared
    let reference: UInt32
    let entryCount: UInt32
    let entrySize: UInt32

    /// The guest's indices, which it may well set to something else.
    var producer: UInt32 = 0
    var consumer: UInt32 = 0

    init(entryCount: UInt32, entrySize: UInt32) {
        page = Pages.take()
        reference = Grants.grant(page)
        self.entryCount = entryCount
        self.entrySize = entrySize
        page.word(4).store(1)
        page.word(12).store(1)
    }

    func entry(_ index: UInt32) -> Shared { Shared(address: page.address + 64 + (index & (entryCount - 1)) * entrySize) }

    /// The place of the next request.
    var next: Shared { entry(producer) }

    /// Shows one more request to the backend.
    mutating func publish() {
        producer = producer &+ 1
        page.word(0).store(producer)
    }

    /// The next response, when it comes; nil when it never does.
    mutating func response(turns: UInt32 = 3_000_000) -> Shared? {
        let index = consumer
        guard Xen.wait(turns, until: { page.word(8).load() != index }) else { return nil }
        consumer = index &+ 1
        page.word(12).store(consumer &+ 1)
        return entry(index)
    }
}

/// The xenbus side of a frontend: nodes, states, and a port.
struct Frontend {
    let nodes: Path
    let backend: Path
    let port: UInt32

    init(_ nodes: Path) {
        self.nodes = nodes
        backend = XenStore.path(nodes, "backend")
        port = Xen.allocatePort()
        if backend.length == 0 { fail("the device has no backend") }
    }

    var backendState: Int32 { XenStore.number(backend, "state") }

    func setState(_ state: UInt32) { XenStore.write(nodes, "state", state) }

    func waitForBackend(_ state: Int32) -> Bool { Xen.wait(2_000) { backendState == state } }

    /// Takes the handshake to its end, once the nodes are written.
    func connect() {
        setState(3)
        if !waitForBackend(4) { fail("the backend does not connect") }
        setState(4)
    }

    /// Lets go of the device, so that another frontend can begin anew.
    func close() {
        setState(5)
        setState(6)
        _ = waitForBackend(6)
        setState(1)
        if !waitForBackend(2) { fail("the backend does not wait for the next frontend") }
    }
}
