import DeviceTestSupport
import GuestMemory
import VirtualCPU
import X86
import XenABI
import XenDomain

/// A domain whose kernel is the test: it has memory, grants pages and uses event channels. One thread at a time.
final class TestDomain: @unchecked Sendable {
    private static let grantTable: UInt64 = 0x20_0000
    private static let scratch: UInt64 = 0x1000
    static let pageCount: UInt64 = 0x2000

    let memory: GuestMemory
    let domain: Domain
    private let cpu: CallingCPU
    private var nextPage: UInt64 = 0x400
    private var nextReference: UInt32 = 8

    init(id: UInt16 = 1) throws {
        var configuration = DomainConfiguration(
            memoryMap: [MemoryMapEntry(address: 0, size: Self.pageCount << 12, type: .ram)])
        configuration.domainID = id
        (configuration.storeFrame, configuration.consoleFrame) = (nil, nil)
        memory = try GuestMemory(poolPageCount: configuration.poolPageCount)
        try memory.populate(GuestFrameNumber(0), count: Int(Self.pageCount))
        domain = try Domain(configuration, memory: memory, host: IdleHost())
        cpu = CallingCPU(memory)
        domain.vcpus[0].attach(cpu)
        for index in 0..<UInt64(8) {
            put(UInt32(DomainID.current), at: Self.scratch)
            put(PhysmapSpace.grantTable, at: Self.scratch + 4)
            put(index, at: Self.scratch + 8)
            put(Self.grantTable >> 12 + index, at: Self.scratch + 16)
            precondition(call(Hypercall.memoryOp, UInt64(MemoryOp.addToPhysmap)) == 0, "the grant table is mapped")
        }
    }

    deinit { domain.detach() }

    private func call(_ number: Int, _ command: UInt64) -> Int64 {
        cpu.setGeneral(.rax, UInt64(number))
        cpu.setGeneral(.rdi, command)
        cpu.setGeneral(.rsi, Self.scratch)
        domain.vcpus[0].hypercall(cpu)
        return Int64(bitPattern: cpu.general(.rax))
    }

    func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at address: UInt64) {
        do { try memory.store(GuestPhysicalAddress(address), value) } catch { preconditionFailure("test memory is populated") }
    }

    func get<T: FixedWidthInteger & BitwiseCopyable>(_ address: UInt64, as: T.Type = T.self) -> T {
        do { return try memory.load(GuestPhysicalAddress(address), as: T.self) } catch { preconditionFailure("test memory is populated") }
    }

    func write(_ bytes: some Sequence<UInt8>, at address: UInt64) {
        do { try memory.write(GuestPhysicalAddress(address), bytes: bytes) } catch { preconditionFailure("test memory is populated") }
    }

    func bytes(_ address: UInt64, _ count: Int) -> [UInt8] {
        do { return try memory.bytes(GuestPhysicalAddress(address), count: count) } catch {
            preconditionFailure("test memory is populated")
        }
    }

    /// The address of a page nobody uses.
    func allocatePage() -> UInt64 {
        defer { nextPage += 1 }
        precondition(nextPage < Self.pageCount, "test memory is not used up")
        return nextPage << 12
    }

    func grant(_ address: UInt64, readOnly: Bool = false) -> UInt32 {
        defer { nextReference += 1 }
        setGrant(nextReference, address, flags: readOnly ? 5 : 1)
        return nextReference
    }

    func setGrant(_ reference: UInt32, _ address: UInt64, flags: UInt16) {
        let entry = Self.grantTable + UInt64(reference) * 8
        put(UInt32(address >> 12), at: entry + 4)
        put(UInt32(flags), at: entry)
    }

    /// Whether a backend uses a grant.
    func isInUse(_ reference: UInt32) -> Bool { get(Self.grantTable + UInt64(reference) * 8, as: UInt16.self) & 0x18 != 0 }

    /// A port for the control domain to bind.
    func allocatePort() -> UInt32 {
        put(UInt32(DomainID.current), at: Self.scratch)
        put(UInt32(0), at: Self.scratch + 4)
        precondition(call(Hypercall.eventChannelOp, EventChannelOp.allocUnbound) == 0, "there are ports enough")
        return get(Self.scratch + 4)
    }

    func send(_ port: UInt32) {
        put(port, at: Self.scratch)
        _ = call(Hypercall.eventChannelOp, EventChannelOp.send)
    }
}
