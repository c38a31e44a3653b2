internal import GuestMemory
internal import X86

/// What a vCPU remembers of address spaces that are not current, by their process-context identifier (SDM vol. 3A, 4.10.1), and
/// from which pages of the current one it has fetched.
///
/// Only entries that are not global are kept here; the others stay in the TLB whichever address space is current.
struct AddressSpaces {
    /// An entry of the TLB that is put aside.
    struct Entry {
        var index: UInt16
        var entry: TLBEntry
    }

    /// An address space that was left.
    struct Saved {
        var identifier: UInt16
        /// That of its jump-cache entries.
        var generation: UInt32
        var fetched: FetchedPages
        var entries: [Entry]
        /// When it was left: the oldest gives way.
        var age: UInt64
    }

    /// As many as a busy system switches between; Linux uses six identifiers.
    static let count = 8
    /// What has more entries loses some.
    static let maximumEntryCount = 512

    private var saved: [Saved] = []
    private var clock: UInt64 = 0
    private var lastGeneration: UInt32 = 1
    /// Storage of entries for the next address space that is left.
    private var spare: [[Entry]] = []
    /// Of the current address space.
    var fetched = FetchedPages()

    /// A generation that no jump-cache entry has.
    mutating func nextGeneration() -> UInt32 {
        lastGeneration &+= 1
        return lastGeneration
    }

    /// Storage to fill for ``leave(_:generation:entries:)``, empty.
    mutating func storage() -> [Entry] { spare.popLast() ?? [] }

    /// Keeps the current address space under an identifier.
    mutating func leave(_ identifier: UInt16, generation: UInt32, entries: [Entry]) {
        drop(identifier)
        if saved.count >= Self.count, let oldest = saved.indices.min(by: { saved[$0].age < saved[$1].age }) { remove(at: oldest) }
        clock &+= 1
        saved.append(Saved(identifier: identifier, generation: generation, fetched: fetched, entries: entries, age: clock))
        fetched = FetchedPages()
    }

    /// Takes out what is kept under an identifier.
    mutating func enter(_ identifier: UInt16) -> Saved? {
        guard let index = saved.firstIndex(where: { $0.identifier == identifier }) else { return nil }
        return saved.remove(at: index)
    }

    /// Gives back the storage of what ``enter(_:)`` took out.
    mutating func recycle(_ entries: consuming [Entry]) {
        guard spare.count < 2 else { return }
        entries.removeAll(keepingCapacity: true)
        spare.append(entries)
    }

    /// Forgets one address space.
    mutating func drop(_ identifier: UInt16) {
        if let index = saved.firstIndex(where: { $0.identifier == identifier }) { remove(at: index) }
    }

    /// Forgets all that are not current.
    mutating func dropAll() {
        while !saved.isEmpty { remove(at: saved.count - 1) }
    }

    private mutating func remove(at index: Int) {
        recycle(saved.remove(at: index).entries)
    }

    /// Makes the jump-cache entries of all that are not current void.
    mutating func renewGenerations() {
        for index in saved.indices { saved[index].generation = nextGeneration() }
    }

    /// Makes stores to the page at a host address take the slow path in every address space.
    mutating func dropWriteEntries(of host: Int) {
        for space in saved.indices {
            for index in saved[space].entries.indices {
                let entry = saved[space].entries[index].entry
                guard Int(truncatingIfNeeded: entry.writeTag) &+ entry.addend == host else { continue }
                let slot = Int(saved[space].entries[index].index) & (TLBEntry.count - 1)
                saved[space].entries[index].entry.writeTag = TLBEntry.invalidTag(slot: slot)
            }
        }
    }
}

/// The pages of an address space's lower half that instructions came from, some others with them: a set that may say yes for no.
struct FetchedPages {
    private var words = InlineArray<64, UInt64>(repeating: 0)
    /// A global page was among them: its translations outlive the address space.
    var hasGlobal = false

    mutating func insert(_ address: UInt64) {
        let bit = Self.bit(address)
        words[bit &>> 6] |= 1 &<< UInt64(truncatingIfNeeded: bit & 63)
    }

    /// False only when nothing was fetched from the page. All of the upper half counts as fetched.
    func contains(_ address: UInt64) -> Bool {
        let bit = Self.bit(address)
        return hasGlobal || address &>> 63 != 0 || (words[bit &>> 6] &>> UInt64(truncatingIfNeeded: bit & 63)) & 1 != 0
    }

    private static func bit(_ address: UInt64) -> Int { Int(truncatingIfNeeded: (address &>> 12 ^ address &>> 24) & 4095) }
}

extension Core {
    /// Notes that instructions come from a page, so that INVLPG of it makes what was found through it void.
    @inline(__always)
    func noteFetch(_ address: UInt64, isGlobal: Bool) {
        guard address &>> 63 == 0 else { return }
        shared.spaces.fetched.insert(address)
        if isGlobal { shared.spaces.fetched.hasGlobal = true }
    }

    /// Identifier of the current address space.
    var currentIdentifier: UInt16 { s.cr4 & CR4.pcid != 0 ? UInt16(truncatingIfNeeded: s.cr3 & 0xfff) : 0 }

    /// MOV to CR3 with identifiers on: what was known of the new address space counts again where the guest says so.
    ///
    /// - Parameter keeps: bit 63 of what was written.
    func switchSpace(to identifier: UInt16, keeps: Bool) {
        if identifier == currentIdentifier {
            if !keeps { flushLocalTLB() }
            return
        }
        var left = shared.spaces.storage()
        takeLocalEntries(&left)
        let hasGlobal = shared.spaces.fetched.hasGlobal
        shared.spaces.leave(currentIdentifier, generation: s.localGeneration, entries: left)
        if keeps, let space = shared.spaces.enter(identifier) {
            s.localGeneration = space.generation
            shared.spaces.fetched = space.fetched
            for saved in space.entries { putLocalEntry(saved) }
            shared.spaces.recycle(space.entries)
        } else {
            shared.spaces.drop(identifier)
            s.localGeneration = shared.spaces.nextGeneration()
        }
        if hasGlobal { shared.spaces.fetched.hasGlobal = true }
        updateMode()
    }

    /// Moves the entries that are not global out of the TLB.
    private func takeLocalEntries(_ taken: inout [AddressSpaces.Entry]) {
        for word in 0..<TLBEntry.count * (TLBMode.count - 1) / 64 {
            var bits = unsafe shared.localSlots[word]
            while bits != 0 {
                let index = word &* 64 &+ bits.trailingZeroBitCount
                if taken.count < AddressSpaces.maximumEntryCount {
                    taken.append(AddressSpaces.Entry(index: UInt16(truncatingIfNeeded: index), entry: unsafe shared.tlbBase[index]))
                }
                clearEntry(index)
                bits &= bits &- 1
            }
            unsafe shared.localSlots[word] = 0
        }
    }

    /// Puts one back, unless a global page has taken its place.
    private func putLocalEntry(_ saved: AddressSpaces.Entry) {
        let index = Int(saved.index)
        guard !isGlobalEntry(index) else { return }
        unsafe shared.tlbBase[index] = saved.entry
        useEntry(index, isGlobal: false)
    }

    /// INVPCID of one address, or of all that is not global, in an address space that need not be the current one.
    func flushSpace(_ identifier: UInt16, page address: UInt64?) {
        guard identifier == currentIdentifier else { return shared.spaces.drop(identifier) }
        if let address { flushTLB(page: address) } else { flushLocalTLB() }
    }
}
