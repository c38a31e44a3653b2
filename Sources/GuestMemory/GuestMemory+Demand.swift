internal import Synchronization

/// Frames that get their page when somebody first touches them, out of a stock that may hold fewer pages than there are frames
/// (Xen: populate on demand). Nothing of it costs an access that an engine's TLB answers.
extension GuestMemory {
    public struct Demand: Equatable, Sendable {
        /// Frames nobody has touched yet.
        public var frames: Int
        /// Pages left for them.
        public var stock: Int

        public init(frames: Int, stock: Int) {
            self.frames = frames
            self.stock = stock
        }
    }

    /// What is left to populate, and with what.
    public var demand: Demand { allocator.withLock { $0.demand } }

    /// Lets `count` frames from `gfn` wait for their first touch, and adds `stock` pages for them. Frames that are populated stay as they are.
    ///
    /// - Throws: ``GuestMemoryError/outOfRange(_:)``; nothing has changed then.
    public func populateOnDemand(_ gfn: GuestFrameNumber, count: Int, stock: Int) throws(GuestMemoryError) {
        let last = gfn + UInt64(max(count, 1) - 1)
        guard last.rawValue < UInt64(Self.frameCount) else { throw .outOfRange(last) }
        allocator.withLock { allocator in
            for index in 0..<count where wait(gfn + UInt64(index)) { allocator.demand.frames += 1 }
            allocator.demand.stock += stock
            if count > 0 { allocator.highestFrame = max(allocator.highestFrame, last.rawValue) }
        }
    }

    private func wait(_ gfn: GuestFrameNumber) -> Bool {
        unsafe p2m[Int(gfn.rawValue)].compareExchange(expected: 0, desired: Self.onDemand, ordering: .relaxed).exchanged
    }

    /// Adds pages to the stock; a negative number takes as many away, none below zero.
    public func addToStock(_ count: Int) { allocator.withLock { $0.demand.stock = max(0, $0.demand.stock + count) } }

    /// What to do when a frame is touched and the stock is empty. The frame reads as if nothing were there. Called on the thread that
    /// touched it, for each such touch, possibly with locks held: it must not block.
    public func whenStockIsEmpty(_ handler: @escaping @Sendable (GuestFrameNumber) -> Void) {
        allocator.withLock { $0.stockIsEmpty = handler }
    }

    /// As ``lookup(_:)``, but no touch: nil for frames that wait for one.
    public func populated(_ gfn: GuestFrameNumber) -> (frame: FrameIndex, isWritable: Bool)? {
        let entry = self.entry(gfn)
        return entry == Self.onDemand ? nil : Self.decoded(entry)
    }

    /// True where a page is, or will be with the first touch.
    public func isOccupied(_ gfn: GuestFrameNumber) -> Bool { entry(gfn) != 0 }

    /// Empties a frame that nobody has touched.
    ///
    /// - Returns: false when the frame does not wait for a touch; nothing has changed then.
    public func cancelDemand(_ gfn: GuestFrameNumber) -> Bool {
        guard entry(gfn) == Self.onDemand else { return false }
        let result = unsafe p2m[Int(gfn.rawValue)].compareExchange(
            expected: Self.onDemand, desired: 0, ordering: .acquiringAndReleasing)
        guard result.exchanged else { return false }
        allocator.withLock { $0.demand.frames -= 1 }
        return true
    }

    /// Gives a frame that waited its page.
    ///
    /// - Returns: its entry now; 0 when there is none to give.
    @inline(never)
    func populateNow(_ gfn: GuestFrameNumber) -> UInt32 {
        let (entry, handler) = allocator.withLock { allocator -> (UInt32, (@Sendable (GuestFrameNumber) -> Void)?) in
            guard allocator.demand.stock > 0, let page = allocator.take(of: poolPageCount) else {
                let entry = self.entry(gfn)
                return entry == Self.onDemand ? (0, allocator.stockIsEmpty) : (entry, nil)
            }
            let result = unsafe p2m[Int(gfn.rawValue)].compareExchange(
                expected: Self.onDemand, desired: page &+ 1, ordering: .acquiringAndReleasing)
            guard result.exchanged else {
                // Another thread touched it first, or emptied it.
                allocator.free.append(page)
                return (result.original, nil)
            }
            allocator.demand.frames -= 1
            allocator.demand.stock -= 1
            return (page &+ 1, nil)
        }
        handler?(gfn)
        return entry
    }
}
