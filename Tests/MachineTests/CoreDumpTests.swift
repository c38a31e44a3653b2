import ControlProtocol
import Glibc
import HostIO
@testable import Machine
import TestSupport
import Testing

@Suite("Core dumps") struct CoreDumpTests {
    private func bytes(_ path: String) -> [UInt8] { Array(Scratch.text(path).utf8) }

    @Test("A core holds the registers and every page of the guest, found by its frame number; the guest goes on")
    func core() throws {
        let guest = try TestGuest(code: [0xde, 0xad, 0xbe, 0xef])
        let running = try guest.start { $0.compute() }
        #expect(try running.ask(.unpause) == .ok)
        let path = "\(guest.scratch.path)/core"
        #expect(try running.ask(.dumpCore(path: path)) == .ok)
        #expect(try eventually { try running.status.state.letters == "r-----" })

        let core = try CoreFile(path)
        let (frames, pages) = (try #require(core.sections[".xen_pfn"]), try #require(core.sections[".xen_pages"]))
        #expect(pages.size >= 8 << 20 && pages.entrySize == 4096 && frames.entrySize == 8)
        #expect(core.page(0x100)?.prefix(4) == [0xde, 0xad, 0xbe, 0xef])
        let registers = try #require(core.sections[".xen_prstatus"])
        #expect(registers.size == CoreFile.contextSize && registers.entrySize == CoreFile.contextSize)
        let context = Array(core.context(0))
        #expect(CoreFile.number(context, 520 + 128, 8) == 0x10_0000, "RIP")
        #expect(CoreFile.number(context, 512, 8) == 1 << 5, "online, without floating-point registers: the script has none")
        var status = stat()
        #expect(unsafe stat(path, &status) == 0 && status.st_blocks * 512 < 4 << 20, "pages nobody touched are holes")
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("The notes are those of the format, in its order")
    func notes() throws {
        let guest = try TestGuest()
        let running = try guest.start { $0.compute() }
        let path = "\(guest.scratch.path)/core"
        #expect(try running.ask(.dumpCore(path: path)) == .ok)
        let core = try CoreFile(path)
        #expect(core.notes.map(\.type) == [0x200_0000, 0x200_0001, 0x200_0002, 0x200_0003])
        #expect(core.notes.allSatisfy { $0.name == "Xen" })
        #expect(core.notes[0].content.isEmpty)
        // Magic of a guest with its own physical map, vCPUs, pages, bytes of a page.
        let header = (0..<4).map { CoreFile.number(core.notes[1].content, $0 * 8, 8) }
        #expect(header == [0xf00f_ebee, 1, UInt64(core.pageCount), 4096])
        let version = core.notes[2].content
        #expect(version.count == 16 + 16 + 144 + 1024 + 64 + 16)
        #expect(CoreFile.number(version, 0, 8) == 4 && CoreFile.number(version, 8, 8) == 20)
        #expect(CoreFile.number(version, version.count - 8, 8) == 4096)
        #expect(core.notes[3].content == [1, 0, 0, 0, 0, 0, 0, 0])
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("A core holds the floating-point registers as FXSAVE stores them")
    func floatingPoint() throws {
        let code: [UInt8] =
            [0xb8, 0, 6, 0, 0, 0x0f, 0x22, 0xe0]  // CR4.OSFXSR and OSXMMEXCPT
            + [0x66, 0x0f, 0x6e, 0xd8]  // movd xmm3, eax
            + [0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0xeb]  // fninit; fld1; fldpi
            + [0xc6, 0x05, 0, 0x10, 0x10, 0, 1, 0xeb, 0xfe]  // a mark at 0x101000; jmp to itself
        let guest = try TestGuest(code: code + [UInt8](repeating: 0, count: 0x2000 - code.count))
        let running = try guest.start()
        #expect(try running.ask(.unpause) == .ok)
        let path = "\(guest.scratch.path)/core"
        let hasRun = try eventually {
            #expect(try running.ask(.dumpCore(path: path)) == .ok)
            return try CoreFile(path).page(0x101)?.first == 1
        }
        #expect(hasRun)
        let context = Array(try CoreFile(path).context(0))
        #expect(CoreFile.number(context, 512, 8) == 1 << 5 | 1 << 0)
        // Control word, TOP 6, tags of registers 6 and 7, MXCSR.
        #expect(CoreFile.number(context, 0, 2) == 0x37f && CoreFile.number(context, 2, 2) >> 11 & 7 == 6)
        #expect(context[4] == 0xc0 && CoreFile.number(context, 24, 4) == 0x1f80 && CoreFile.number(context, 28, 4) == 0xffff)
        #expect(CoreFile.number(context, 32, 8) == 0xc90f_daa2_2168_c235 && CoreFile.number(context, 40, 2) == 0x4000, "pi")
        #expect(CoreFile.number(context, 48, 8) == 1 << 63 && CoreFile.number(context, 56, 2) == 0x3fff, "one")
        #expect(CoreFile.number(context, 160 + 48, 8) == 0x600 && CoreFile.number(context, 168 + 48, 8) == 0)
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
        if !names.isEmpty { #expect(throws: Never.self, "what has the name is whole") { try CoreFile(path) } }
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
        #expect(bytes(path) == [3, 3])
        let third = try UnfinishedFile(for: path)
        try third.write { #expect($0.writeAll([4]).code == 0) }
        try third.finish()
        #expect(bytes(path) == [4], "an earlier file gives way")
        #expect(Scratch.names(in: scratch.path) == ["core", "core.124.old", "core.x.new", "other.123.new"])
    }
}
