import LocalAPIC
import Testing

/// An APIC switched on in software, in xAPIC or x2APIC mode.
private func enabled(id: UInt32 = 0, x2: Bool = false, isBoot: Bool = true) -> LocalAPIC {
    var apic = LocalAPIC(identifier: id, isBootProcessor: isBoot)
    if x2 { precondition(apic.setBase(0xfee0_0c00 | (isBoot ? 0x100 : 0)), "an enabled APIC can become an x2APIC") }
    _ = apic.write(LocalAPICRegister.spuriousVector, 0x1ff, now: 0)
    return apic
}

@Suite("Local APIC registers") struct RegisterTests {
    @Test(
        "After reset the registers hold what the reference shows",
        arguments: [
            (0x20, UInt32(0x0200_0000)), (0x30, 0x0005_0014), (0x80, 0), (0xd0, 0), (0xe0, 0xffff_ffff), (0xf0, 0xff), (0x300, 0),
            (0x320, 0x10000), (0x330, 0x10000), (0x340, 0x10000), (0x350, 0x10000), (0x360, 0x10000), (0x370, 0x10000), (0x380, 0),
            (0x390, 0), (0x3e0, 0), (0x280, 0), (0x100, 0), (0x200, 0), (0x3f0, 0),
        ])
    func reset(offset: Int, value: UInt32) {
        let apic = LocalAPIC(identifier: 2, isBootProcessor: false)
        #expect(apic.read(offset, now: 0) == value)
    }

    @Test("The base register starts enabled, with the boot bit on the first vCPU only")
    func base() {
        #expect(LocalAPIC(identifier: 0, isBootProcessor: true).base == 0xfee0_0900)
        #expect(LocalAPIC(identifier: 2, isBootProcessor: false).base == 0xfee0_0800)
    }

    @Test(
        "Changes of mode follow the table of the manual",
        arguments: [
            // from, to, allowed
            (UInt64(0x800), UInt64(0xc00), true), (0x800, 0x800, true), (0x800, 0, true), (0x800, 0x400, false),
            (0xc00, 0x800, false), (0xc00, 0, true), (0xc00, 0x400, false), (0, 0x800, true), (0, 0xc00, false), (0, 0x400, false),
        ])
    func modes(from: UInt64, to: UInt64, allowed: Bool) {
        var apic = LocalAPIC(identifier: 0, isBootProcessor: false)
        if from != 0x800 { precondition(apic.setBase(0xfee0_0000 | from), "every starting mode can be reached from reset") }
        let result1 = apic.setBase(0xfee0_0000 | to)
        #expect(result1 == allowed)
        #expect(apic.base == 0xfee0_0000 | (allowed ? to : from))
    }

    @Test("Moving the window and reserved bits are refused", arguments: [UInt64(0xfec0_0800), 0x1_fee0_0800, 0xfee0_0801, 0xfee0_0a00])
    func window(value: UInt64) {
        var apic = LocalAPIC(identifier: 0, isBootProcessor: true)
        let result2 = apic.setBase(value)
        #expect(!result2)
        #expect(apic.base == 0xfee0_0900)
    }

    @Test(
        "x2APIC mode gives the identifier whole and a logical one made from it",
        arguments: [
            (UInt32(0), UInt32(1)), (2, 4), (30, 0x1_4000), (0x20, 0x2_0001),
        ])
    func x2apic(id: UInt32, logical: UInt32) {
        let apic = enabled(id: id, x2: true)
        #expect(apic.readMSR(0x802, now: 0) == UInt64(id))
        #expect(apic.readMSR(0x80d, now: 0) == UInt64(logical))
    }

    @Test(
        "MSRs exist in x2APIC mode only, and only those of registers",
        arguments: [
            (UInt32(0x802), true), (0x803, true), (0x808, true), (0x80a, true), (0x80b, false), (0x80d, true), (0x80e, false),
            (0x80f, true),
            (0x810, true), (0x827, true), (0x828, true), (0x82f, false), (0x830, true), (0x831, false), (0x837, true), (0x839, true),
            (0x83e, true),
            (0x83f, false), (0x800, false), (0x8ff, false),
        ])
    func readable(index: UInt32, exists: Bool) {
        #expect((enabled(x2: true).readMSR(index, now: 0) != nil) == exists)
        #expect(enabled().readMSR(index, now: 0) == nil)
    }

    @Test(
        "Reserved bits in an x2APIC write raise #GP",
        arguments: [
            (UInt32(0x808), UInt64(0x100)), (0x80b, 1), (0x828, 1), (0x80f, 0x200), (0x832, 1 << 32), (0x835, 1 << 18), (0x838, 1 << 32),
            (0x83e, 4), (0x83f, 0x100), (0x802, 0), (0x803, 0), (0x80d, 0), (0x839, 0), (0x830, 1 << 20),
        ])
    func reserved(index: UInt32, value: UInt64) {
        var apic = enabled(x2: true)
        let result3 = apic.writeMSR(index, value, now: 0)
        #expect(result3 == nil)
    }

    @Test("Switching the APIC off in software masks every entry")
    func softwareDisable() {
        var apic = enabled()
        _ = apic.write(LocalAPICRegister.lvtTimer, 0x40, now: 0)
        _ = apic.write(LocalAPICRegister.spuriousVector, 0xff, now: 0)
        #expect(apic.read(LocalAPICRegister.lvtTimer, now: 0) == 0x10040)
        _ = apic.write(LocalAPICRegister.lvtTimer, 0x41, now: 0)
        #expect(apic.read(LocalAPICRegister.lvtTimer, now: 0) == 0x10041)
    }
}

@Suite("Local APIC interrupts") struct InterruptTests {
    @Test("The highest vector is delivered first, and blocks its class until it is completed")
    func priorities() {
        var apic = enabled()
        for vector in [0x31, 0x45, 0x41] as [UInt8] { apic.raise(vector) }
        let result4 = apic.acknowledge { 0 }
        #expect(result4 == 0x45)
        #expect(apic.deliverable == nil)
        #expect(apic.processorPriority == 0x40)
        let result5 = apic.write(LocalAPICRegister.endOfInterrupt, 0, now: 0)
        #expect(result5 == .none)
        let result6 = apic.acknowledge { 0 }
        #expect(result6 == 0x41)
        _ = apic.write(LocalAPICRegister.endOfInterrupt, 0, now: 0)
        let result7 = apic.acknowledge { 0 }
        #expect(result7 == 0x31)
        apic.raise(0x51)
        let result8 = apic.acknowledge { 0 }
        #expect(result8 == 0x51)
    }

    @Test(
        "The task priority holds back its class and lower ones",
        arguments: [(UInt32(0x40), UInt8(0x4f), false), (0x40, 0x50, true), (0xf0, 0xff, false)])
    func taskPriority(priority: UInt32, vector: UInt8, isDelivered: Bool) {
        var apic = enabled()
        _ = apic.write(LocalAPICRegister.taskPriority, priority, now: 0)
        apic.raise(vector)
        #expect((apic.deliverable == vector) == isDelivered)
    }

    @Test("A disabled APIC delivers nothing")
    func disabled() {
        var apic = LocalAPIC(identifier: 0, isBootProcessor: true)
        apic.raise(0x40)
        #expect(apic.deliverable == nil)
        _ = apic.write(LocalAPICRegister.spuriousVector, 0x1ff, now: 0)
        #expect(apic.deliverable == 0x40)
        let result9 = apic.setBase(0xfee0_0100)
        #expect(result9)
        apic.raise(0x40)
        #expect(apic.deliverable == nil)
    }

    @Test("Request and service registers show single vectors")
    func registers() {
        var apic = enabled()
        apic.raise(0x45)
        #expect(apic.read(LocalAPICRegister.interruptRequest + 0x20, now: 0) == 1 << 5)
        _ = apic.acknowledge { 0 }
        #expect(apic.read(LocalAPICRegister.interruptRequest + 0x20, now: 0) == 0)
        #expect(apic.read(LocalAPICRegister.inService + 0x20, now: 0) == 1 << 5)
    }

    @Test("Completing a level-triggered interrupt is announced")
    func level() {
        var apic = enabled()
        apic.raise(0x60, isLevelTriggered: true)
        _ = apic.acknowledge { 0 }
        let result10 = apic.write(LocalAPICRegister.endOfInterrupt, 0, now: 0)
        #expect(result10 == .endOfInterrupt(0x60))
    }

    @Test("Illegal vectors are recorded, and show after a write to the error register")
    func errors() {
        var apic = enabled()
        _ = apic.write(LocalAPICRegister.lvtError, 0x50, now: 0)
        apic.raise(3)
        let result11 = apic.acknowledge { 0 }
        #expect(result11 == 0x50)
        #expect(apic.read(LocalAPICRegister.errorStatus, now: 0) == 0)
        _ = apic.write(LocalAPICRegister.errorStatus, 0, now: 0)
        #expect(apic.read(LocalAPICRegister.errorStatus, now: 0) == 1 << 6)
        let result12 = apic.write(LocalAPICRegister.commandLow, 0x4003, now: 0)
        #expect(result12 == .none)
        _ = apic.write(LocalAPICRegister.errorStatus, 0, now: 0)
        #expect(apic.read(LocalAPICRegister.errorStatus, now: 0) == 1 << 5)
    }

    @Test("INIT resets the registers and keeps the base")
    func reset() {
        var apic = enabled(id: 2, x2: true, isBoot: false)
        apic.raise(0x40)
        apic.resetRegisters()
        #expect(apic.base == 0xfee0_0c00)
        #expect(apic.deliverable == nil)
        #expect(apic.read(LocalAPICRegister.spuriousVector, now: 0) == 0xff)
        #expect(apic.readMSR(0x80d, now: 0) == 4)
    }
}

@Suite("Local APIC commands") struct CommandTests {
    private func sent(_ command: UInt32, destination: UInt32 = 0) -> InterprocessorInterrupt? {
        var apic = enabled()
        _ = apic.write(LocalAPICRegister.commandHigh, destination << 24, now: 0)
        guard case .send(let interrupt) = apic.write(LocalAPICRegister.commandLow, command, now: 0) else { return nil }
        return interrupt
    }

    @Test(
        "The command register describes mode, vector and target",
        arguments: [
            (UInt32(0x40), InterprocessorInterrupt.DeliveryMode.fixed, InterprocessorInterrupt.Target.physical(3, isX2APIC: false)),
            (0x840, .fixed, .logical(3, isX2APIC: false)), (0x140, .lowestPriority, .physical(3, isX2APIC: false)),
            (0x400, .nmi, .physical(3, isX2APIC: false)), (0x4500, .initialise, .physical(3, isX2APIC: false)),
            (0x4608, .startUp, .physical(3, isX2APIC: false)), (0x4_0040, .fixed, .sender), (0x8_0040, .fixed, .all),
            (0xc_0040, .fixed, .allButSender),
        ])
    func commands(command: UInt32, mode: InterprocessorInterrupt.DeliveryMode, target: InterprocessorInterrupt.Target) {
        let interrupt = sent(command, destination: 3)
        #expect(interrupt?.mode == mode)
        #expect(interrupt?.target == target)
        #expect(interrupt?.vector == UInt8(truncatingIfNeeded: command))
    }

    @Test("The de-assertion of a level-triggered INIT is told apart")
    func deassert() {
        #expect(sent(0x8500)?.isAsserted == false)
        #expect(sent(0xc500)?.isAsserted == true)
    }

    @Test("An x2APIC sends with one write, and to itself with another")
    func x2apic() {
        var apic = enabled(x2: true)
        guard case .send(let interrupt)? = apic.writeMSR(0x830, 0x0000_0006_0000_0041, now: 0) else {
            Issue.record("nothing was sent")
            return
        }
        #expect(interrupt.target == .physical(6, isX2APIC: true))
        guard case .send(let own)? = apic.writeMSR(0x83f, 0x42, now: 0) else {
            Issue.record("nothing was sent")
            return
        }
        #expect(own.target == .sender && own.vector == 0x42)
        #expect(apic.readMSR(0x830, now: 0) == 0x0000_0006_0000_0041)
    }

    @Test(
        "Targets name the APICs they should",
        arguments: [
            // target, identifier, accepted
            (InterprocessorInterrupt.Target.physical(2, isX2APIC: false), UInt32(2), true), (.physical(2, isX2APIC: false), 4, false),
            (.physical(0xff, isX2APIC: false), 4, true), (.physical(0xff, isX2APIC: true), 4, false),
            (.physical(0xffff_ffff, isX2APIC: true), 4, true), (.all, 0, true), (.allButSender, 0, false), (.allButSender, 2, true),
            (.sender, 0, true), (.sender, 2, false),
        ])
    func targets(target: InterprocessorInterrupt.Target, id: UInt32, accepted: Bool) {
        #expect(enabled(id: id).accepts(target, from: 0) == accepted)
    }

    @Test("Flat logical destinations are a mask, clusters a number and a mask")
    func logical() {
        var apic = enabled()
        _ = apic.write(LocalAPICRegister.logicalDestination, 0x0200_0000, now: 0)
        #expect(apic.accepts(.logical(0x03, isX2APIC: false), from: 0))
        #expect(!apic.accepts(.logical(0x04, isX2APIC: false), from: 0))
        _ = apic.write(LocalAPICRegister.destinationFormat, 0x0fff_ffff, now: 0)
        _ = apic.write(LocalAPICRegister.logicalDestination, 0x1200_0000, now: 0)
        #expect(apic.accepts(.logical(0x12, isX2APIC: false), from: 0))
        #expect(!apic.accepts(.logical(0x22, isX2APIC: false), from: 0))
        let x2 = enabled(id: 0x12, x2: true)
        #expect(x2.accepts(.logical(0x0001_0004, isX2APIC: true), from: 0))
        #expect(!x2.accepts(.logical(0x0002_0004, isX2APIC: true), from: 0))
    }
}

@Suite("Local APIC timer") struct TimerTests {
    @Test(
        "A count takes ten nanoseconds times the divisor",
        arguments: [
            (UInt32(0), UInt64(2)), (1, 4), (2, 8), (3, 16), (8, 32), (9, 64), (10, 128), (11, 1),
        ])
    func divisors(code: UInt32, divisor: UInt64) {
        var apic = enabled()
        _ = apic.write(LocalAPICRegister.lvtTimer, 0x40, now: 0)
        _ = apic.write(LocalAPICRegister.divideConfiguration, code, now: 0)
        let result13 = apic.write(LocalAPICRegister.initialCount, 1000, now: 500)
        #expect(result13 == .timerChanged)
        #expect(apic.timerDeadline == 500 + 1000 * 10 * divisor)
        #expect(apic.read(LocalAPICRegister.currentCount, now: 500 + 250 * 10 * divisor) == 750)
    }

    @Test("One-shot fires once and stays at zero")
    func oneShot() {
        var apic = enabled()
        _ = apic.write(LocalAPICRegister.lvtTimer, 0x40, now: 0)
        _ = apic.write(LocalAPICRegister.divideConfiguration, 11, now: 0)
        _ = apic.write(LocalAPICRegister.initialCount, 100, now: 0)
        apic.fireTimer(now: 999)
        #expect(apic.deliverable == nil)
        apic.fireTimer(now: 1000)
        let result14 = apic.acknowledge { 0 }
        #expect(result14 == 0x40)
        #expect(apic.timerDeadline == nil)
        #expect(apic.read(LocalAPICRegister.currentCount, now: 1500) == 0)
    }

    @Test("Periodic fires again and counts anew; missed periods fire once")
    func periodic() {
        var apic = enabled()
        _ = apic.write(LocalAPICRegister.lvtTimer, 0x20040, now: 0)
        _ = apic.write(LocalAPICRegister.divideConfiguration, 11, now: 0)
        _ = apic.write(LocalAPICRegister.initialCount, 10_000, now: 0)
        #expect(apic.timerDeadline == 100_000)
        apic.fireTimer(now: 350_000)
        let result15 = apic.acknowledge { 0 }
        #expect(result15 == 0x40)
        #expect(apic.deliverable == nil)
        #expect(apic.timerDeadline == 400_000)
        #expect(apic.read(LocalAPICRegister.currentCount, now: 350_000) == 5_000)
    }

    @Test("A period too short for the host is merged into longer ones")
    func shortPeriod() {
        var apic = enabled()
        _ = apic.write(LocalAPICRegister.lvtTimer, 0x20040, now: 0)
        _ = apic.write(LocalAPICRegister.divideConfiguration, 11, now: 0)
        _ = apic.write(LocalAPICRegister.initialCount, 1, now: 0)
        apic.fireTimer(now: 10)
        #expect(apic.timerDeadline.map { $0 >= LocalAPIC.shortestPeriod } == true)
    }

    @Test("A masked entry needs no wake-up, and a zero count stops the timer")
    func masked() {
        var apic = enabled()
        _ = apic.write(LocalAPICRegister.initialCount, 100, now: 0)
        #expect(apic.timerDeadline == nil)
        _ = apic.write(LocalAPICRegister.lvtTimer, 0x40, now: 0)
        #expect(apic.timerDeadline != nil)
        _ = apic.write(LocalAPICRegister.initialCount, 0, now: 0)
        #expect(apic.timerDeadline == nil)
    }

    @Test("The TSC deadline works in its own mode only")
    func deadline() {
        var apic = enabled()
        apic.setTSCDeadline(5000, expiry: 700)
        #expect(apic.tscDeadline == 0)
        _ = apic.write(LocalAPICRegister.lvtTimer, 0x40040, now: 0)
        apic.setTSCDeadline(5000, expiry: 700)
        #expect(apic.tscDeadline == 5000)
        #expect(apic.timerDeadline == 700)
        apic.fireTimer(now: 700)
        let result16 = apic.acknowledge { 0 }
        #expect(result16 == 0x40)
        #expect(apic.tscDeadline == 0)
    }

    @Test("No sequence of register writes traps")
    func fuzz() {
        var state: UInt64 = 0x1234_5678_9abc_def1
        func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        var apic = enabled()
        for _ in 0..<200_000 {
            let value = next() & 3 == 0 ? next() : next() & 0xffff
            switch next() & 7 {
            case 0: _ = apic.setBase(0xfee0_0000 | value & 0xf00)
            case 1: _ = apic.writeMSR(0x800 + UInt32(next() & 0xff), value, now: next())
            case 2: apic.fireTimer(now: next())
            case 3: _ = apic.acknowledge { 0 }
            case 4: _ = apic.read(Int(next() & 0xfff), now: next())
            case 5: apic.raise(UInt8(truncatingIfNeeded: value))
            default: _ = apic.write(Int(next() & 0xfff), UInt32(truncatingIfNeeded: value), now: next())
            }
        }
        #expect(apic.base & ~0xf00 == 0xfee0_0000)
    }
}
