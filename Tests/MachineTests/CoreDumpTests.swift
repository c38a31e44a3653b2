import ControlProtocol
import Glibc
import HostIO
@testable import Machine
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

    /// Touches each page of its memory above itself, then spins.
    private func greedy(mebibytes: UInt32) -> [UInt8] {
        var program = TinyProgram()
        program.load(1, 0x20_0000)  // MOV ECX
        program.add(0x89, 0x09)  // MOV [ECX], ECX
        program.add(0x81, 0xc1, 0, 0x10, 0, 0)  // ADD ECX, 4096
        program.add(0x81, 0xf9, 0, 0, UInt8(truncatingIfNeeded: mebibytes << 4), UInt8(truncatingIfNeeded: mebibytes >> 4))  // CMP ECX, end
        program.add(0x72, 0xf0)  // JB to the store
        program.log("all is touched\n")
        program.add(0xeb, 0xfe)  // JMP to itself
        return program.bytes
    }

    @Test("A process that is killed while it writes a core leaves no unfinished file")
    func killed() throws {
        var guest = try TestGuest(code: greedy(mebibytes: 250))
        guest.description.memoryKiB = 256 << 10
        guest.description.maxMemoryKiB = 256 << 10
        let child = try GuestChild(guest)
        _ = try child.readReport()
        var client = try ControlClient(directory: guest.directory)
        #expect(try client.ask(.unpause) == .ok)
        #expect(eventually { guest.log.contains("all is touched") })
        let path = "\(guest.scratch.path)/core"
        try client.send(.dumpCore(path: path))
        #expect(eventually { guest.log.contains("dumping core to") })
        kill(child.processID, SIGKILL)
        #expect(child.wait() == -SIGKILL)
        let names = Scratch.names(in: guest.scratch.path).filter { $0.hasPrefix("core") }
        #expect(names.isEmpty || names == ["core"])
        if !names.isEmpty { #expect(try sections(bytes(path))[".shstrtab"] != nil, "what has the name is whole") }
    }

    @Test("Where files need a name, the next core removes what a killed writer left, and nothing else")
    func abandoned() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/core"
        for name in ["core.123.new", "core.x.new", "core.124.old", "other.123.new"] { _ = try scratch.write(name, [1]) }
        let writing = try UnfinishedFile(for: path, allowsNameless: false)
        #expect(Scratch.names(in: scratch.path) == ["core.124.old", "core.\(getpid()).new", "core.x.new", "other.123.new"].sorted())
        let second = try UnfinishedFile(for: path)
        #expect(Scratch.exists("\(path).\(getpid()).new"), "one that is being written stays")
        try second.write { #expect($0.writeAll([2]).code == 0) }
        try second.finish()
        try writing.write { #expect($0.writeAll([3, 3]).code == 0) }
        try writing.finish()
        #expect(try bytes(path) == [3, 3])
        let third = try UnfinishedFile(for: path)
        try third.write { #expect($0.writeAll([4]).code == 0) }
        try third.finish()
        #expect(try bytes(path) == [4], "an earlier file gives way")
        #expect(Scratch.names(in: scratch.path) == ["core", "core.124.old", "core.x.new", "other.123.new"])
    }
}
