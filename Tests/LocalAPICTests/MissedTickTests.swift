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
        if isHeld { apic.leave(now: start, isHeld: true) }
        for now in stride(from: start, through: end, by: Int(Self.period / 2)) {
            apic.fireTimer(now: now, isHeld: isHeld)
            if !isHeld { takeAll(now) }
        }
        if isHeld { apic.enter(now: end) }
    }

    mutating func takeAll(_ now: UInt64) {
        while take(now) {}
    }

    /// Takes one tick, if there is one.
    mutating func take(_ now: UInt64) -> Bool {
        guard apic.acknowledge(now: { now }) != nil else { return false }
        taken += 1
        write(LocalAPICRegister.endOfInterrupt, 0, now)
        return true
    }

    /// The vCPU's time as its timer's count shows it, in bus cycles since the last whole period.
    func count(_ now: UInt64) -> UInt32 { 100_000 - apic.read(LocalAPICRegister.currentCount, now: now) }
}

@Suite("Ticks that were missed") struct MissedTickTests {
    @Test(
        "After a pause of ten periods the vCPU gets what the mode says, then one tick per period",
        arguments: [(MissedTicks.delayed, 10), (.delivered, 10), (.dropped, 0), (.merged, 1)])
    func pause(mode: MissedTicks, late: Int) {
        var ticker = Ticker(mode)
        ticker.run(from: 0, to: 5_000_000, isHeld: false)
        #expect(ticker.taken == 5)
        ticker.run(from: 5_500_000, to: 15_000_000, isHeld: true)
        #expect(ticker.taken == 5)
        ticker.takeAll(15_000_000)
        #expect(ticker.taken == 5 + late)
        ticker.run(from: 15_500_000, to: 20_000_000, isHeld: false)
        #expect(ticker.taken == 10 + late)
    }

    @Test(
        "A timer that is looked at late delivers each tick or one",
        arguments: [(MissedTicks.delayed, 7), (.delivered, 7), (.dropped, 1), (.merged, 1)])
    func late(mode: MissedTicks, count: Int) {
        var ticker = Ticker(mode)
        ticker.apic.fireTimer(now: 7 * Ticker.period)
        ticker.takeAll(7 * Ticker.period)
        #expect(ticker.taken == count)
    }

    @Test("Setting the timer anew forgets what was missed")
    func restart() {
        var ticker = Ticker(.delivered)
        ticker.apic.fireTimer(now: 7 * Ticker.period)
        _ = ticker.apic.write(LocalAPICRegister.initialCount, 0, now: 7 * Ticker.period)
        ticker.takeAll(7 * Ticker.period)
        #expect(ticker.taken == 1)
    }

    @Test("delay_for_missed_ticks: a vCPU goes on at the time it was held, and each late tick moves it to when that was due")
    func delay() {
        var ticker = Ticker(.delayed)
        ticker.run(from: 0, to: 5_000_000, isHeld: false)
        // Held in the middle of a period, for ten and a half.
        ticker.apic.leave(now: 5_400_000, isHeld: true)
        for now in stride(from: 6_000_000 as UInt64, through: 15_900_000, by: 100_000) { ticker.apic.fireTimer(now: now, isHeld: true) }
        ticker.apic.enter(now: 15_900_000)
        #expect(ticker.apic.lag == 10_500_000)
        #expect(ticker.count(15_900_000) == 40_000)
        #expect(ticker.count(15_950_000) == 45_000, "it runs at the usual rate")
        for late in 1...10 as ClosedRange<UInt64> {
            let took = ticker.take(15_950_000)
            #expect(took)
            #expect(15_950_000 - ticker.apic.lag == 5_000_000 + late * Ticker.period, "tick \(late)")
            #expect(ticker.count(15_950_000) == 0)
        }
        let more = ticker.take(15_950_000)
        #expect(!more)
        // The next tick is due at its time, and moves the vCPU's time to that of the system.
        ticker.apic.fireTimer(now: 16_000_000)
        ticker.takeAll(16_000_000)
        #expect(ticker.apic.lag == 0 && ticker.taken == 16)
    }

    @Test("A vCPU that waited when it was held goes on at the first tick it missed", arguments: [true, false])
    func delayWaiting(hasTick: Bool) {
        var ticker = Ticker(.delayed)
        ticker.run(from: 0, to: 5_000_000, isHeld: false)
        ticker.apic.leave(now: 5_100_000, isHeld: false)
        if hasTick { for due in 6...9 as ClosedRange<UInt64> { ticker.apic.fireTimer(now: due * Ticker.period, isHeld: true) } }
        ticker.apic.enter(now: 9_500_000)
        #expect(9_500_000 - ticker.apic.lag == (hasTick ? 6_000_000 : 9_500_000))
    }

    @Test("A vCPU's time never goes back, whatever order pauses and ticks come in")
    func monotonic() {
        var state: UInt64 = 1
        func random(_ limit: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % limit
        }
        var ticker = Ticker(.delayed)
        var (now, seen, isRunning) = (UInt64(0), UInt64(0), true)
        for _ in 0..<20_000 {
            now += random(400_000)
            switch random(5) {
            case 0 where isRunning:
                ticker.apic.leave(now: now, isHeld: random(2) == 0)
                isRunning = false
            case 1 where !isRunning:
                ticker.apic.enter(now: now)
                isRunning = true
            case 2 where isRunning: _ = ticker.take(now)
            default: ticker.apic.fireTimer(now: now, isHeld: random(2) == 0)
            }
            guard isRunning else { continue }
            let time = now - ticker.apic.lag
            #expect(time >= seen && time <= now)
            seen = time
        }
        #expect(ticker.taken > 1000)
    }

    @Test("no_missed_ticks_pending: a vCPU that is held at every tick still gets some")
    func someTicks() {
        var ticker = Ticker(.dropped)
        for period in 1...20 as ClosedRange<UInt64> {
            let due = period * Ticker.period
            ticker.run(from: due - 200_000, to: due + 300_000, isHeld: true)
            ticker.takeAll(due + 300_000)
        }
        #expect((5...19).contains(ticker.taken))
    }

    @Test("A timer that is made one-shot forgets what was missed")
    func oneShot() {
        var ticker = Ticker(.delivered)
        ticker.apic.fireTimer(now: 7 * Ticker.period)
        _ = ticker.apic.write(0x320, 0x40, now: 7 * Ticker.period)
        ticker.takeAll(7 * Ticker.period)
        #expect(ticker.taken == 1)
    }
}
