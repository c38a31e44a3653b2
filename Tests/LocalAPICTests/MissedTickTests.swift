import LocalAPIC
import Testing

/// A periodic timer with vector 0x40 and a period of a millisecond, and a vCPU that takes its interrupts.
private struct Ticker {
    static let period: UInt64 = 1_000_000
    var apic: LocalAPIC
    var taken = 0

    init(_ mode: MissedTicks) {
        apic = LocalAPIC(identifier: 0, isBootProcessor: true, missedTicks: mode)
        write(LocalAPICRegister.spuriousVector, 0x1ff, 0)
        write(0x320, 0x2_0040, 0)
        // Bus cycles of 10 ns, divided by 1.
        write(LocalAPICRegister.divideConfiguration, 0xb, 0)
        write(LocalAPICRegister.initialCount, 100_000, 0)
    }

    private mutating func write(_ offset: Int, _ value: UInt32, _ now: UInt64) { _ = apic.write(offset, value, now: now) }

    /// Time passes, with the timer looked at every half millisecond.
    mutating func run(from start: UInt64, to end: UInt64, isHeld: Bool) {
        for now in stride(from: start, through: end, by: Int(Self.period / 2)) {
            apic.fireTimer(now: now, isHeld: isHeld)
            if !isHeld { takeAll() }
        }
    }

    mutating func takeAll() {
        while apic.acknowledge() != nil {
            taken += 1
            write(LocalAPICRegister.endOfInterrupt, 0, 0)
        }
    }
}

@Suite("Ticks that were missed") struct MissedTickTests {
    @Test(
        "After a pause of ten periods the vCPU gets what the mode says, then one tick per period",
        arguments: [(MissedTicks.delivered, 10), (.dropped, 0), (.merged, 1)])
    func pause(mode: MissedTicks, late: Int) {
        var ticker = Ticker(mode)
        ticker.run(from: 0, to: 5_000_000, isHeld: false)
        #expect(ticker.taken == 5)
        ticker.run(from: 5_500_000, to: 15_000_000, isHeld: true)
        #expect(ticker.taken == 5)
        ticker.takeAll()
        #expect(ticker.taken == 5 + late)
        ticker.run(from: 15_500_000, to: 20_000_000, isHeld: false)
        #expect(ticker.taken == 10 + late)
    }

    @Test(
        "A timer that is looked at late delivers each tick or one", arguments: [(MissedTicks.delivered, 7), (.dropped, 1), (.merged, 1)])
    func late(mode: MissedTicks, count: Int) {
        var ticker = Ticker(mode)
        ticker.apic.fireTimer(now: 7 * Ticker.period)
        ticker.takeAll()
        #expect(ticker.taken == count)
    }

    @Test("Setting the timer anew forgets what was missed")
    func restart() {
        var ticker = Ticker(.delivered)
        ticker.apic.fireTimer(now: 7 * Ticker.period)
        _ = ticker.apic.write(LocalAPICRegister.initialCount, 0, now: 7 * Ticker.period)
        ticker.takeAll()
        #expect(ticker.taken == 1)
    }
}
