import Glibc
import GuestMemory
import Synchronization
import Testing
import XenABI
import XenDomain

@Suite("Threads") struct ThreadTests {
    @Test("No event is lost between backends that notify and a guest that consumes", arguments: [true, false])
    func events(isFIFO: Bool) throws {
        let machine = try Machine()
        machine.mapSharedInfo()
        #expect(machine.setParameter(0, 2 << 56 | 0xf3) == 0)
        if isFIFO {
            #expect(machine.events(EventChannelOp.initControl, [0x300, 0, 0, 0, 0, 0]).result == 0)
            #expect(machine.events(EventChannelOp.expandArray, [0x310, 0]).result == 0)
        }
        let rounds = 3000
        // Each producer waits until its last event was taken, so every one has to be delivered.
        let taken = [SharedCount(), SharedCount()]
        let domain = machine.domain
        let done = SharedCount()
        let memory = machine.memory
        together([
            {
                for round in 1...rounds {
                    domain.notify(1)
                    while taken[0].value < round { sched_yield() }
                }
                done.add()
            },
            {
                for round in 1...rounds {
                    domain.notify(2)
                    while taken[1].value < round { sched_yield() }
                }
                done.add()
            },
            {
                while done.value < 2 {
                    domain.fireTimers(now: domain.host.now())
                    _ = domain.nextDeadline()
                    sched_yield()
                }
            },
            {
                let guest = GuestSide(memory: memory)
                while done.value < 2 {
                    guard domain.vcpus[0].hasPendingInterrupt(), domain.vcpus[0].acknowledgeInterrupt() == 0xf3 else {
                        sched_yield()
                        continue
                    }
                    for port in isFIFO ? guest.consumeFIFO() : guest.consumeTwoLevel() { taken[port - 1].add() }
                }
            },
        ])
        #expect(taken[0].value == rounds && taken[1].value == rounds)
        #expect(domain.shutdownReason == nil)
    }
}

/// A counter that threads share.
private final class SharedCount: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .sequentiallyConsistent) }
    func add() { count.add(1, ordering: .sequentiallyConsistent) }
}

/// What a guest's event handler does, with the atomic accesses of the interface.
@safe
private struct GuestSide {
    let memory: GuestMemory

    private func word(_ address: UInt64) -> UnsafeMutablePointer<Atomic<UInt32>> {
        let frame = memory.lookup(GuestFrameNumber(address >> 12))!.frame
        return unsafe (memory.unsafePointer(frame) + Int(address & 0xfff)).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    private func exchange(_ address: UInt64, _ value: UInt32) -> UInt32 {
        unsafe word(address).pointee.exchange(value, ordering: .sequentiallyConsistent)
    }

    private func clear(_ address: UInt64, _ bits: UInt32) -> UInt32 {
        unsafe word(address).pointee.bitwiseAnd(~bits, ordering: .sequentiallyConsistent).oldValue
    }

    private func load(_ address: UInt64) -> UInt32 { unsafe word(address).pointee.load(ordering: .sequentiallyConsistent) }

    func consumeTwoLevel() -> [Int] {
        var ports: [Int] = []
        _ = clear(0x10_4000, 0xff)
        guard exchange(0x10_4008, 0) & 1 != 0 else { return [] }
        for port in 1...2 where clear(0x10_4800, 1 << UInt32(port)) & 1 << UInt32(port) != 0 { ports.append(port) }
        return ports
    }

    func consumeFIFO() -> [Int] {
        var ports: [Int] = []
        _ = clear(0x10_4000, 0xff)
        _ = clear(0x30_0000, 1 << 7)
        let head: UInt64 = 0x30_0008 + 7 * 4
        var port = load(head)
        while port != 0 {
            let address = 0x31_0000 + UInt64(port) * 4
            let old = clear(address, FIFOEvent.linked | FIFOEvent.linkMask)
            let next = old & FIFOEvent.linkMask
            if clear(address, FIFOEvent.pending) & FIFOEvent.pending != 0 { ports.append(Int(port)) }
            port = next
        }
        return ports
    }
}
