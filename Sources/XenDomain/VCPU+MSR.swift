import GuestMemory
import LocalAPIC
import Synchronization
import VirtualCPU
import X86
import XenABI

/// RDMSR and WRMSR of everything the engine does not keep itself.
extension VCPU {
    private var isAMD: Bool { domain.configuration.cpuVendor == .amd }

    public func readMSR(_ index: UInt32) -> UInt64? {
        switch index {
        case MSR.tsc: guestTSC
        case MSR.apicBase: lapic.withLock { $0.base }
        case MSR.tscDeadline: lapic.withLock { $0.tscDeadline }
        // MOV from CR8 comes this way in every mode of the APIC.
        case MSR.x2apicTPR: lapic.withLock { UInt64($0.taskPriorityRegister) }
        case MSR.x2apicFirst...MSR.x2apicLast: lapic.withLock { $0.readMSR(index, now: domain.host.now()) }
        case XenCPUID.hypercallPageMSR: 0
        case XenCPUID.hypercallPageMSR + 1...XenCPUID.lastMSR: nil
        default: readStored(index) ?? readConstant(index)
        }
    }

    private func readStored(_ index: UInt32) -> UInt64? {
        registers.withLock { state in
            switch index {
            case MSR.tscAdjust: state.tscAdjust
            case 0x1d9: state.debugControl
            case 0x17a: state.machineCheckStatus
            case 0x2ff: state.mtrrDefaultType
            case 0x200...0x20f: state.mtrrVariable[Int(index & 15)]
            case 0x400...0x407: index & 3 == 0 ? .max : state.machineCheckBanks[Int(index & 7)]
            default: ModelSpecificState.fixedRange(index).map { state.mtrrFixed[$0] }
            }
        }
    }

    private func readConstant(_ index: UInt32) -> UInt64? {
        switch index {
        case 0xfe: 0x508
        case 0x8b: 0x0100_0065
        case 0x179: 2
        case 0, 1, 0xce, 0x140, 0x17b, 0x1db...0x1de, 0x280...0x29f: 0
        default: (isAMD ? readAMD(index) : readIntel(index)) ?? (isRelaxed(index) ? 0 : nil)
        }
    }

    private func readAMD(_ index: UInt32) -> UInt64? {
        switch index {
        case 0xc000_0408...0xc000_040a: 0x2000_0000_0000_0000
        case 0xc001_1029: 2
        // HWCR: TscFreqSel says that the TSC counts at the frequency of P0, which an invariant TSC does.
        case 0xc001_0015: domain.configuration.hasInvariantTSC ? 1 << 24 : 0
        case 0x2c, 0xc000_0104: 0
        default: Self.isZeroAMD(index) ? 0 : nil
        }
    }

    /// Registers of an AMD processor that read zero and ignore writes.
    private static func isZeroAMD(_ index: UInt32) -> Bool {
        switch index {
        case 0xc001_0000...0xc001_0007, 0xc001_0010, 0xc001_001a, 0xc001_001d, 0xc001_001f, 0xc001_0055, 0xc001_0114,
            0xc001_0117, 0xc001_011f, 0xc001_0200...0xc001_020b, 0xc001_1023, 0xc001_102a, 0xc001_102c:
            true
        default: false
        }
    }

    private func readIntel(_ index: UInt32) -> UInt64? {
        switch index {
        case 0x17: 0
        case 0x3a: 1
        // Fast strings.
        case 0x1a0: 1
        default: nil
        }
    }

    /// True when `msr_relaxed` hides the register's absence; some are refused all the same.
    private func isRelaxed(_ index: UInt32) -> Bool {
        guard domain.configuration.isMSRRelaxed else { return false }
        switch index {
        case 0x17, 0x33, 0x3a, 0x48, 0x49, 0x4e, 0x4f, 0x79, 0xcf, 0x10a, 0x10b, 0x10f, 0x122, 0x123, 0x198, 0x199, 0x19c: return false
        case 0xc001_0020, 0xc001_0140, 0xc001_0141, 0xc001_02f0, 0xc001_02f1, 0xc001_1019...0xc001_101b, 0xc001_1027: return false
        default: return true
        }
    }

    public func writeMSR(_ index: UInt32, _ value: UInt64) -> Bool {
        switch index {
        case MSR.tsc:
            setTSCOffset(value &- domain.host.readTSC())
            return true
        case MSR.tscAdjust:
            let delta = registers.withLock { state -> UInt64 in
                defer { state.tscAdjust = value }
                return value &- state.tscAdjust
            }
            setTSCOffset(tscOffset.load(ordering: .relaxed) &+ delta)
            return true
        case MSR.apicBase: return withLAPIC { $0.setBase(value) }
        case MSR.tscDeadline: return setTSCDeadline(value)
        case MSR.x2apicTPR: return writeTaskPriority(value)
        case MSR.x2apicFirst...MSR.x2apicLast: return writeX2APIC(index, value)
        case XenCPUID.hypercallPageMSR: return writeHypercallPage(value)
        case XenCPUID.hypercallPageMSR + 1...XenCPUID.lastMSR: return false
        case 0x200...0x20f, 0x250, 0x258, 0x259, 0x268...0x26f, 0x2ff:
            return registers.withLock { $0.writeMTRR(index, value, addressBits: GuestMemory.physicalAddressBits) }
        default: return writeOther(index, value)
        }
    }

    func setTSCOffset(_ offset: UInt64) {
        tscOffset.store(offset, ordering: .relaxed)
        updateTime()
    }

    private func setTSCDeadline(_ value: UInt64) -> Bool {
        let now = domain.host.now()
        let tsc = guestTSC
        let wait = value > tsc ? domain.timeBase.scale.nanoseconds(value &- tsc) : 0
        withLAPIC { $0.setTSCDeadline(value, expiry: now &+ wait) }
        perform(.timerChanged)
        return true
    }

    private func writeTaskPriority(_ value: UInt64) -> Bool {
        guard value <= 0xff else { return false }
        withLAPIC { $0.taskPriorityRegister = UInt8(truncatingIfNeeded: value) }
        if interruptIsPending { engine?.requestAttention() }
        return true
    }

    private func writeX2APIC(_ index: UInt32, _ value: UInt64) -> Bool {
        let now = domain.host.now()
        guard let action = withLAPIC({ $0.writeMSR(index, value, now: now) }) else { return false }
        perform(action)
        if interruptIsPending { engine?.requestAttention() }
        return true
    }

    private func writeOther(_ index: UInt32, _ value: UInt64) -> Bool {
        switch index {
        case 0x17a: registers.withLock { $0.machineCheckStatus = value }
        case 0x1d9: registers.withLock { $0.debugControl = value & 0x3 }
        case 0x400...0x407: if index & 3 != 0 { registers.withLock { $0.machineCheckBanks[Int(index & 7)] = value } }
        // Machine-check capability and control are fixed; the corrected-error thresholds do not exist here.
        case 0x179, 0x17b, 0x280...0x29f: break
        case 0x8b: return !isAMD && value == 0
        case 0x140: return value == 0
        case 0, 1, 0xce, 0xfe, 0x1db...0x1de: return false
        case 0xc000_0104, 0xc000_0408...0xc000_040a, 0xc001_1029: return isAMD || isRelaxed(index)
        case 0x1a0: return !isAMD || isRelaxed(index)
        default: return (isAMD && Self.isZeroAMD(index)) || isRelaxed(index)
        }
        return true
    }

    /// Fills the guest's hypercall page and takes over the caller's bitness.
    private func writeHypercallPage(_ value: UInt64) -> Bool {
        guard value & 0xfff == 0 else { return false }
        let page = HypercallPage.bytes(usesVMMCALL: isAMD)
        do { try domain.memory.write(GuestPhysicalAddress(value), bytes: page) } catch { return false }
        if let engine { domain.latchBitness(is64Bit: engine.is64Bit) }
        return true
    }
}

/// The page of call stubs that kernels before 2025 jump into.
enum HypercallPage {
    static func bytes(usesVMMCALL: Bool) -> [UInt8] {
        var page = [UInt8](repeating: 0xcc, count: 4096)
        for slot in 0..<Hypercall.pageSlotCount {
            let at = slot * Hypercall.pageSlotSize
            let stub: [UInt8] =
                slot == Hypercall.iret
                ? [0x0f, 0x0b]
                : [0xb8, UInt8(slot), 0, 0, 0, 0x0f, 0x01, usesVMMCALL ? 0xd9 : 0xc1, 0xc3]
            page.replaceSubrange(at..<at + stub.count, with: stub)
        }
        return page
    }
}
