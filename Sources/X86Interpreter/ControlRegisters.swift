internal import GuestMemory
internal import VirtualCPU
internal import X86
internal import X86Decoder

/// Control registers, INVLPG, INVPCID and XCR0 (SDM vol. 3A, 2.5 and 4.10).
extension Core {
    private static let reservedAddress: UInt64 = ~((1 << UInt64(GuestMemory.physicalAddressBits)) - 1)
    private static let cr0Bits: UInt64 =
        CR0.protection | CR0.monitorCoprocessor | CR0.emulation | CR0.taskSwitched
        | CR0.extensionType | CR0.numericError | CR0.writeProtect | CR0.alignmentMask | CR0.notWriteThrough
        | CR0.cacheDisable | CR0.paging
    private static let cr4Bits: UInt64 =
        CR4.virtual8086Extensions | CR4.protectedVirtualInterrupts | CR4.timeStampDisable
        | CR4.debuggingExtensions | CR4.pageSizeExtensions | CR4.physicalAddressExtension | CR4.machineCheck
        | CR4.pageGlobal | CR4.performanceCounter | CR4.osFXSR | CR4.osXMMExceptions | CR4.userModeInstructionPrevention
        | CR4.fsgsbase | CR4.pcid | CR4.osXSAVE | CR4.smep | CR4.smap
    /// Changes of these bits of CR4 change what translations mean.
    private static let pagingBits: UInt64 =
        CR4.pageSizeExtensions | CR4.physicalAddressExtension | CR4.pageGlobal | CR4.pcid
        | CR4.smep | CR4.smap

    // MARK: - MOV

    /// 0F 20
    func moveFromControl(_ i: InstructionRef) throws(GuestFault) {
        try requireKernel()
        let value: UInt64
        switch i.reg {
        case 0: value = s.cr0
        case 2: value = s.cr2
        case 3: value = s.cr3
        case 4: value = s.cr4
        case 8: value = (shared.environment.readMSR(MSR.x2apicTPR) ?? 0) &>> 4 & 15
        default: throw .invalidOpcode
        }
        setFile(i.rmIndex, i.codeSize == .bits64 ? value : value & 0xffff_ffff)
    }

    /// 0F 22
    func moveToControl(_ i: InstructionRef) throws(GuestFault) {
        try requireKernel()
        let value = i.codeSize == .bits64 ? file(i.rmIndex) : file(i.rmIndex) & 0xffff_ffff
        switch i.reg {
        case 0: try setCR0(value)
        case 2: s.cr2 = value
        case 3: try setCR3(value)
        case 4: try setCR4(value)
        case 8:
            guard value < 16, shared.environment.writeMSR(MSR.x2apicTPR, value &<< 4) else { throw .generalProtection() }
            attendSoon()
        default: throw .invalidOpcode
        }
    }

    /// - Throws: #GP(0) for combinations that are not allowed; nothing has changed then.
    func setCR0(_ wanted: UInt64) throws(GuestFault) {
        guard wanted &>> 32 == 0 else { throw .generalProtection() }
        let value = wanted & Core.cr0Bits | CR0.extensionType
        let changed = value ^ s.cr0
        let isPaging = value & CR0.paging != 0
        if isPaging && value & CR0.protection == 0 { throw .generalProtection() }
        if value & CR0.notWriteThrough != 0 && value & CR0.cacheDisable == 0 { throw .generalProtection() }
        var efer = s.efer
        if changed & CR0.paging != 0 {
            try checkPagingChange(isPaging)
            if isPaging && efer & EFER.longModeEnable != 0 { efer |= EFER.longModeActive } else { efer &= ~EFER.longModeActive }
        }
        if isPaging && s.cr4 & CR4.physicalAddressExtension != 0 && efer & EFER.longModeActive == 0
            && changed & (CR0.paging | CR0.cacheDisable | CR0.notWriteThrough) != 0
        {
            try loadDirectoryPointers(s.cr3)
        }
        s.cr0 = value
        s.efer = efer
        guard changed & (CR0.paging | CR0.writeProtect | CR0.protection | CR0.alignmentMask) != 0 else { return }
        updateCodeSize()
        if changed & (CR0.paging | CR0.writeProtect | CR0.protection) != 0 { flushTLB() }
    }

    private func checkPagingChange(_ isPaging: Bool) throws(GuestFault) {
        guard isPaging else {
            if s.codeSize == .bits64 || s.cr4 & CR4.pcid != 0 { throw .generalProtection() }
            return
        }
        guard s.efer & EFER.longModeEnable != 0 else { return }
        let is16BitTask = segment(Core.tr).type & 8 == 0
        if s.cr4 & CR4.physicalAddressExtension == 0 || segment(1).isLong || is16BitTask { throw .generalProtection() }
    }

    func setCR3(_ wanted: UInt64) throws(GuestFault) {
        var value = wanted
        let hasIdentifiers = isLongMode && s.cr4 & CR4.pcid != 0
        if isLongMode {
            if hasIdentifiers { value &= ~(1 &<< 63) }
            guard value & Core.reservedAddress == 0 else { throw .generalProtection() }
        } else if s.cr0 & CR0.paging != 0 && s.cr4 & CR4.physicalAddressExtension != 0 {
            try loadDirectoryPointers(value)
        }
        if hasIdentifiers {
            switchSpace(to: UInt16(truncatingIfNeeded: value & 0xfff), keeps: wanted &>> 63 != 0)
        } else {
            flushLocalTLB()
        }
        s.cr3 = value
    }

    func setCR4(_ value: UInt64) throws(GuestFault) {
        guard value & ~Core.cr4Bits == 0 else { throw .generalProtection() }
        let changed = value ^ s.cr4
        if isLongMode && value & CR4.physicalAddressExtension == 0 { throw .generalProtection() }
        if changed & value & CR4.pcid != 0 && (!isLongMode || s.cr3 & 0xfff != 0) { throw .generalProtection() }
        let old = s.cr4
        s.cr4 = value
        let usesPAE = s.cr0 & CR0.paging != 0 && value & CR4.physicalAddressExtension != 0 && !isLongMode
        if usesPAE && changed & Core.pagingBits != 0 {
            do throws(GuestFault) {
                try loadDirectoryPointers(s.cr3)
            } catch {
                s.cr4 = old
                throw error
            }
        }
        if changed & Core.pagingBits != 0 { flushTLB() }
        if changed & CR4.debuggingExtensions != 0 { sortBreakpoints() }
    }

    /// PAE paging: reads the four entries that CR3 names.
    ///
    /// - Throws: #GP(0) for reserved bits in a present one; none is loaded then.
    private func loadDirectoryPointers(_ cr3: UInt64) throws(GuestFault) {
        var entries: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        entries.0 = readPhysical(cr3 & 0xffff_ffe0)
        entries.1 = readPhysical(cr3 & 0xffff_ffe0 &+ 8)
        entries.2 = readPhysical(cr3 & 0xffff_ffe0 &+ 16)
        entries.3 = readPhysical(cr3 & 0xffff_ffe0 &+ 24)
        let reserved = Core.reservedAddress | 0x1e6
        for entry in [entries.0, entries.1, entries.2, entries.3] where entry & 1 != 0 && entry & reserved != 0 {
            throw .generalProtection()
        }
        (s.pdpte0, s.pdpte1, s.pdpte2, s.pdpte3) = entries
    }

    private func readPhysical(_ physical: UInt64) -> UInt64 {
        var value = UInt64.max
        let address = GuestPhysicalAddress(physical)
        guard let (frame, _) = shared.memory.lookup(address.frame) else { return value }
        value = unsafe (shared.memory.unsafePointer(frame) + address.pageOffset).load(as: UInt64.self)
        return value
    }

    // MARK: - CLTS, LMSW, SMSW

    func clearTaskSwitched() throws(GuestFault) {
        try requireKernel()
        s.cr0 &= ~CR0.taskSwitched
    }

    func loadMachineStatus(_ i: InstructionRef) throws(GuestFault) {
        try requireKernel()
        let word = UInt64(try loadRM(i, as: UInt16.self)) & 0xf
        // PE can be set by LMSW but not cleared.
        try setCR0(s.cr0 & ~0xe | word)
    }

    func storeMachineStatus(_ i: InstructionRef) throws(GuestFault) {
        try checkPrevention()
        if i.isMemory { return try storeOperand(i, UInt16(truncatingIfNeeded: s.cr0)) }
        if i.operandSize == 2 { return setRegister(i.rmIndex, UInt16(truncatingIfNeeded: s.cr0)) }
        setFile(i.rmIndex, s.cr0)
    }

    // MARK: - translations

    func invalidatePage(_ i: InstructionRef) throws(GuestFault) {
        try requireKernel()
        let address = linear(i)
        if s.codeSize != .bits64 || Core.isCanonical(address) { flushTLB(page: address) }
    }

    /// 66 0F 38 82: INVPCID
    func invalidateContext(_ i: InstructionRef) throws(GuestFault) {
        try requireKernel()
        guard !isVirtual8086 else { throw .generalProtection() }
        let type = i.codeSize == .bits64 ? file(i.regIndex) : file(i.regIndex) & 0xffff_ffff
        try checkOperand(i, byteCount: 16, isWrite: false)
        let at = linear(i)
        let context = try load(at, i.segment, as: UInt64.self)
        let address = try load(wrapOperand(at &+ 8), i.segment, as: UInt64.self)
        guard type <= 3 else { throw .generalProtection() }
        if type < 2 {
            guard context &>> 12 == 0, s.cr4 & CR4.pcid != 0 || context == 0 else { throw .generalProtection() }
            guard type == 1 || Core.isCanonical(address) else { throw .generalProtection() }
        }
        switch type {
        case 0: flushSpace(UInt16(truncatingIfNeeded: context), page: address)
        case 1: flushSpace(UInt16(truncatingIfNeeded: context), page: nil)
        case 2: flushTLB()
        default:
            shared.spaces.dropAll()
            flushLocalTLB()
        }
    }

    // MARK: - XCR0

    func executeGetExtended() throws(GuestFault) {
        guard s.cr4 & CR4.osXSAVE != 0 else { throw .invalidOpcode }
        let value: UInt64
        switch register(1, as: UInt32.self) {
        case 0: value = s.xcr0
        case 1 where shared.environment.cpuid(leaf: 0xd, subleaf: 1).eax & 4 != 0: value = s.xcr0
        default: throw .generalProtection()
        }
        rax = value & 0xffff_ffff
        rdx = value &>> 32
    }

    func executeSetExtended() throws(GuestFault) {
        guard s.cr4 & CR4.osXSAVE != 0 else { throw .invalidOpcode }
        try requireKernel()
        let value = rax & 0xffff_ffff | rdx &<< 32
        // x87 has to be there; SSE may; nothing else is implemented.
        guard register(1, as: UInt32.self) == 0, value & 1 != 0, value & ~3 == 0 else { throw .generalProtection() }
        s.xcr0 = value
    }
}
