import BlockBackend
import DeviceTestSupport
import Glibc
import TestSupport
import Testing
import XenBus

@Suite("Images of QEMU's formats", .enabled(if: Host.hasQEMU, "qemu-utils is not installed")) struct NBDTests {
    static let formats: [(format: BlockFormat, driver: String)] = [(.qcow2, "qcow2"), (.vhd, "vpc"), (.qcow, "qcow"), (.qed, "qed")]

    private func bench(_ format: BlockFormat, driver: String, readOnly: Bool = false) throws -> BlockBench {
        try BlockBench.connected(FrontendOptions(isPersistent: true)) { configuration in
            configuration.format = format
            configuration.isReadOnly = readOnly
            let made = shell("qemu-img create -q -f \(driver) '\(configuration.path)' 16M")
            precondition(made.status == 0, made.output)
        }
    }

    /// The programs that serve an image.
    private func servers(_ path: String) -> [Int32] {
        shell("pgrep -f -- '-- \(path)$'").output.split(separator: "\n").compactMap { Int32($0) }
    }

    @Test("Are read, written, flushed and discarded, and hold it all when the disk is gone", arguments: formats)
    func allOperations(format: BlockFormat, driver: String) throws {
        let bench = try bench(format, driver: driver)
        let frontend = bench.frontend
        let list = bench.pages(1, seed: 0)[0]
        let pages = bench.pages(64, seed: 7)
        let segments = pages.map { BlockFrontend.Segment($0.reference) }
        #expect(frontend.ask(frontend.indirect(1, id: 1, sector: 1024, segments, list: list)) == bench.ok(1, 1))
        #expect(frontend.ask(frontend.request(1, id: 2, sector: 8, [.init(pages[0].reference, 3, 3)])) == bench.ok(1, 2))
        #expect(frontend.ask(frontend.request(3, id: 3, sector: 0)) == bench.ok(3, 3))
        #expect(frontend.ask(frontend.request(2, id: 4, sector: 16, [.init(pages[1].reference)])) == bench.ok(2, 4))
        for page in pages { bench.guest.write([UInt8](repeating: 0, count: 4096), at: page.address) }
        #expect(frontend.ask(frontend.indirect(0, id: 5, sector: 1024, segments, list: list)) == bench.ok(0, 5))
        #expect(pages.indices.allSatisfy { bench.guest.read(pages[$0].address, 4096) == BlockBench.pattern(7 + UInt8($0)) })
        if frontend.backendNode("feature-discard") == "1" {
            #expect(frontend.ask(frontend.discard(id: 6, sector: 1024, count: 256))?.id == 6)
        }
        bench.bus.stop()
        #expect(servers(bench.path) == [])
        let raw = "\(bench.directory.path)/raw"
        #expect(
            shell(
                "qemu-img convert -f \(driver) -O raw '\(bench.path)' '\(raw)' && qemu-img check -q -f \(driver) '\(bench.path)' || [ $? = 63 ]"
            ).status == 0)
        #expect(contents(of: raw, at: 4096, 512) == Array(BlockBench.pattern(7)[1536..<2048]))
        #expect(contents(of: raw, at: 16 * 512, 4096) == BlockBench.pattern(8))
        #expect(contents(of: raw, at: (1024 + 63 * 8) * 512, 4096) == BlockBench.pattern(70))
    }

    @Test("A server that dies is started again, and what it answered or had under way is not lost")
    func revival() throws {
        let bench = try bench(.qcow2, driver: "qcow2")
        let frontend = bench.frontend
        let pages = bench.pages(24, seed: 1)
        func write(_ index: Int, at sector: Int) -> [UInt8] {
            frontend.request(1, id: UInt64(index), sector: UInt64(sector), [.init(pages[index].reference)])
        }
        // Some flushed, some only answered: those are in the memory of the server that dies, as far as it has not allocated them.
        for index in 0..<4 { #expect(frontend.ask(write(index, at: index * 2048)) == bench.ok(1, UInt64(index))) }
        #expect(frontend.ask(frontend.request(3, id: 90, sector: 0)) == bench.ok(3, 90))
        for index in 4..<8 { #expect(frontend.ask(write(index, at: index * 2048)) == bench.ok(1, UInt64(index))) }
        // A later write of the same place has the last word.
        #expect(frontend.ask(write(9, at: 4 * 2048)) == bench.ok(1, 9))
        let first = servers(bench.path)
        #expect(first.count == 1)
        for server in first { kill(server, SIGSTOP) }
        for index in 10..<24 { frontend.put(write(index, at: index * 1024 + 128)) }
        frontend.push()
        for server in first { kill(server, SIGKILL) }
        #expect(Set(frontend.waitForResponses(14).map(\.status)) == [0])
        #expect(frontend.ask(frontend.request(3, id: 99, sector: 0)) == bench.ok(3, 99))
        #expect(servers(bench.path).count == 1 && servers(bench.path) != first)
        #expect(bench.log.all.count == 1)
        #expect(bench.log.all.first?.hasPrefix("xvda: qemu-nbd is gone: it ended without a word; another one goes on, with ") == true)
        bench.bus.stop()
        let raw = "\(bench.directory.path)/raw"
        #expect(shell("qemu-img check -q '\(bench.path)' && qemu-img convert -f qcow2 -O raw '\(bench.path)' '\(raw)'").status == 0)
        for index in [0, 1, 2, 3, 5, 6, 7] {
            #expect(contents(of: raw, at: index * 2048 * 512, 4096) == BlockBench.pattern(1 + UInt8(index)), "\(index)")
        }
        #expect(contents(of: raw, at: 4 * 2048 * 512, 4096) == BlockBench.pattern(10))
        for index in 10..<24 {
            #expect(contents(of: raw, at: (index * 1024 + 128) * 512, 4096) == BlockBench.pattern(1 + UInt8(index)), "\(index)")
        }
    }

    @Test("A server that dies again and again leaves errors for the guest and a line in the log")
    func death() throws {
        let bench = try bench(.qcow2, driver: "qcow2")
        let frontend = bench.frontend
        let page = bench.pages(1, seed: 1)[0]
        #expect(frontend.ask(frontend.request(1, id: 1, sector: 0, [.init(page.reference)])) == bench.ok(1, 1))
        for round in 0..<5 {
            let server = servers(bench.path)
            #expect(server.count == 1)
            for server in server { kill(server, SIGKILL) }
            #expect(eventually { bench.log.all.count == round + 1 })
        }
        for id in UInt64(2)..<6 {
            #expect(frontend.ask(frontend.request(1, id: id, sector: 0, [.init(page.reference)])) == bench.failed(1, id))
        }
        #expect(frontend.ask(frontend.request(3, id: 9, sector: 0)) == bench.failed(3, 9))
        let lines = bench.log.all.filter { $0.contains("qemu-nbd") }
        #expect(lines.last == "xvda: qemu-nbd is gone, and with it the image: it ended without a word")
        #expect(lines.count == 5 && servers(bench.path) == [])
        #expect(try frontend.close())
    }

    @Test("The server can be told to end, whatever signals its starter blocks")
    func signals() throws {
        var (blocked, before) = (sigset_t(), sigset_t())
        unsafe sigemptyset(&blocked)
        unsafe sigaddset(&blocked, SIGTERM)
        unsafe pthread_sigmask(SIG_BLOCK, &blocked, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        let bench = try bench(.qcow2, driver: "qcow2")
        let server = try #require(servers(bench.path).first)
        let mask = shell("sed -n 's/^SigBlk:[ \t]*//p' /proc/\(server)/status").output.split(separator: "\n").first ?? ""
        #expect(try #require(UInt64(mask, radix: 16)) & 1 << UInt64(SIGTERM - 1) == 0)
    }

    @Test("Are refused with a reason when they are something else, in use or missing")
    func refusals() throws {
        let (directory, guest) = (ScratchDirectory(), try TestGuest())
        func failure(_ path: String, _ format: BlockFormat = .qcow2) -> BlockFailure? {
            var configuration = BlockConfiguration(name: "xvda", deviceNumber: 1, path: path)
            configuration.format = format
            configuration.socketPath = "\(directory.path)/s"
            do throws(BlockFailure) {
                try BlockDevice(configuration, guest: guest.access) { _ in }.close()
                return nil
            } catch { return error }
        }
        let raw = directory.file("a.raw", byteCount: 1 << 20)
        #expect(failure(raw)?.cause.hasPrefix("xvda: \(raw) cannot be used as qcow2: ") == true)
        #expect(failure("\(directory.path)/none")?.cause == "xvda: \(directory.path)/none cannot be opened: No such file or directory")
        let image = "\(directory.path)/a.qcow2"
        #expect(shell("qemu-img create -q -f qcow2 '\(image)' 1M").status == 0)
        var configuration = BlockConfiguration(name: "xvdb", deviceNumber: 2, path: image)
        configuration.format = .qcow2
        configuration.socketPath = "\(directory.path)/s"
        let first = try BlockDevice(configuration, guest: guest.access) { _ in }
        #expect(failure(image)?.cause == "xvda: \(image) is in use by another disk, guest or program")
        first.close()
        #expect(failure(image) == nil)
        #expect(servers(image) == [] && servers(raw) == [])
        #expect(unsafe access("\(directory.path)/s", F_OK) != 0)
    }

    @Test("Cannot be written when they are read-only")
    func readOnly() throws {
        let bench = try bench(.qcow2, driver: "qcow2", readOnly: true)
        let page = bench.pages(1, seed: 1)[0]
        #expect(bench.frontend.ask(bench.frontend.request(1, id: 1, sector: 0, [.init(page.reference)])) == bench.failed(1, 1))
        #expect(bench.frontend.ask(bench.frontend.request(0, id: 2, sector: 0, [.init(page.reference)])) == bench.ok(0, 2))
    }
}
