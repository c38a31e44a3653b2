public import GuestMemory
import Machine
public import PVRing
import X86
import XenABI
public import XenBus
public import XenDomain
import XenStore
public import XenStoreServer

/// A guest without a processor: real memory, domain and xenstore, and a test that acts as its kernel. One thread at a time.
public final class TestGuest: @unchecked Sendable {
    public static let domainID: UInt16 = 7
    /// Entries of the grant table that are there from the start.
    public static let grantCount: UInt32 = 4096
    private static let grantTable: UInt64 = 0x200
    private static let sharedInfo: UInt64 = 0x104
    private static let scratch: UInt64 = 0x20_0000

    public let memory: GuestMemory
    public let domain: Domain
    public let server: XenStoreServer
    private let cpu: CallingCPU
    private let connection: ConnectionID
    private var nextFrame: UInt64 = 0x1000
    private var nextGrant: UInt32 = 8

    public init(vcpus: Int = 4) throws {
        var configuration = DomainConfiguration(memoryMap: [MemoryMapEntry(address: 0, size: 0x800_0000, type: .ram)])
        configuration.domainID = Self.domainID
        configuration.vcpuCount = vcpus
        memory = try GuestMemory(poolPageCount: configuration.poolPageCount)
        try memory.populate(GuestFrameNumber(0), count: 0x8000)
        domain = try Domain(configuration, memory: memory, host: IdleHost())
        cpu = CallingCPU(memory)
        domain.vcpus[0].attach(cpu)
        var store = Store.forHost(server: "test")
        try DomainTree(
            domain: Self.domainID, uuid: "00000000-0000-0000-0000-000000000007", name: "test", maximumMemory: 131072, targetMemory: 131072,
            maximumVCPUs: vcpus, onlineVCPUs: vcpus, storePort: 1, storeFrame: 1, consolePort: 2, consoleFrame: 2, consoleTerminal: "",
            startTime: "0.00"
        ).create(in: &store)
        connection = store.connect(domain: Self.domainID)
        server = try XenStoreServer(
            store: store, domain: Self.domainID, ring: nil, socketPath: nil, notifyGuest: EventSender {})
        try server.start()
        mapTables()
    }

    deinit {
        server.stop()
        domain.detach()
    }

    public var access: any GuestAccess { DomainAccess(domain) }
    public var store: any StoreAccess { GuestStore(server: server) }

    private func mapTables() {
        for index in 0..<UInt64(Self.grantCount / 512) { addToPhysmap(space: PhysmapSpace.grantTable, index, Self.grantTable + index) }
        addToPhysmap(space: PhysmapSpace.sharedInfo, 0, Self.sharedInfo)
    }

    private func addToPhysmap(space: UInt32, _ index: UInt64, _ gfn: UInt64) {
        put(DomainID.current, at: Self.scratch)
        put(UInt16(0), at: Self.scratch + 2)
        put(space, at: Self.scratch + 4)
        put(index, at: Self.scratch + 8)
        put(gfn, at: Self.scratch + 16)
        precondition(call(Hypercall.memoryOp, UInt64(MemoryOp.addToPhysmap), Self.scratch) == 0, "a new guest may map its tables")
    }

    @discardableResult
    public func call(_ number: Int, _ arguments: UInt64...) -> Int64 {
        for (register, value) in zip([GPR.rdi, .rsi, .rdx], arguments) { cpu.setGeneral(register, value) }
        cpu.setGeneral(.rax, UInt64(number))
        domain.vcpus[0].hypercall(cpu)
        return Int64(bitPattern: cpu.general(.rax))
    }

    // MARK: - memory and grants

    public func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at address: UInt64) {
        do { try memory.store(GuestPhysicalAddress(address), value) } catch { preconditionFailure("test memory is populated") }
    }

    public func get<T: FixedWidthInteger & BitwiseCopyable>(_ address: UInt64, as: T.Type = T.self) -> T {
        do { return try memory.load(GuestPhysicalAddress(address), as: T.self) } catch { preconditionFailure("test memory is populated") }
    }

    public func write(_ bytes: [UInt8], at address: UInt64) {
        do { try memory.write(GuestPhysicalAddress(address), bytes: bytes) } catch { preconditionFailure("test memory is populated") }
    }

    public func read(_ address: UInt64, _ count: Int) -> [UInt8] {
        do { return try memory.bytes(GuestPhysicalAddress(address), count: count) } catch {
            preconditionFailure("test memory is populated")
        }
    }

    /// A page nobody uses, by its address.
    public func takePage() -> UInt64 {
        defer { nextFrame += 1 }
        return nextFrame << 12
    }

    /// Grants a page to the control domain.
    public func grant(_ address: UInt64, readOnly: Bool = false) -> UInt32 {
        precondition(nextGrant < Self.grantCount, "a test uses no more grants")
        defer { nextGrant += 1 }
        setGrant(nextGrant, address, readOnly: readOnly)
        return nextGrant
    }

    private func entry(_ reference: UInt32) -> UInt64 { Self.grantTable << 12 + UInt64(reference) * 8 }

    public func setGrant(_ reference: UInt32, _ address: UInt64, readOnly: Bool = false) {
        put(UInt32(address >> 12), at: entry(reference) + 4)
        put(UInt16(0), at: entry(reference) + 2)
        put(GrantEntry.permitAccess | (readOnly ? GrantEntry.readOnly : 0), at: entry(reference))
    }

    /// Whether the backend holds the page.
    public func isInUse(_ reference: UInt32) -> Bool {
        get(entry(reference), as: UInt16.self) & (GrantEntry.reading | GrantEntry.writing) != 0
    }

    /// Takes a grant back.
    ///
    /// - Returns: false when the backend holds it.
    public func revoke(_ reference: UInt32) -> Bool {
        guard !isInUse(reference) else { return false }
        put(UInt16(0), at: entry(reference))
        return true
    }

    /// Gives a page back to the host, as a balloon driver does.
    public func unmap(_ address: UInt64) -> Bool {
        put(address >> 12, at: Self.scratch + 64)
        put(Self.scratch + 64, at: Self.scratch)
        put(UInt64(1), at: Self.scratch + 8)
        put(UInt64(0), at: Self.scratch + 16)
        put(DomainID.current, at: Self.scratch + 24)
        return call(Hypercall.memoryOp, UInt64(MemoryOp.decreaseReservation), Self.scratch) == 1
    }

    // MARK: - event channels

    /// A port the control domain may bind.
    public func makePort() -> UInt32 {
        put(UInt32(DomainID.current), at: Self.scratch)
        put(UInt32(0), at: Self.scratch + 4)
        precondition(call(Hypercall.eventChannelOp, EventChannelOp.allocUnbound, Self.scratch) == 0, "a test uses few ports")
        return get(Self.scratch + 4)
    }

    public func send(_ port: UInt32) {
        put(port, at: Self.scratch)
        call(Hypercall.eventChannelOp, EventChannelOp.send, Self.scratch)
    }

    public func closePort(_ port: UInt32) {
        put(port, at: Self.scratch)
        call(Hypercall.eventChannelOp, EventChannelOp.close, Self.scratch)
    }

    /// Whether an event came since the last question.
    public func takeEvent(_ port: UInt32) -> Bool {
        let address = Self.sharedInfo << 12 + UInt64(SharedInfoLayout.bits64.eventPending) + UInt64(port / 32 * 4)
        let word: UInt32 = get(address)
        guard word & 1 << (port % 32) != 0 else { return false }
        put(word & ~(1 << (port % 32)), at: address)
        // The upcall flag and selector of vCPU 0, so that the next event is raised again.
        put(UInt8(0), at: Self.sharedInfo << 12)
        put(UInt64(0), at: Self.sharedInfo << 12 + 8)
        return true
    }

    // MARK: - xenstore, with the guest's rights

    public func write(_ path: String, _ value: String) throws {
        try server.perform { [connection] (store) throws(StoreError) in
            try store.write(Array(value.utf8), to: StorePath(path, of: Self.domainID), by: connection)
        }
    }

    public func remove(_ path: String) throws {
        try server.perform { [connection] (store) throws(StoreError) in
            try store.remove(StorePath(path, of: Self.domainID), by: connection)
        }
    }

    /// A node's text; nil where the guest sees none.
    public func node(_ path: String) -> String? {
        server.perform { [connection] store -> String? in
            guard let path = try? StorePath(path, of: Self.domainID), let value = try? store.read(path, by: connection) else { return nil }
            return String(decoding: value, as: UTF8.self)
        }
    }

    /// A node's permissions as `xenstore-ls -p` shows them.
    public func listing(below prefix: String) -> [String] {
        server.perform { store in
            store.listing().filter { $0.path.hasPrefix(prefix) }.map { node in
                "\(node.path) = \"\(String(decoding: node.value, as: UTF8.self))\"   (\(node.permissions))"
            }
        }
    }
}
