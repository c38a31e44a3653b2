import Testing
import XenABI
import XenDomain

@Suite("What an operator does to a domain") struct OperatorTests {
    /// A reservation of pages that follow one another; returns how many are done.
    private func reserve(_ machine: Machine, _ operation: Int, first: UInt64, count: UInt64) -> Int64 {
        let at = Machine.scratch
        machine.putWord(at + 0x100, at: at)
        machine.putWord(count, at: at + 8)
        machine.put(UInt64(0), at: at + 16)
        machine.put(DomainID.current, at: at + 24)
        for index in 0..<count { machine.putWord(first + index, at: at + 0x100 + index * 8) }
        return machine.call(Hypercall.memoryOp, UInt64(operation), at)
    }

    @Test("A lower limit takes nothing away and gives nothing; a higher one lets the guest take more")
    func maximum() throws {
        var configuration = Machine.configuration()
        configuration.maximumPages += 0x100
        let machine = try Machine(configuration)
        let total = machine.domain.totalPages
        machine.domain.setMaximumPages(total - 0x10)
        #expect(machine.domain.totalPages == total && machine.domain.maximumPages == total - 0x10)
        #expect(reserve(machine, MemoryOp.populatePhysmap, first: 0x8000, count: 1) == 0)
        machine.domain.setMaximumPages(total + 2)
        #expect(reserve(machine, MemoryOp.populatePhysmap, first: 0x8000, count: 4) == 2)
    }
}
