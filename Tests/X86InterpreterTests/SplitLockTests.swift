import GuestMemory
import Synchronization
import Testing
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

/// Two vCPUs in real threads on one memory, each in flat 32-bit code without paging.
private final class TwoProcessors: @unchecked Sendable {
    let memory: GuestMemory
    let processors: [Interpreter]

    /// The second page lies in front of the first in the host's memory: what is one operand to the guest is two places there.
    init(isContiguous: Bool) throws {
        memory = try GuestMemory(poolPageCount: 64)
        try memory.populate(GuestFrameNumber(0), count: 16)
        if !isContiguous {
            let first = try memory.allocateFrame()
            let second = try memory.allocateFrame()
            for (number, frame) in [(UInt64(8), second), (9, first)] {
                if let old = memory.unmap(GuestFrameNumber(number)) { memory.freeFrame(old) }
                try memory.map(GuestFrameNumber(number), to: frame)
            }
        }
        let memory = memory
        processors = (0..<2).map { Interpreter(index: $0, memory: memory, environment: TinyEnvironment()) }
        for processor in processors {
            var state = RegisterState()
            state.cr0 = CR0.protection | CR0.extensionType
            state[.cs] = Segment(selector: 8, base: 0, limit: .max, attributes: 0xc9b)
            for name in [SegmentName.ss, .ds, .es] { state[name] = Segment(selector: 16, base: 0, limit: .max, attributes: 0xc93) }
            processor.registerState = state
        }
    }

    /// Runs one program on each, both at once, until both have halted.
    func run(_ programs: [[UInt8]], address: UInt32, rounds: UInt32) async throws {
        for (index, program) in programs.enumerated() {
            let start = 0x1000 + UInt64(index) * 0x1000
            try memory.write(GuestPhysicalAddress(start), bytes: program)
            processors[index].core.s.rip = start
            processors[index].core.rsi = UInt64(address)
            processors[index].core.rcx = UInt64(rounds)
            processors[index].core.rdi = 0
        }
        await withTaskGroup(of: VirtualCPUExit.self) { group in
            for processor in processors.map(Unchecked.init) { group.addTask { processor.value.run() } }
            for await exit in group { #expect(exit == .halted) }
        }
    }

    func value<T: FixedWidthInteger & BitwiseCopyable>(_ address: UInt32, as: T.Type) throws -> T {
        try memory.load(GuestPhysicalAddress(UInt64(address)), as: T.self)
    }
}

private struct Unchecked<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

@Suite("Locked operands across boundaries", .serialized) struct SplitLockTests {
    /// Bytes of the operand in front of a boundary; the boundary: of 8, of 16, of a cache line, of a page.
    static let places: [(address: UInt32, isContiguous: Bool)] = [
        (0x8006, true), (0x800e, true), (0x803e, true), (0x8ffe, true), (0x8ffe, false), (0x8ffd, false),
    ]

    @Test("Two vCPUs lose no increment of a misaligned counter", arguments: places)
    func increments(place: (address: UInt32, isContiguous: Bool)) async throws {
        let both = try TwoProcessors(isContiguous: place.isContiguous)
        // lock inc dword [esi]; dec ecx; jnz; hlt
        let program: [UInt8] = [0xf0, 0xff, 0x06, 0x49, 0x75, 0xfa, 0xf4]
        try await both.run([program, program], address: place.address, rounds: 20_000)
        #expect(try both.value(place.address, as: UInt32.self) == 40_000)
    }

    @Test("An aligned locked access to a part of it loses nothing either", arguments: places)
    func parts(place: (address: UInt32, isContiguous: Bool)) async throws {
        let both = try TwoProcessors(isContiguous: place.isContiguous)
        // lock add dword [esi],10001h (both halves) against lock inc byte [esi+3], which lies behind the boundary.
        let wide: [UInt8] = [0xf0, 0x81, 0x06, 1, 0, 1, 0, 0x49, 0x75, 0xf6, 0xf4]
        let narrow: [UInt8] = [0xf0, 0xfe, 0x46, 3, 0x49, 0x75, 0xf9, 0xf4]
        try await both.run([wide, narrow], address: place.address, rounds: 10_000)
        let expected = (UInt32(10_000) &* 0x1_0001) &+ (UInt32(10_000) << 24)
        #expect(try both.value(place.address, as: UInt32.self) == expected)
    }

    /// The two halves are always equal; whoever reads one after the other with plain loads may find the second further on, never behind.
    @Test("Plain loads never see half of it", arguments: places.filter { $0.address & 3 == 2 }, [false, true])
    func plainLoads(place: (address: UInt32, isContiguous: Bool), readsUpperFirst: Bool) async throws {
        let both = try TwoProcessors(isContiguous: place.isContiguous)
        // lock add dword [esi],10001h; dec ecx; jnz; hlt
        let writer: [UInt8] = [0xf0, 0x81, 0x06, 1, 0, 1, 0, 0x49, 0x75, 0xf6, 0xf4]
        // mov ax,[esi+a]; mov bx,[esi+b]; sub bx,ax; sets dl; movzx edx,dl; add edi,edx; dec ecx; jnz; hlt
        let (first, second): (UInt8, UInt8) = readsUpperFirst ? (2, 0) : (0, 2)
        let reader: [UInt8] = [
            0x66, 0x8b, 0x46, first, 0x66, 0x8b, 0x5e, second, 0x66, 0x29, 0xc3, 0x0f, 0x98, 0xc2, 0x0f, 0xb6, 0xd2, 0x01, 0xd7, 0x49, 0x75,
            0xea,
            0xf4,
        ]
        // Below 32768 rounds a difference that is negative as a word is one.
        try await both.run([writer, reader], address: place.address, rounds: 30_000)
        #expect(both.processors[1].core.rdi == 0)
        #expect(try both.value(place.address, as: UInt32.self) == 30_000 * 0x1_0001)
    }
}
