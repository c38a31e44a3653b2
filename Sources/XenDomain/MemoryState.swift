import GuestMemory
import Synchronization
import XenABI

/// Where the guest has mapped a page of the hypervisor, if anywhere.
struct SpecialPage: Sendable {
    var gfn: GuestFrameNumber?
}

/// What the domain owns of its memory, guarded by `Domain.memoryState`. The p2m itself is in `GuestMemory`.
struct MemoryState: Sendable {
    /// Pages the guest owns, mapped or not; the hypervisor's own pages are not counted.
    var totalPages: Int
    var maximumPages: Int
    /// Frames of the guest's map beyond the pages it owns: they wait for a first touch (`GuestMemory.Demand`) and there are so many
    /// fewer pages than frames. The guest's balloon has to give so many frames back; what it gives back first counts for that.
    var demandPages: Int
    /// The hypervisor's own pages that the guest may map, and where each is mapped now.
    var special: [FrameIndex: SpecialPage]
    let sharedInfo: FrameIndex
    /// Pages that the hypervisor or a backend uses although the guest may unmap them, with the number of users.
    var pins: [FrameIndex: Int] = [:]
    /// Pinned pages that the guest has given up; they are freed with their last pin.
    var abandoned: Set<FrameIndex> = []
    var grants: GrantTable

    init(_ configuration: DomainConfiguration, sharedInfo: FrameIndex, firstGrantFrame: FrameIndex) {
        totalPages = configuration.initialPages
        maximumPages = configuration.maximumPages
        demandPages = configuration.demandPages
        self.sharedInfo = sharedInfo
        special = [sharedInfo: SpecialPage(), firstGrantFrame: SpecialPage()]
        grants = GrantTable(firstFrame: firstGrantFrame, maximumFrames: configuration.maximumGrantFrames)
    }

    mutating func pin(_ frame: FrameIndex) { pins[frame, default: 0] += 1 }

    mutating func unpin(_ frame: FrameIndex, _ memory: GuestMemory) {
        guard let count = pins[frame] else { return }
        pins[frame] = count == 1 ? nil : count - 1
        guard count == 1, abandoned.remove(frame) != nil else { return }
        memory.freeFrame(frame)
    }

    /// Takes away what is mapped at `gfn`; RAM goes back to the pool, pages of the hypervisor stay its own.
    ///
    /// - Throws: `.noEntry` when nothing is mapped there, `.busy` for a mapped grant, which has to be unmapped as one.
    mutating func remove(_ gfn: GuestFrameNumber, _ memory: GuestMemory) throws(XenError) {
        guard grants.mappingHandle(at: gfn) == nil else { throw .busy }
        if memory.cancelDemand(gfn) { return giveUp(memory, stock: 0) }
        guard let frame = memory.unmap(gfn) else { throw .noEntry }
        if special[frame] != nil {
            special[frame] = SpecialPage()
            return
        }
        giveUp(memory, stock: 1)
        if pins[frame] != nil { abandoned.insert(frame) } else { memory.freeFrame(frame) }
    }

    /// Counts a frame less. While there are fewer pages than frames the guest keeps what it owns: a page it gave back goes into the
    /// stock of those that wait. Afterwards it owns a page less.
    private mutating func giveUp(_ memory: GuestMemory, stock: Int) {
        let isOwed = demandPages > 0
        if isOwed { demandPages -= 1 } else { totalPages -= 1 }
        memory.addToStock(isOwed ? stock : stock - 1)
    }

    /// What the guest is to own, before its balloon has brought that about. As in Xen, a higher target counts at once, as far as frames
    /// wait for pages; a lower one is the balloon's work.
    mutating func raiseTarget(to pages: Int, _ memory: GuestMemory) {
        let more = min(pages - totalPages, demandPages)
        guard more > 0 else { return }
        totalPages += more
        demandPages -= more
        memory.addToStock(more)
    }

    /// Gives the guest a zeroed page at `gfn`, in place of whatever was there.
    mutating func populate(_ gfn: GuestFrameNumber, _ memory: GuestMemory) throws(XenError) {
        guard gfn.rawValue < 1 << (GuestMemory.physicalAddressBits - 12) else { throw .invalidArgument }
        if memory.isOccupied(gfn) { try remove(gfn, memory) }
        guard totalPages < maximumPages else { throw .noMemory }
        do {
            try memory.map(gfn, to: memory.allocateFrame())
        } catch { throw .noMemory }
        totalPages += 1
    }

    /// Maps a page of the hypervisor at `gfn`: RAM there is released, and its old place is emptied.
    mutating func mapSpecial(_ frame: FrameIndex, at gfn: GuestFrameNumber, _ memory: GuestMemory) throws(XenError) {
        guard gfn.rawValue < 1 << (GuestMemory.physicalAddressBits - 12) else { throw .invalidArgument }
        if memory.isOccupied(gfn) { try remove(gfn, memory) }
        if let old = special[frame]?.gfn { memory.unmap(old) }
        do { try memory.map(gfn, to: frame) } catch { throw .invalidArgument }
        special[frame] = SpecialPage(gfn: gfn)
    }

    /// Moves the RAM page at `from` to `to` (XENMAPSPACE_gmfn).
    mutating func move(_ from: GuestFrameNumber, to: GuestFrameNumber, _ memory: GuestMemory) throws(XenError) {
        guard to.rawValue < 1 << (GuestMemory.physicalAddressBits - 12), let (frame, isWritable) = memory.lookup(from),
            grants.mappingHandle(at: from) == nil
        else { throw .invalidArgument }
        guard from != to else { return }
        if memory.isOccupied(to) { try remove(to, memory) }
        memory.unmap(from)
        do { try memory.map(to, to: frame, isWritable: isWritable) } catch { throw .invalidArgument }
        if special[frame] != nil { special[frame] = SpecialPage(gfn: to) }
    }
}

extension Domain {
    /// Keeps the writable RAM page at `gfn` in memory until ``unpin(_:)``, whatever the guest does to its map.
    func pin(_ gfn: GuestFrameNumber) throws(XenError) -> FrameIndex {
        try memoryState.withLock { (state) throws(XenError) in
            guard let (frame, isWritable) = memory.lookup(gfn) else { throw .invalidArgument }
            guard isWritable else { throw .accessDenied }
            state.pin(frame)
            return frame
        }
    }

    func unpin(_ frame: FrameIndex) { memoryState.withLock { $0.unpin(frame, memory) } }

    /// Pages the guest owns now.
    public var totalPages: Int { memoryState.withLock { $0.totalPages } }
}
