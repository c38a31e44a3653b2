import Glibc
import GuestMemory
import Synchronization
import VirtualCPU
import X86
import XenABI
import XenDomain

/// A host whose clock only moves when a test says so, and that remembers what it was asked for.
final class ManualHost: DomainHost {
    struct Record {
        var now: UInt64 = 1_000_000_000
        var woken: [Int] = []
        var started: [Int] = []
        var timerChanges = 0
        var shutdowns: [ShutdownReason] = []
        var crashes: [String] = []
        var log: [UInt8] = []
    }

    let record = Mutex(Record())
    let tscFrequencyKHz: UInt32 = 2_596_120
    let wallClockBase: UInt64 = 1_795_230_051_773_213_884

    func now() -> UInt64 { record.withLock { $0.now } }
    func readTSC() -> UInt64 {
        UInt64(1_000_000).dividingFullWidth(now().multipliedFullWidth(by: 2_596_120)).quotient
    }
    func wake(vcpu: Int) { record.withLock { $0.woken.append(vcpu) } }
    func timersChanged() { record.withLock { $0.timerChanges += 1 } }
    func startVCPU(_ index: Int) { record.withLock { $0.started.append(index) } }
    func shutdown(_ reason: ShutdownReason) { record.withLock { $0.shutdowns.append(reason) } }
    func crashed(_ message: String) { record.withLock { $0.crashes.append(message) } }
    func hypervisorLog(_ byte: UInt8) { record.withLock { $0.log.append(byte) } }

    func advance(_ nanoseconds: UInt64) { record.withLock { $0.now += nanoseconds } }
    func take() -> Record {
        record.withLock { record in
            let taken = record
            record = Record()
            record.now = taken.now
            return taken
        }
    }
}

/// A vCPU that executes nothing: linear addresses are physical ones, and `run` returns what the test queued.
final class FakeCPU: VirtualCPU, @unchecked Sendable {
    let index: Int
    let memory: GuestMemory
    var registerState = RegisterState()
    var is64Bit = true
    var privilegeLevel = 0
    var interruptsEnabled = true
    private let flushCount = Atomic<Int>(0)
    var flushes: Int { flushCount.load(ordering: .relaxed) }
    var exits: [VirtualCPUExit] = []
    /// What the vCPU does inside `run`.
    var onRun: (() -> Void)?
    var instructionCount: UInt64 { 0 }

    init(_ index: Int, _ memory: GuestMemory) {
        self.index = index
        self.memory = memory
    }

    func run() -> VirtualCPUExit {
        onRun?()
        return exits.isEmpty ? .left : exits.removeFirst()
    }

    func requestAttention() {}
    func requestTLBFlush() { flushCount.add(1, ordering: .relaxed) }
    func general(_ register: GPR) -> UInt64 { registerState[register] }
    func setGeneral(_ register: GPR, _ value: UInt64) { registerState[register] = value }

    func readLinear(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        do { unsafe try memory.read(GuestPhysicalAddress(address), into: buffer) } catch { return false }
        return true
    }

    func writeLinear(_ address: UInt64, from buffer: UnsafeRawBufferPointer) -> Bool {
        do { unsafe try memory.write(GuestPhysicalAddress(address), from: buffer) } catch { return false }
        return true
    }
}

/// A domain of the size of the captured one, with fake vCPUs.
final class Machine: @unchecked Sendable {
    static let captureMap = [
        MemoryMapEntry(address: 0, size: 0x400_0000, type: .ram),
        MemoryMapEntry(address: 0xfeff_8000, size: 0x8000, type: .reserved),
        MemoryMapEntry(address: 0xfc00_8000, size: 0x40, type: .acpi),
        MemoryMapEntry(address: 0xfc00_0000, size: 0x1000, type: .acpi),
        MemoryMapEntry(address: 0xfc00_1000, size: 0x7000, type: .acpi),
    ]
    static let captureUUID: InlineArray<16, UInt8> = [
        0xfe, 0x8b, 0x3e, 0x28, 0x97, 0x5f, 0x41, 0xa7, 0x93, 0x5a, 0xc6, 0xa6, 0x5c, 0x3a, 0xd0, 0x58,
    ]

    let host = ManualHost()
    let memory: GuestMemory
    let domain: Domain
    let cpus: [FakeCPU]

    static func configuration(vcpus: Int = 1) -> DomainConfiguration {
        var configuration = DomainConfiguration(memoryMap: captureMap)
        configuration.version = .v4_17
        configuration.domainID = 2
        configuration.uuid = captureUUID
        configuration.vcpuCount = vcpus
        configuration.maximumMachineFrame = 0x272800
        return configuration
    }

    init(_ configuration: DomainConfiguration = Machine.configuration(), is64Bit: Bool = true) throws {
        let memory = try GuestMemory(poolPageCount: configuration.poolPageCount)
        for entry in configuration.memoryMap {
            let (first, count) = (GuestFrameNumber(entry.address >> 12), Int((entry.size + 0xfff) >> 12))
            if configuration.demandPages > 0, entry.type == .ram {
                try memory.populateOnDemand(first, count: count, stock: count - configuration.demandPages)
            } else {
                try memory.populate(first, count: count)
            }
        }
        self.memory = memory
        domain = try Domain(configuration, memory: memory, host: host)
        cpus = (0..<configuration.vcpuCount).map { FakeCPU($0, memory) }
        for cpu in cpus {
            cpu.is64Bit = is64Bit
            domain.vcpus[cpu.index].attach(cpu)
        }
        _ = host.take()
    }

    deinit { domain.detach() }

    /// Makes a hypercall on a vCPU and returns its result as the caller sees it.
    @discardableResult
    func call(_ number: Int, _ arguments: UInt64..., on vcpu: Int = 0) -> Int64 { call(number, list: arguments, on: vcpu) }

    @discardableResult
    func call(_ number: Int, list arguments: [UInt64], on vcpu: Int = 0) -> Int64 {
        let cpu = cpus[vcpu]
        let registers: [GPR] = cpu.is64Bit ? [.rdi, .rsi, .rdx, .r10, .r8] : [.rbx, .rcx, .rdx, .rsi, .rdi]
        for (register, value) in zip(registers, arguments) { cpu.setGeneral(register, value) }
        cpu.setGeneral(.rax, UInt64(bitPattern: Int64(number)))
        domain.vcpus[vcpu].hypercall(cpu)
        let result = cpu.general(.rax)
        return cpu.is64Bit ? Int64(bitPattern: result) : Int64(Int32(truncatingIfNeeded: result))
    }

    // MARK: - structures in guest memory

    /// Where tests keep the structure of the call at hand.
    static let scratch: UInt64 = 0x20_0000

    func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at address: UInt64) {
        do { try memory.store(GuestPhysicalAddress(address), value) } catch { preconditionFailure("test memory is populated") }
    }

    func get<T: FixedWidthInteger & BitwiseCopyable>(_ address: UInt64, as: T.Type = T.self) -> T {
        do { return try memory.load(GuestPhysicalAddress(address), as: T.self) } catch { preconditionFailure("test memory is populated") }
    }

    func bytes(_ address: UInt64, _ count: Int) -> [UInt8] {
        do { return try memory.bytes(GuestPhysicalAddress(address), count: count) } catch {
            preconditionFailure("test memory is populated")
        }
    }

    func word(_ address: UInt64) -> UInt64 { cpus[0].is64Bit ? get(address) : UInt64(get(address, as: UInt32.self)) }
    func putWord(_ value: UInt64, at address: UInt64) {
        if cpus[0].is64Bit { put(value, at: address) } else { put(UInt32(truncatingIfNeeded: value), at: address) }
    }

    /// Maps the shared info page and returns its address.
    @discardableResult
    func mapSharedInfo(at gfn: UInt64 = 0x104) -> Int64 { addToPhysmap(space: PhysmapSpace.sharedInfo, index: 0, gfn: gfn) }

    func addToPhysmap(space: UInt32, index: UInt64, gfn: UInt64, domain: UInt16 = DomainID.current) -> Int64 {
        let at = Self.scratch
        let wide = cpus[0].is64Bit
        put(domain, at: at)
        put(UInt16(0), at: at + 2)
        put(space, at: at + 4)
        putWord(index, at: at + 8)
        putWord(gfn, at: at + (wide ? 16 : 12))
        return call(Hypercall.memoryOp, UInt64(MemoryOp.addToPhysmap), at)
    }

    /// event_channel_op on a structure of 32-bit fields; returns the result and the fields afterwards.
    func events(_ command: UInt64, _ fields: [UInt32], on vcpu: Int = 0) -> (result: Int64, fields: [UInt32]) {
        for (index, field) in fields.enumerated() { put(field, at: Self.scratch + UInt64(index * 4)) }
        let result = call(Hypercall.eventChannelOp, command, Self.scratch, on: vcpu)
        return (result, fields.indices.map { get(Self.scratch + UInt64($0 * 4)) })
    }

    func setParameter(_ index: Int, _ value: UInt64) -> Int64 {
        put(UInt32(DomainID.current), at: Self.scratch)
        put(UInt32(index), at: Self.scratch + 4)
        put(value, at: Self.scratch + 8)
        return call(Hypercall.hvmOp, HVMOp.setParameter, Self.scratch)
    }
}

/// xorshift64*: the same numbers for the same seed on every machine.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed | 1 }
    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_f491_4f6c_dd1d
    }
}

/// Runs every body on a thread of its own and waits for all of them.
func together(_ bodies: [@Sendable () -> Void]) {
    let threads = bodies.map { body -> pthread_t in
        var thread = pthread_t()
        let box = unsafe Unmanaged.passRetained(ThreadBody(body)).toOpaque()
        let failed = unsafe pthread_create(
            &thread, nil,
            { argument in
                unsafe Unmanaged<ThreadBody>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, box)
        precondition(failed == 0, "a test may start a few threads")
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
}

private final class ThreadBody {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
