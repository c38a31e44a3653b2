import ControlProtocol
import Glibc
import HostIO
import Machine
import TestSupport
import Testing

@Suite("Core dumps") struct CoreDumpTests {
    /// The sections of an ELF64 file by name.
    private func sections(_ file: [UInt8]) -> [String: (offset: Int, size: Int, entry: Int)] {
        func number(_ at: Int, _ count: Int) -> Int { (0..<count).reduce(0) { $0 | Int(file[at + $1]) << ($1 * 8) } }
        let (start, count, names) = (number(40, 8), number(60, 2), number(62, 2))
        let nameOffset = number(start + names * 64 + 24, 8)
        var result: [String: (offset: Int, size: Int, entry: Int)] = [:]
        for index in 1..<count {
            let at = start + index * 64
            let name = file[(nameOffset + number(at, 4))...].prefix { $0 != 0 }
            result[String(decoding: name, as: UTF8.self)] = (number(at + 24, 8), number(at + 32, 8), number(at + 56, 8))
        }
        return result
    }

    private func bytes(_ path: String) throws -> [UInt8] {
        let number = unsafe open(path, O_RDONLY)
        try #require(number >= 0)
        var bytes: [UInt8] = []
        let file = Descriptor(number)
        while case .bytes = file.read(into: &bytes, limit: 1 << 20) {}
        return bytes
    }

    private func word(_ file: [UInt8], _ at: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(file[at + $1]) << UInt64($1 * 8) } }

    @Test("A core holds the registers and every page of the guest, found by its frame number; the guest goes on")
    func core() throws {
        let guest = try TestGuest(code: [0xde, 0xad, 0xbe, 0xef])
        let running = try guest.start { $0.compute() }
        #expect(try running.ask(.unpause) == .ok)
        let path = "\(guest.scratch.path)/core"
        #expect(try running.ask(.dumpCore(path: path)) == .ok)
        #expect(try eventually { try running.status.state.letters == "r-----" })

        let file = try bytes(path)
        #expect(Array(file[..<6]) == [0x7f, 0x45, 0x4c, 0x46, 2, 1] && file[16] == 4 && file[18] == 62)
        let sections = sections(file)
        let (frames, pages) = (try #require(sections[".xen_pfn"]), try #require(sections[".xen_pages"]))
        #expect(frames.size / 8 == pages.size / 4096 && pages.size >= 8 << 20 && pages.entry == 4096 && pages.offset % 4096 == 0)
        let index = try #require((0..<frames.size / 8).first { word(file, frames.offset + $0 * 8) == 0x100 })
        let page = pages.offset + index * 4096
        #expect(Array(file[page..<page + 4]) == [0xde, 0xad, 0xbe, 0xef])
        let registers = try #require(sections[".xen_prstatus"])
        #expect(registers.size == 5168 && registers.entry == 5168)
        #expect(word(file, registers.offset + 520 + 128) == 0x10_0000)
        let notes = try #require(sections[".note.Xen"])
        let header = notes.offset + 16 + 16
        #expect(word(file, header) == 0xf00f_ebee && word(file, header + 8) == 1 && word(file, header + 16) == UInt64(frames.size / 8))
        var status = stat()
        #expect(unsafe stat(path, &status) == 0 && status.st_blocks * 512 < 4 << 20, "pages nobody touched are holes")
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("Other clients are served while a core is written, and requests behind it are answered in order")
    func order() throws {
        let guest = try TestGuest()
        let running = try guest.start { $0.compute() }
        var client = try ControlClient(directory: guest.directory)
        try client.send(.dumpCore(path: "\(guest.scratch.path)/core"))
        try client.send(.hello)
        #expect(try running.ask(.hello) == .hello(domainID: 7, name: "tiny"))
        #expect(try client.receive() == .ok)
        #expect(try client.receive() == .hello(domainID: 7, name: "tiny"))
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("A core that cannot be written is refused with its path, and leaves nothing")
    func unwritable() throws {
        let guest = try TestGuest()
        let running = try guest.start { $0.compute() }
        do {
            _ = try running.ask(.dumpCore(path: "/nowhere/core"))
            Issue.record("it was written")
        } catch ControlClientError.refused(let error) { #expect(error.cause.contains("/nowhere/core cannot be written: No such file")) }
        #expect(!(try running.status.state.running))
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
        #expect(Scratch.names(in: guest.scratch.path).filter { $0.contains("core") }.isEmpty)
    }

    @Test("A guest that is destroyed while its core is written leaves no unfinished file")
    func destroyed() throws {
        var guest = try TestGuest()
        guest.description.memoryKiB = 256 << 10
        guest.description.maxMemoryKiB = 256 << 10
        let running = try guest.start { $0.compute() }
        var client = try ControlClient(directory: guest.directory)
        try client.send(.dumpCore(path: "\(guest.scratch.path)/core"))
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
        #expect(Scratch.names(in: guest.scratch.path).filter { $0.hasSuffix(".new") }.isEmpty)
    }
}
