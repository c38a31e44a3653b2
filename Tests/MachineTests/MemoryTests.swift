import ControlProtocol
import Machine
import TestSupport
import Testing

/// Guests whose map shows more memory (maxmem) than they are to own (memory).
@Suite("Memory below its maximum") struct MemoryTests {
    /// 32-bit code at 1 MiB: writes a byte into each page from 2 MiB to `end`, then halts with interrupts off.
    private func toucher(to end: UInt32) -> [UInt8] {
        [0xbf, 0, 0, 0x20, 0]  // mov edi, 2 MiB
            + [0xc6, 0x07, 0x01]  // mov byte [edi], 1
            + [0x81, 0xc7, 0, 0x10, 0, 0]  // add edi, 4096
            + [0x81, 0xff] + ELFWriter.little(end)  // cmp edi, end
            + [0x72, 0xef]  // jb to the store
            + [0xf4]  // hlt
    }

    private func run(_ code: [UInt8], maxMemoryKiB: UInt64 = 32 << 10) throws -> (end: GuestEnd?, log: String) {
        var guest = try TestGuest(code: code)
        guest.description.maxMemoryKiB = maxMemoryKiB
        guest.description.onCrash = .destroy
        let running = try guest.start()
        #expect(try running.status.currentMemoryKiB >> 10 == 8)
        #expect(try running.ask(.unpause) == .ok)
        return (running.join(), guest.log)
    }

    @Test("A guest that touches what its map shows, and gives nothing back, is stopped with cause and remedy in its log")
    func stopped() throws {
        let (end, log) = try run(toucher(to: 32 << 20))
        #expect(end == .shutdown(reason: .crash))
        #expect(log.contains("out of memory at gfn") && log.contains("maxmem=") && log.contains("raise memory="), "\(log)")
        #expect(log.contains("32 MiB its map shows"))
    }

    @Test("One that stays within its memory goes on, wherever in its map that is")
    func within() throws {
        let (end, log) = try run(toucher(to: 8 << 20))
        #expect(end == .shutdown(reason: .poweroff) && !log.contains("out of memory"))
    }

    @Test("One whose memory is its maximum may touch all of it")
    func all() throws {
        let (end, log) = try run(toucher(to: 8 << 20), maxMemoryKiB: 8 << 10)
        #expect(end == .shutdown(reason: .poweroff) && !log.contains("out of memory"))
    }

    @Test(
        "A target that is raised before the guest has touched its memory lets it touch that much",
        arguments: [16 << 10 as UInt64, 32 << 10])
    func raised(kib: UInt64) throws {
        var guest = try TestGuest(code: toucher(to: UInt32(kib << 10)))
        guest.description.maxMemoryKiB = 32 << 10
        let running = try guest.start()
        #expect(try running.ask(.setMemoryTarget(kib: kib)) == .ok)
        #expect(try running.status.currentMemoryKiB >> 10 == kib >> 10)
        #expect(try running.ask(.unpause) == .ok)
        #expect(running.join() == .shutdown(reason: .poweroff))
    }

    @Test("A core has the pages that were touched")
    func core() throws {
        var guest = try TestGuest(code: toucher(to: 3 << 20) + [0xeb, 0xfe])
        guest.description.maxMemoryKiB = 32 << 10
        let running = try guest.start { $0.compute() }
        let path = "\(guest.scratch.path)/core"
        #expect(try running.ask(.dumpCore(path: path)) == .ok)
        let core = try CoreFile(path)
        #expect(core.pageCount > 10 && core.pageCount < 8 << 8)
        #expect(core.page(0x100)?.prefix(2) == [0xbf, 0])
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }
}
