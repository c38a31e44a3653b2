import Glibc
import HostIO
import Synchronization
import Testing

private final class Counter: Sendable {
    let count = Atomic(0)
}

@Suite("Waking a thread") struct WakeUpTests {
    private func isReadable(_ wakeUp: WakeUp) -> Bool {
        var poller = Poller()
        poller.add(wakeUp.descriptor, .readable)
        poller.wait(milliseconds: 0)
        return poller[0].contains(.readable)
    }

    @Test("A signal makes the descriptor readable until it is cleared, and any number of signals are one") func once() throws {
        let wakeUp = try WakeUp()
        #expect(!isReadable(wakeUp))
        for _ in 0..<100_000 { wakeUp.signal() }
        #expect(isReadable(wakeUp))
        wakeUp.clear()
        #expect(!isReadable(wakeUp))
        wakeUp.signal()
        #expect(isReadable(wakeUp))
    }

    @Test("Signals that race with the clearing leave nothing behind that would wake for ever, and none is lost") func race() throws {
        let wakeUp = try WakeUp()
        let work = Counter()
        var leftovers = 0
        for round in 1...300 {
            let signaller = try HostThread {
                for _ in 0..<1000 {
                    work.count.add(1, ordering: .sequentiallyConsistent)
                    wakeUp.signal()
                }
            }
            while work.count.load(ordering: .sequentiallyConsistent) < round * 1000 { wakeUp.clear() }
            signaller.join()
            wakeUp.clear()
            if isReadable(wakeUp) { leftovers += 1 }
        }
        #expect(leftovers == 0)
    }
}
