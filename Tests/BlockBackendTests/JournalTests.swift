import Testing

@testable import BlockBackend

@Suite("The journal of writes that were not flushed") struct JournalTests {
    private func positions(_ journal: WriteJournal) -> [UInt64] {
        journal.changes.map { change in
            switch change {
            case .write(let position, _), .discard(let position, _): position
            }
        }
    }

    @Test("A flush covers what was answered when it began, and no more") func flush() {
        var journal = WriteJournal()
        for position in UInt64(0)..<3 { journal.note(.write(position: position, [1])) }
        let mark = journal.mark
        journal.note(.discard(position: 3, byteCount: 512))
        journal.flushed(at: mark)
        #expect(positions(journal) == [3])
        // One that began earlier and ends later changes nothing.
        journal.flushed(at: mark - 1)
        #expect(positions(journal) == [3] && journal.isComplete)
        journal.flushed(at: journal.mark)
        #expect(positions(journal) == [])
    }

    @Test("It keeps only so much, and is complete again when a flush has covered what it forgot") func overflow() {
        var journal = WriteJournal()
        let mebibyte = [UInt8](repeating: 7, count: 1 << 20)
        for position in UInt64(0)..<40 { journal.note(.write(position: position, mebibyte)) }
        #expect(!journal.isComplete && journal.changes.count < 32)
        let early = 20
        journal.flushed(at: early)
        #expect(!journal.isComplete)
        let mark = journal.mark
        journal.note(.write(position: 99, [1]))
        journal.flushed(at: mark)
        #expect(journal.isComplete && positions(journal) == [99])
    }
}
