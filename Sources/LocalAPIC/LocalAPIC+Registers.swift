/// Register access: the xAPIC page and the x2APIC MSRs.
extension LocalAPIC {
    /// Reads a register of the xAPIC page. Registers that do not exist read as zero.
    ///
    /// - Parameters:
    ///   - offset: From the start of the page; only the first dword of each 16 bytes is a register.
    ///   - now: System time in nanoseconds.
    public func read(_ offset: Int, now: UInt64) -> UInt32 {
        switch offset & 0xff0 {
        case LocalAPICRegister.id: isX2APIC ? identifier : identifier &<< 24
        case LocalAPICRegister.version: Self.versionValue
        case LocalAPICRegister.taskPriority: UInt32(taskPriority)
        case LocalAPICRegister.processorPriority: UInt32(processorPriority)
        case LocalAPICRegister.logicalDestination: logicalDestination
        case LocalAPICRegister.destinationFormat: isX2APIC ? 0 : destinationFormat
        case LocalAPICRegister.spuriousVector: spuriousVector
        case 0x100...0x170: inService.register((offset &>> 4) & 7)
        case 0x180...0x1f0: levelTriggered.register((offset &>> 4) & 7)
        case 0x200...0x270: requests.register((offset &>> 4) & 7)
        case LocalAPICRegister.errorStatus: errorStatus
        case LocalAPICRegister.commandLow: commandLow
        case LocalAPICRegister.commandHigh: commandHigh
        case 0x320...0x370: lvt[((offset &- 0x320) &>> 4) & 7]
        case LocalAPICRegister.initialCount: isTimerDeadline ? 0 : timer.initialCount
        case LocalAPICRegister.currentCount: isTimerDeadline ? 0 : timer.currentCount(vcpuTime: vcpuTime(now), isPeriodic: isTimerPeriodic)
        case LocalAPICRegister.divideConfiguration: timer.divideConfiguration
        default: 0
        }
    }

    /// Writes a register of the xAPIC page. Writes to what does not exist or cannot be written do nothing.
    public mutating func write(_ offset: Int, _ value: UInt32, now: UInt64) -> LocalAPICAction {
        switch offset & 0xff0 {
        case LocalAPICRegister.taskPriority: taskPriority = UInt8(truncatingIfNeeded: value)
        case LocalAPICRegister.endOfInterrupt: return completeInterrupt()
        case LocalAPICRegister.logicalDestination where !isX2APIC: logicalDestination = value & 0xff00_0000
        case LocalAPICRegister.destinationFormat where !isX2APIC: destinationFormat = value | 0x0fff_ffff
        case LocalAPICRegister.spuriousVector: setSpuriousVector(value)
        case LocalAPICRegister.errorStatus:
            errorStatus = pendingErrors
            pendingErrors = 0
        case LocalAPICRegister.commandLow:
            commandLow = value & ~(1 << 12)
            return send(value, destination: isX2APIC ? commandHigh : commandHigh &>> 24)
        case LocalAPICRegister.commandHigh: commandHigh = isX2APIC ? value : value & 0xff00_0000
        case 0x320...0x370: return setLVT(((offset &- 0x320) &>> 4) & 7, value)
        case LocalAPICRegister.initialCount where !isTimerDeadline:
            timer.load(value, now: now, vcpuTime: vcpuTime(now))
            return .timerChanged
        case LocalAPICRegister.divideConfiguration:
            timer.setDivide(value, now: now, vcpuTime: vcpuTime(now), isPeriodic: isTimerPeriodic)
            return .timerChanged
        default: break
        }
        return .none
    }

    private mutating func setSpuriousVector(_ value: UInt32) {
        spuriousVector = value & 0x1ff
        guard value & Self.softwareEnable == 0 else { return }
        for index in lvt.indices { lvt[index] |= Self.lvtMasked }
    }

    /// Bits of each LVT entry that can be written.
    static func lvtWritable(_ index: Int) -> UInt32 {
        switch index {
        case 0: 0x0007_00ff
        case 3, 4: 0x0001_a7ff
        case 5: 0x0001_00ff
        default: 0x0001_07ff
        }
    }

    private mutating func setLVT(_ index: Int, _ value: UInt32) -> LocalAPICAction {
        guard index < 6 else { return .none }
        let disabled = spuriousVector & Self.softwareEnable == 0
        let old = lvt[index]
        lvt[index] = (value & Self.lvtWritable(index)) | (disabled ? Self.lvtMasked : 0)
        guard index == 0 else { return .none }
        // A change to or from the deadline mode stops the timer (SDM vol. 3A, 11.5.4.1).
        if (old ^ lvt[0]) &>> 18 & 1 != 0 {
            timer.load(0, now: 0, vcpuTime: 0)
            timer.tscDeadline = 0
        }
        if !isTimerPeriodic { timer.missed = 0 }
        return .timerChanged
    }

    private mutating func send(_ command: UInt32, destination: UInt32) -> LocalAPICAction {
        let mode = InterprocessorInterrupt.DeliveryMode(rawValue: UInt8(truncatingIfNeeded: command &>> 8 & 7)) ?? .reserved
        let vector = UInt8(truncatingIfNeeded: command)
        if mode == .fixed || mode == .lowestPriority, vector < 16 {
            recordError(1 << 5)
            return .none
        }
        let target: InterprocessorInterrupt.Target =
            switch command &>> 18 & 3 {
            case 1: .sender
            case 2: .all
            case 3: .allButSender
            default: command &>> 11 & 1 == 0 ? .physical(destination, isX2APIC: isX2APIC) : .logical(destination, isX2APIC: isX2APIC)
            }
        let level = command &>> 15 & 1 != 0
        return .send(
            InterprocessorInterrupt(
                mode: mode, vector: vector, target: target, isLevelTriggered: level,
                isAsserted: !level || command &>> 14 & 1 != 0))
    }

    // MARK: - x2APIC

    /// RDMSR of 0x800 ... 0x8ff; nil is #GP(0).
    public func readMSR(_ index: UInt32, now: UInt64) -> UInt64? {
        guard isX2APIC else { return nil }
        switch index {
        case 0x802, 0x803, 0x808, 0x80a, 0x80d, 0x80f, 0x810...0x828, 0x832...0x839, 0x83e:
            return UInt64(read(Int(index & 0xff) &<< 4, now: now))
        case 0x830: return UInt64(commandHigh) &<< 32 | UInt64(commandLow)
        default: return nil
        }
    }

    /// WRMSR to 0x800 ... 0x8ff; nil is #GP(0), and nothing has changed.
    public mutating func writeMSR(_ index: UInt32, _ value: UInt64, now: UInt64) -> LocalAPICAction? {
        guard isX2APIC else { return nil }
        let offset = Int(index & 0xff) &<< 4
        let low = UInt32(truncatingIfNeeded: value)
        if index == 0x830 {
            guard low & ~0x000c_cfff == 0 else { return nil }
            commandHigh = UInt32(truncatingIfNeeded: value &>> 32)
            return write(LocalAPICRegister.commandLow, low, now: now)
        }
        guard let writable = Self.x2apicWritable(index), value & ~UInt64(writable) == 0 else { return nil }
        if index == 0x83f {
            return send(low | 1 << 18 | 1 << 14, destination: 0)
        }
        return write(offset, low, now: now)
    }

    /// Bits that can be set in the register of an MSR; nil where it cannot be written.
    private static func x2apicWritable(_ index: UInt32) -> UInt32? {
        switch index {
        case 0x808, 0x83f: 0xff
        case 0x80b, 0x828: 0
        case 0x80f: 0x1ff
        // The read-only bits, delivery status and remote IRR, may be set in what is written: Linux writes back what it read.
        case 0x832...0x837: lvtWritable(Int(index) &- 0x832) | 1 << 12 | (index == 0x835 || index == 0x836 ? 1 << 14 : 0)
        case 0x838: 0xffff_ffff
        case 0x83e: 0xb
        default: nil
        }
    }

    /// The task priority, which CR8 shows too (its upper four bits).
    public var taskPriorityRegister: UInt8 {
        get { taskPriority }
        set { taskPriority = newValue }
    }
}
