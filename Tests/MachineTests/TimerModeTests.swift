import ControlProtocol
import Glibc
import GuestMemory
import Machine
import Synchronization
import Testing
import VirtualCPU

/// What a guest saw of its timer.
private final class Ticks: Sendable {
    /// The guest's TSC, in nanoseconds, at each tick it took.
    private let times = Mutex<[UInt64]>([])

    func note(_ time: UInt64) { times.withLock { $0.append(time) } }
    var all: [UInt64] { times.withLock { $0 } }
}

@Suite("timer_mode of a guest that is paused") struct TimerModeTests {
    private static let period: UInt64 = 10_000_000
    /// Two hundred periods: a busy host's own delays are far shorter.
    private static let pause: UInt64 = 2_000_000_000

    /// A vCPU whose APIC's timer ticks a hundred times a second, and that waits for each tick or computes all the while.
    private func script(_ ticks: Ticks, waits: Bool) -> ScriptedCPU.Script {
        let isSetUp = Atomic<Bool>(false)
        return { cpu in
            func write(_ offset: UInt64, _ value: UInt64) {
                cpu.environment.writePhysical(GuestPhysicalAddress(0xfee0_0000 + offset), byteCount: 4, value: value)
            }
            if !isSetUp.exchange(true, ordering: .relaxed) {
                for (offset, value) in [(0xf0, 0x1ff), (0x320, 0x2_0040), (0x3e0, 0xb), (0x380, Self.period / 10)] as [(UInt64, UInt64)] {
                    write(offset, value)
                }
            }
            while !cpu.environment.shouldLeave() {
                guard cpu.environment.acknowledgeInterrupt() == 0x40 else { return waits ? .halted : cpu.compute() }
                ticks.note(cpu.environment.readTSC())
                write(0xb0, 0)
            }
            return .left
        }
    }

    /// The ticks of a guest that was paused for ``pause`` in the middle of its life.
    private func run(_ mode: TimerMode, waits: Bool) throws -> [UInt64] {
        var guest = try TestGuest()
        guest.description.timerMode = mode
        let ticks = Ticks()
        let running = try guest.start(script: script(ticks, waits: waits))
        #expect(try running.ask(.unpause) == .ok)
        #expect(eventually { ticks.all.count >= 10 })
        #expect(try running.ask(.pause) == .ok)
        let atPause = ticks.all.count
        usleep(UInt32(Self.pause / 1000))
        #expect(ticks.all.count <= atPause + 1)
        #expect(try running.ask(.unpause) == .ok)
        let enough = mode == .delayForMissedTicks || mode == .noDelayForMissedTicks ? atPause + 200 : atPause + 20
        #expect(eventually { ticks.all.count >= enough })
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
        return ticks.all
    }

    private func gaps(_ times: [UInt64]) -> [UInt64] { zip(times.dropFirst(), times).map { $0 - $1 } }

    @Test("delay_for_missed_ticks: the guest gets every tick, and by its TSC they are a period apart", arguments: [true, false])
    func delay(waits: Bool) throws {
        let times = try run(.delayForMissedTicks, waits: waits)
        #expect(times == times.sorted())
        let widest = try #require(gaps(times).max())
        #expect(widest < Self.pause / 2, "the pause shows as \(widest) ns")
        let span = try #require(times.last) - times[0]
        #expect(span / UInt64(times.count - 1) > Self.period * 8 / 10 && span / UInt64(times.count - 1) < Self.period * 12 / 10)
    }

    @Test(
        "no_delay_for_missed_ticks: the guest gets every tick, most of them at once, and by its TSC it was away", arguments: [true, false])
    func noDelay(waits: Bool) throws {
        let times = try run(.noDelayForMissedTicks, waits: waits)
        let gaps = gaps(times)
        #expect(gaps.contains { $0 >= Self.pause * 9 / 10 })
        #expect(gaps.count { $0 < Self.period / 4 } >= 150, "a burst")
        let span = try #require(times.last) - times[0]
        #expect(times.count >= Int(span / Self.period) * 9 / 10)
    }

    @Test(
        "The other modes drop what was missed, or make one tick of it", arguments: [TimerMode.noMissedTicksPending, .oneMissedTickPending],
        [true, false])
    func dropped(mode: TimerMode, waits: Bool) throws {
        let times = try run(mode, waits: waits)
        let gaps = gaps(times)
        #expect(gaps.contains { $0 >= Self.pause * 9 / 10 })
        let span = try #require(times.last) - times[0]
        #expect(times.count <= Int(span / Self.period) - 150)
    }
}
