import Synchronization

/// A fixed row of counters that any thread may bump.
@safe
final class CounterTable: @unchecked Sendable {
    private let counters: UnsafeMutablePointer<Atomic<UInt64>>
    private let count: Int

    init(count: Int) {
        self.count = count
        unsafe counters = .allocate(capacity: count)
        for index in 0..<count { unsafe (counters + index).initialize(to: Atomic(0)) }
    }

    deinit { unsafe counters.deallocate() }

    func bump(_ index: Int) {
        precondition(index >= 0 && index < count, "a counter of the table")
        unsafe counters[index].wrappingAdd(1, ordering: .relaxed)
    }

    subscript(index: Int) -> UInt64 {
        precondition(index >= 0 && index < count, "a counter of the table")
        return unsafe counters[index].load(ordering: .relaxed)
    }
}
