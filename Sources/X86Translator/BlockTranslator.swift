internal import X86Decoder
internal import X86Interpreter

/// A direct jump to a position of the same page: it leads to a stub until its target is known.
struct Link {
    /// Where the jump's displacement is.
    var site: Int32
    /// Target's position in the page.
    var target: UInt32
    /// Key of the block it belongs to.
    var key: UInt64
    /// Flags are in memory when it is taken, else in RFLAGS.
    var flagsAreSaved: Bool
}

/// Room for one block's rows and what is known about them; made once.
@safe
final class BlockWorkspace {
    static let maximumRows = 64
    let rows: UnsafeMutablePointer<Instruction>
    let plans: UnsafeMutablePointer<Plan>
    /// Flags that somebody may still read, before and after each instruction.
    let liveBefore: UnsafeMutablePointer<UInt8>
    let liveAfter: UnsafeMutablePointer<UInt8>
    let stubs: UnsafeMutablePointer<Stub>

    init() {
        unsafe rows = .allocate(capacity: Self.maximumRows)
        unsafe plans = .allocate(capacity: Self.maximumRows)
        unsafe liveBefore = .allocate(capacity: Self.maximumRows)
        unsafe liveAfter = .allocate(capacity: Self.maximumRows)
        unsafe stubs = .allocate(capacity: Self.maximumRows * 8)
    }

    deinit {
        unsafe rows.deallocate()
        unsafe plans.deallocate()
        unsafe liveBefore.deallocate()
        unsafe liveAfter.deallocate()
        unsafe stubs.deallocate()
    }

    /// Cold code behind a block.
    struct Stub {
        enum Kind {
            /// A TLB miss; `word` is the access.
            case miss
            /// Leaves with exit code `word`.
            case leave
            /// Goes on in another page, `word` bytes from the start of this one.
            case dispatch
            case loadVectors
        }
        var kind: Kind
        /// Displacements of the jumps that lead here; the second may be 0.
        var site: Int
        var secondSite = 0
        var back = 0
        var word: UInt32 = 0
        /// Flags are in RFLAGS and somebody reads them.
        var savesFlags = false
    }
}

/// Translates one block. See decision 0040 for the registers and the rules.
@safe
struct BlockTranslator {
    var a: Assembler
    let common: CommonCode
    let space: BlockWorkspace
    let key: UInt64
    let mode: Int
    let countsInstructions: Bool
    let keepsExactFlags: Bool
    var rowCount = 0
    var stubCount = 0
    /// Where the guest's flags are, as far as anybody reads them.
    var flags = FlagPlace.saved
    /// Number that the first link of this block gets.
    let firstLink: Int
    var links: [Link] = []

    enum FlagPlace {
        /// In RFLAGS.
        case host
        /// In memory; RFLAGS means nothing.
        case saved
        /// In both.
        case both
    }

    init(_ a: Assembler, _ common: CommonCode, _ space: BlockWorkspace, key: UInt64, mode: Int, firstLink: Int, options: TranslatorOptions)
    {
        self.a = a
        self.common = common
        self.space = space
        self.key = key
        self.mode = mode
        self.firstLink = firstLink
        countsInstructions = options.countsInstructions
        keepsExactFlags = options.keepsExactFlags
    }

    /// Bytes of code memory that no block exceeds: rows of some 200 bytes and stubs of some 60.
    static let mostBytes = 48 << 10

    // MARK: - decoding

    /// Decodes from `position` until a branch, the page's end, or what has no plan.
    ///
    /// - Returns: bytes that were looked at; no rows when the first instruction has no plan.
    mutating func decode(_ page: UnsafeRawPointer, _ position: Int, _ features: HostFeatures, allowsSSE: Bool) -> Int {
        var at = position
        rowCount = 0
        while rowCount < BlockWorkspace.maximumRows && at < 4096 {
            let bytes = unsafe UnsafeRawBufferPointer(start: page + at, count: min(15, 4096 &- at))
            let result = unsafe Decoder.decode(bytes, codeSize: .bits64, offsetInBlock: at)
            guard result.status == .complete else { break }
            let row = result.instruction
            guard let plan = Plan.plan(row, features, allowsSSE: allowsSSE, isKernel: mode != 1) else {
                // What has no plan was looked at too: a change of it changes where this block ends.
                at &+= Int(truncatingIfNeeded: row.length)
                break
            }
            unsafe (space.rows + rowCount).initialize(to: row)
            unsafe (space.plans + rowCount).initialize(to: plan)
            rowCount &+= 1
            at &+= Int(truncatingIfNeeded: row.length)
            if plan.endsBlock { return at &- position }
        }
        // STI needs an instruction behind it before anybody looks at interrupts.
        if (at >= 4096 || rowCount == BlockWorkspace.maximumRows) && rowCount > 0
            && (unsafe space.plans[rowCount &- 1].shape) == .openInterrupts
        {
            rowCount &-= 1
        }
        return min(at, 4096) &- position
    }

    private func findLiveFlags() {
        var live = FlagSet.all
        for index in (0..<rowCount).reversed() {
            let effect = unsafe space.plans[index].flags
            unsafe space.liveAfter[index] = live
            live = effect.reads | live & ~effect.kills
            // A handler sees the flags of an instruction that faults.
            if keepsExactFlags && (unsafe space.plans[index].mayFault(space.rows[index])) { live = FlagSet.all }
            unsafe space.liveBefore[index] = live
        }
        // So does the handler of an interrupt before the block.
        if keepsExactFlags { unsafe space.liveBefore[0] = FlagSet.all }
    }

    // MARK: - the block as a whole

    /// Emits the rows that were decoded.
    mutating func translate(_ position: Int) -> Translation {
        findLiveFlags()
        let hostEntry = a.position
        let isLive = unsafe space.liveBefore[0] != 0
        flags = isLive ? .host : .saved
        if isLive { saveFlags() }
        let entry = a.position
        emitHead(position)
        flags = .saved
        for index in 0..<rowCount { emit(index) }
        let last = unsafe space.rows[rowCount &- 1]
        if unsafe !space.plans[rowCount &- 1].endsBlock {
            emitFallThrough(Int(truncatingIfNeeded: last.offset) &+ Int(truncatingIfNeeded: last.length))
        }
        let leave = emitStubs()
        return Translation(
            key: key, hostEntry: Int32(truncatingIfNeeded: hostEntry), entry: Int32(truncatingIfNeeded: entry),
            leave: Int32(truncatingIfNeeded: leave))
    }

    /// Looks at what waits, makes vector registers live, counts.
    private mutating func emitHead(_ position: Int) {
        a.emitState(.one(0x83, is64: false), 7, StateLayout.attention)
        a.byte(0)
        addStub(.init(kind: .leave, site: a.jump(5), word: ExitCode.resume | UInt32(truncatingIfNeeded: position)))
        var usesVectors = false
        for index in 0..<rowCount where unsafe space.plans[index].usesVectors { usesVectors = true }
        if usesVectors {
            a.emitState(.one(0x83, is64: false), 7, Layout.vectorsAreLive)
            a.byte(0)
            let site = a.jump(4)
            addStub(.init(kind: .loadVectors, site: site, back: a.position))
        }
        if countsInstructions {
            a.emitState(.one(0x83), 0, StateLayout.instructionCount)
            a.byte(UInt8(truncatingIfNeeded: rowCount))
        }
    }

    /// Goes on behind the last row: at the page's end in the next page, else where decoding stopped.
    private mutating func emitFallThrough(_ position: Int) {
        if position >= 4096 {
            saveFlagsIfOnlyInHost()
            dispatch(toPageOffset: Int32(truncatingIfNeeded: position))
        } else if rowCount == BlockWorkspace.maximumRows {
            link(a.jump(nil), position)
        } else {
            saveFlagsIfOnlyInHost()
            a.loadImmediate32(.r10, ExitCode.interpret | UInt32(truncatingIfNeeded: position))
            a.jump(to: common.exit)
        }
    }

    // MARK: - stubs

    mutating func addStub(_ stub: BlockWorkspace.Stub) {
        unsafe (space.stubs + stubCount).initialize(to: stub)
        stubCount &+= 1
    }

    /// - Returns: where the first stub is, which leaves at the block's start.
    private mutating func emitStubs() -> Int {
        let first = a.position
        for index in 0..<stubCount {
            let stub = unsafe space.stubs[index]
            a.patch(stub.site, to: a.position)
            if stub.secondSite != 0 { a.patch(stub.secondSite, to: a.position) }
            if stub.savesFlags { emitSaveFlags() }
            switch stub.kind {
            case .miss:
                a.loadImmediate32(.r11, stub.word)
                a.call(common.miss)
                a.jump(to: stub.back)
            case .leave:
                a.loadImmediate32(.r10, stub.word)
                a.jump(to: common.exit)
            case .dispatch: dispatch(toPageOffset: Int32(bitPattern: stub.word))
            case .loadVectors:
                a.call(common.loadVectors)
                a.jump(to: stub.back)
            }
        }
        return first
    }

    // MARK: - flags

    /// The guest's flags from RFLAGS into memory, by way of AX. R11 is free.
    private mutating func emitSaveFlags() {
        a.move(.r11, .rax)
        a.byte(0x9f)
        a.bytes(0x0f, 0x90, 0xc0)
        a.emitState(Assembler.Opcode(code: 0x89, is16: true), 0, Layout.flags)
        a.move(.rax, .r11)
    }

    mutating func saveFlags() {
        emitSaveFlags()
        flags = .both
    }

    mutating func saveFlagsIfOnlyInHost() {
        if flags == .host { saveFlags() }
    }

    /// To be called before flags are destroyed on the way into an instruction.
    @inline(__always)
    mutating func destroyFlags(_ index: Int) {
        if flags == .host && (unsafe space.liveBefore[index]) != 0 { emitSaveFlags() }
        flags = .saved
    }

    /// To be called right before an instruction that reads flags, or changes some and leaves others. R13 is free.
    @inline(__always)
    mutating func provideFlags(_ index: Int) {
        guard flags == .saved else { return }
        let effect = unsafe space.plans[index].flags
        guard effect.reads != 0 || (effect.writes && (unsafe space.liveAfter[index]) & ~effect.kills != 0) else { return }
        restoreFlags()
    }

    /// OF comes from an addition of 7F, the others by SAHF.
    mutating func restoreFlags() {
        a.move(.r13, .rax)
        a.emitState(.two(0xb7, is64: false), 0, Layout.flags)
        a.bytes(0x04, 0x7f, 0x9e)
        a.move(.rax, .r13)
        flags = .both
    }

    /// To be called behind an instruction.
    @inline(__always)
    mutating func noteFlagWrites(_ index: Int) {
        if unsafe space.plans[index].flags.writes { flags = .host }
    }
}
