/// From instruction pointers to entry points, looked at by translated code: see ``Layout``. An entry that is empty leads out of it.
@safe
final class JumpCache {
    private let state: UnsafeMutableRawPointer
    private let empty: Int
    /// One bit per entry that holds something, those of global pages apart.
    private let local: UnsafeMutablePointer<UInt64>
    private let global: UnsafeMutablePointer<UInt64>
    private static let words = Layout.jumpCacheModes * Layout.jumpCacheCount / 64

    init(_ state: UnsafeMutableRawPointer, empty: Int) {
        unsafe self.state = state
        self.empty = empty
        unsafe local = .allocate(capacity: Self.words)
        unsafe local.initialize(repeating: 0, count: Self.words)
        unsafe global = .allocate(capacity: Self.words)
        unsafe global.initialize(repeating: 0, count: Self.words)
        for mode in 0..<Layout.jumpCacheModes {
            for slot in 0..<Layout.jumpCacheCount { clear(mode, slot) }
        }
    }

    deinit {
        unsafe local.deallocate()
        unsafe global.deallocate()
    }

    @inline(__always)
    func find(_ rip: UInt64, _ mode: Int) -> Int? {
        let slot = Layout.jumpCacheSlot(rip)
        guard unsafe state.load(fromByteOffset: Layout.jumpCacheRIPs(mode) &+ slot &* 8, as: UInt64.self) == rip else { return nil }
        let entry = unsafe state.load(fromByteOffset: Layout.jumpCacheEntries(mode) &+ slot &* 8, as: Int.self)
        return entry == empty ? nil : entry
    }

    func insert(_ rip: UInt64, _ mode: Int, _ entry: Int, isGlobal: Bool) {
        let slot = Layout.jumpCacheSlot(rip)
        unsafe state.storeBytes(of: rip, toByteOffset: Layout.jumpCacheRIPs(mode) &+ slot &* 8, as: UInt64.self)
        unsafe state.storeBytes(of: entry, toByteOffset: Layout.jumpCacheEntries(mode) &+ slot &* 8, as: Int.self)
        let index = mode &* Layout.jumpCacheCount &+ slot
        let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: index & 63)
        if isGlobal {
            unsafe global[index &>> 6] |= bit
            unsafe local[index &>> 6] &= ~bit
        } else {
            unsafe local[index &>> 6] |= bit
            unsafe global[index &>> 6] &= ~bit
        }
    }

    func remove(_ rip: UInt64, _ mode: Int) { clear(mode, Layout.jumpCacheSlot(rip)) }

    private func clear(_ mode: Int, _ slot: Int) {
        unsafe state.storeBytes(of: 0, toByteOffset: Layout.jumpCacheRIPs(mode) &+ slot &* 8, as: UInt64.self)
        unsafe state.storeBytes(of: empty, toByteOffset: Layout.jumpCacheEntries(mode) &+ slot &* 8, as: Int.self)
    }

    private func clear(_ bits: UnsafeMutablePointer<UInt64>) {
        for word in 0..<Self.words {
            var left = unsafe bits[word]
            while left != 0 {
                let index = word &* 64 &+ left.trailingZeroBitCount
                clear(index / Layout.jumpCacheCount, index % Layout.jumpCacheCount)
                left &= left &- 1
            }
            unsafe bits[word] = 0
        }
    }

    /// Forgets what was found through pages that are not global.
    func clearLocal() { unsafe clear(local) }

    func clear() {
        unsafe clear(local)
        unsafe clear(global)
    }
}
