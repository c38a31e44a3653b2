internal import Glibc
internal import Synchronization

/// Where the engines of one domain meet when one of them has to be alone with the guest's memory.
///
/// An engine is inside from ``enter()`` to ``leave()``; while it is, it looks at ``pauseIfWanted()`` at instruction boundaries. Only
/// whoever wants to be alone waits for others, so this costs the others one load per boundary.
public final class Rendezvous: Sendable {
    /// Engines inside.
    private let running = Atomic<Int>(0)
    /// Some engine wants to be alone, or is.
    private let wanted = Atomic<Bool>(false)

    init() {}

    /// Waits while an engine is alone, then counts as running guest code.
    public func enter() {
        while true {
            running.add(1, ordering: .sequentiallyConsistent)
            guard wanted.load(ordering: .sequentiallyConsistent) else { return }
            leave()
            while wanted.load(ordering: .acquiring) { sched_yield() }
        }
    }

    public func leave() { running.subtract(1, ordering: .releasing) }

    /// For an engine inside, at an instruction boundary: steps aside for one that wants to be alone.
    public func pauseIfWanted() {
        guard isWanted else { return }
        leave()
        enter()
    }

    public var isWanted: Bool { wanted.load(ordering: .relaxed) }

    /// Runs `body` while no other engine is inside. The caller is inside, and may step aside for others first.
    ///
    /// - Parameter ask: asks the other engines to come to a boundary; called again until they have.
    func alone<Failure: Error>(asking ask: () -> Void, _ body: () throws(Failure) -> Void) throws(Failure) {
        leave()
        while wanted.exchange(true, ordering: .sequentiallyConsistent) { sched_yield() }
        while running.load(ordering: .sequentiallyConsistent) != 0 {
            ask()
            sched_yield()
        }
        running.add(1, ordering: .sequentiallyConsistent)
        defer { wanted.store(false, ordering: .sequentiallyConsistent) }
        try body()
    }
}
