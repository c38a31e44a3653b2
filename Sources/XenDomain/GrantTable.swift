public import GuestMemory
import Synchronization
public import XenABI

/// The guest's grant table, version 1: its frames, the entries in use and the mappings made of them. Part of `MemoryState`.
struct GrantTable: Sendable {
    struct Mapping: Sendable {
        var reference: UInt32
        var frame: FrameIndex
        var isReadOnly: Bool
        /// Where the guest mapped its own grant.
        var gfn: GuestFrameNumber
    }

    /// Users of an entry, which keep its reading and writing flags set.
    struct Users: Sendable {
        var readers = 0
        var writers = 0
    }

    private(set) var frames: [FrameIndex]
    let maximumFrames: Int
    private var active: [UInt32: Users] = [:]
    private var mappings: [Mapping?] = []
    private var freeHandles: [Int] = []
    private var handles: [GuestFrameNumber: Int] = [:]
    /// Mappings a domain may hold at once.
    static let maximumMappings = 1024 * 512

    init(firstFrame: FrameIndex, maximumFrames: Int) {
        frames = [firstFrame]
        self.maximumFrames = maximumFrames
    }

    /// Makes the table at least `count` frames long.
    ///
    /// - Returns: The frames that were added.
    /// - Throws: `.invalidArgument` beyond the limit, `.noMemory` when the pool is empty; frames added before stay.
    mutating func grow(to count: Int, _ memory: GuestMemory) throws(XenError) -> [FrameIndex] {
        guard count <= maximumFrames else { throw .invalidArgument }
        var added: [FrameIndex] = []
        while frames.count < count {
            do {
                let frame = try memory.allocateFrame()
                frames.append(frame)
                added.append(frame)
            } catch { throw .noMemory }
        }
        return added
    }

    /// The entry of a reference; nil beyond the table.
    func entry(_ reference: UInt32, _ memory: GuestMemory) -> SharedPlace? {
        let page = Int(reference) / GrantEntry.perPage
        guard page < frames.count else { return nil }
        return SharedPlace(memory, frames[page], offset: Int(reference) % GrantEntry.perPage * GrantEntry.size)
    }

    /// Marks an entry as used by `domain` and returns the frame it grants.
    mutating func acquire(
        _ reference: UInt32, by domain: UInt16, readOnly: Bool, _ memory: GuestMemory
    ) throws(GrantStatus)
        -> GuestFrameNumber
    {
        guard let entry = entry(reference, memory) else { throw .badReference }
        var word = entry.load32(0)
        // The guest may change the entry while it is read; a few attempts are enough for one that behaves.
        for _ in 0..<5 {
            let flags = UInt16(truncatingIfNeeded: word)
            guard flags & GrantEntry.typeMask == GrantEntry.permitAccess, UInt16(truncatingIfNeeded: word &>> 16) == domain else {
                throw .badReference
            }
            guard readOnly || flags & GrantEntry.readOnly == 0 else { throw .badReference }
            let mark = GrantEntry.reading | (readOnly ? 0 : GrantEntry.writing)
            guard let found = entry.replace32(0, word, with: word | UInt32(mark)) else {
                let frame = GuestFrameNumber(UInt64(entry.load32(4)))
                if readOnly { active[reference, default: Users()].readers += 1 } else { active[reference, default: Users()].writers += 1 }
                return frame
            }
            word = found
        }
        throw .generalError
    }

    /// Ends one use of an entry and clears the flags nobody needs any more.
    mutating func release(_ reference: UInt32, readOnly: Bool, _ memory: GuestMemory) {
        guard var users = active[reference], let entry = entry(reference, memory) else { return }
        if readOnly { users.readers -= 1 } else { users.writers -= 1 }
        if users.writers == 0 { _ = entry.and32(0, ~UInt32(GrantEntry.writing)) }
        if users.writers == 0, users.readers == 0 {
            active[reference] = nil
            _ = entry.and32(0, ~UInt32(GrantEntry.reading))
        } else {
            active[reference] = users
        }
    }

    func isActive(_ reference: UInt32) -> Bool { active[reference] != nil }
    /// Entries in use, by reference.
    var activeEntries: [(reference: UInt32, users: Users)] { active.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
    var mappingCount: Int { handles.count }
    /// One beyond the highest handle there may be a mapping for.
    var mappingCapacity: Int { mappings.count }

    // MARK: - mappings of the guest itself

    func mappingHandle(at gfn: GuestFrameNumber) -> Int? { handles[gfn] }

    mutating func addMapping(_ mapping: Mapping) throws(GrantStatus) -> UInt32 {
        let handle = freeHandles.popLast() ?? mappings.count
        guard handle < Self.maximumMappings else { throw .noSpace }
        if handle == mappings.count { mappings.append(mapping) } else { mappings[handle] = mapping }
        handles[mapping.gfn] = handle
        return UInt32(handle)
    }

    func mapping(_ handle: UInt32) -> Mapping? { Int(handle) < mappings.count ? mappings[Int(handle)] : nil }

    mutating func removeMapping(_ handle: UInt32) {
        guard let mapping = mapping(handle) else { return }
        handles[mapping.gfn] = nil
        mappings[Int(handle)] = nil
        freeHandles.append(Int(handle))
    }
}

extension Domain {
    /// Fills the entries of the console's and the store's pages, so that the control domain may use them from the start.
    func fillReservedGrants() {
        let pages = [(GrantEntry.consoleReference, configuration.consoleFrame), (GrantEntry.storeReference, configuration.storeFrame)]
        memoryState.withLock { state in
            for (reference, frame) in pages {
                guard let frame, let entry = state.grants.entry(reference, memory) else { continue }
                entry.store32(4, UInt32(truncatingIfNeeded: frame))
                entry.store32(0, UInt32(DomainID.control) << 16 | UInt32(GrantEntry.permitAccess))
            }
        }
    }

    /// Takes a grant of this guest into use for a backend in the control domain; the page stays in memory until
    /// ``releaseGrant(_:frame:readOnly:)``.
    ///
    /// - Throws: ``GrantStatus``; the entry is unchanged then.
    /// - Complexity: O(1). Safe from any thread.
    public func acquireGrant(_ reference: UInt32, readOnly: Bool) throws(GrantStatus) -> FrameIndex {
        try acquireGrant(reference, by: DomainID.control, readOnly: readOnly)
    }

    /// Ends one use of a grant.
    public func releaseGrant(_ reference: UInt32, frame: FrameIndex, readOnly: Bool) {
        memoryState.withLock { state in
            state.grants.release(reference, readOnly: readOnly, memory)
            state.unpin(frame, memory)
        }
    }

    func acquireGrant(_ reference: UInt32, by domain: UInt16, readOnly: Bool) throws(GrantStatus) -> FrameIndex {
        try memoryState.withLock { (state) throws(GrantStatus) in
            let gfn = try state.grants.acquire(reference, by: domain, readOnly: readOnly, memory)
            guard let (frame, isWritable) = memory.lookup(gfn), isWritable || readOnly else {
                state.grants.release(reference, readOnly: readOnly, memory)
                throw .badPage
            }
            state.pin(frame)
            return frame
        }
    }
}
