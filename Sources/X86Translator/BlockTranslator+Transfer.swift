internal import X86Decoder
internal import X86Interpreter

/// What ends a block. Jumps inside of a page are linked; all others go through the jump cache.
extension BlockTranslator {
    mutating func emitTransfer(_ index: Int, _ row: Instruction, _ plan: Plan) {
        let next = Int(truncatingIfNeeded: row.offset) &+ Int(truncatingIfNeeded: row.length)
        let target = next &+ Int(truncatingIfNeeded: row.immediate)
        switch plan.shape {
        case .branch:
            provideFlags(index)
            branch(a.jump(UInt8(truncatingIfNeeded: row.opcode) & 15), target)
            go(next)
        case .loop: emitLoop(row, next, target)
        case .jump: go(target)
        case .call:
            emitPush(index) { $0.returnAddress(next) }
            go(target)
        case .jumpIndirect:
            loadTarget(index, row, .address)
            dispatch()
        case .callIndirect:
            loadTarget(index, row, .scratch)
            a.storeState(Layout.temporary, .scratch)
            emitPush(index) { $0.returnAddress(next) }
            a.loadState(.address, Layout.temporary)
            dispatch()
        default: emitReturn(index, row, plan)
        }
    }

    /// LOOP and JRCXZ; neither touches flags.
    private mutating func emitLoop(_ row: Instruction, _ next: Int, _ target: Int) {
        let isLoop = row.opcode == 0xe2
        if isLoop { a.add(.rcx, .rcx, -1) }
        a.bytes(0xe3, 5)  // JRCXZ over the next jump
        let away = a.jump(nil)
        branch(away, isLoop ? target : next)
        go(isLoop ? next : target)
    }

    private mutating func returnAddress(_ next: Int) -> HostRegister {
        a.loadState(.scratch, Layout.ripPage)
        a.add(.scratch, .scratch, Int32(truncatingIfNeeded: next))
        return .scratch
    }

    /// The operand of an indirect transfer. Flags are in memory afterwards.
    private mutating func loadTarget(_ index: Int, _ row: Instruction, _ register: HostRegister) {
        if row.flags.contains(.memory) {
            probeOperand(index, isWrite: false)
            a.emitGuestMemory(.one(0x8b), register.number)
        } else {
            destroyFlags(index)
            a.move(register, read(row.rm, register))
        }
    }

    private mutating func emitReturn(_ index: Int, _ row: Instruction, _ plan: Plan) {
        probePop(index)
        a.emitGuestMemory(.one(0x8b), HostRegister.address.number)
        let released = plan.shape == .retImmediate ? Int32(truncatingIfNeeded: row.immediate & 0xffff) : 0
        a.add(.guestRSP, .guestRSP, 8 &+ released)
        dispatch()
    }

    // MARK: - ways on

    /// Makes the jump whose displacement is at `site` lead to a position.
    mutating func branch(_ site: Int, _ target: Int) {
        if isInPage(target) { return link(site, target) }
        addStub(.init(kind: .dispatch, site: site, word: UInt32(bitPattern: Int32(truncatingIfNeeded: target)), savesFlags: flags == .host))
    }

    private mutating func go(_ target: Int) {
        if isInPage(target) { return link(a.jump(nil), target) }
        saveFlagsIfOnlyInHost()
        dispatch(toPageOffset: Int32(truncatingIfNeeded: target))
    }

    private func isInPage(_ target: Int) -> Bool { target >= 0 && target < 4096 }

    mutating func link(_ site: Int, _ target: Int) {
        let number = firstLink &+ links.count
        links.append(
            Link(
                site: Int32(truncatingIfNeeded: site), target: UInt32(truncatingIfNeeded: target), key: key, flagsAreSaved: flags != .host))
        addStub(.init(kind: .leave, site: site, word: ExitCode.link | UInt32(truncatingIfNeeded: number), savesFlags: flags == .host))
    }

    /// Goes on `offset` bytes from the start of this page. Flags are in memory.
    mutating func dispatch(toPageOffset offset: Int32) {
        a.loadState(.address, Layout.ripPage)
        a.add(.address, .address, offset)
        dispatch()
    }

    /// Goes on at the instruction pointer in R10, by the jump cache. Flags are in memory.
    mutating func dispatch() {
        a.emit(.one(0x69, is64: false), HostRegister.r11.number, .r10)
        a.long(Int32(bitPattern: Layout.jumpCacheMultiplier))
        a.emit(.one(0xc1, is64: false), 5, .r11)
        a.byte(20)
        a.emitState(.one(0x3b), HostRegister.r10.number, index: .r11, scale: 3, Layout.jumpCacheRIPs(mode))
        a.jump(5, to: common.exitAnywhere)
        a.arithmetic(4, .r10, -4096)
        a.storeState(Layout.ripPage, .r10)
        a.emitState(.one(0xff, is64: false), 4, index: .r11, scale: 3, Layout.jumpCacheEntries(mode))
    }
}
