import Foundation
import Testing

extension GuestTests {
    /// Two boots of a whole Debian system, looked at from all sides; see ``DebianBoot``.
    @Suite(
        "Debian", .serialized,
        .enabled(if: DebianImage.obstacle == nil || Installation.isRequired, Comment(rawValue: DebianImage.obstacle ?? "")))
    struct DebianTests {
        private var first: DebianFirstBoot { get throws { try DebianBoot.result.get().first } }
        private var second: DebianSecondBoot { get throws { try DebianBoot.result.get().second } }

        private func fact(_ name: String) throws -> Answer { try #require(try first.facts[name]) }

        @Test(
            "systemd comes up whole, on the root disk and the console of Xen, and says where it is",
            arguments: [
                ("state", "running"), ("failed", ""), ("virtualization", "xen"), ("root", "/dev/xvda ext4"), ("terminal", "/dev/hvc0"),
                ("driver", "vif"), ("cache", "write back"),
            ])
        func facts(name: String, answer: String) throws {
            #expect(try fact(name).word == answer)
        }

        @Test("The disks have the sizes of sectors and the write access that the configuration gives them")
        func disks() throws {
            #expect(
                try fact("disks").lines.map { $0.split(separator: " ").joined(separator: " ") } == [
                    "xvda 0 disk /", "xvdb 0 disk", "xvdc 0 disk", "xvdd 1 disk",
                ])
            #expect(try fact("queue").lines == ["512", "512", "0"])
            #expect(try fact("modalias").lines == ["xen:vif", "xen:vbd"])
        }

        @Test(
            "The kernel's log says of disk and interface what it says on Xen",
            arguments: [
                "blkfront: xvda: flush diskcache: enabled; persistent grants: enabled; indirect descriptors: enabled;*",
                "xen_netfront: Initialising Xen virtual ethernet driver",
                "xen_netfront: backend supports XDP headroom",
                "EXT4-fs (xvda): mounted filesystem with ordered data mode.*",
            ])
        func log(pattern: String) throws {
            let log = Milestones.log(of: try fact("log").lines)
            #expect(log.contains { Milestones.matches($0, pattern) }, "\(log.suffix(80).joined(separator: "\n"))")
        }

        @Test("The kernel complains of nothing", arguments: ["Call Trace:", "BUG:", "WARNING: CPU", "I/O error", "unchecked MSR access"])
        func complaints(text: String) throws {
            let lines = try fact("log").lines.filter { $0.contains(text) }
            #expect(lines.isEmpty)
        }

        @Test("The interface gets its address, route and name server by DHCP")
        func address() throws {
            #expect(try fact("address").text.contains(" inet 10.0.2.15/24 "))
            #expect(try fact("route").text.hasPrefix("default via 10.0.2.2 dev enX0 proto dhcp"))
            #expect(try fact("link").text.contains("link/ether 00:16:3e:"))
        }
    }
}

extension GuestTests.DebianTests {
    @Test("A name is resolved by a server of the host")
    func name() throws {
        let name = try first.network.get().name
        #expect(name.status == 0)
        #expect(name.text.contains(DebianFirstBoot.address))
    }

    @Test("What the guest fetches from a server of the host, and sends to one, arrives whole")
    func outward() throws {
        let network = try first.network.get()
        #expect(network.download.status == 0, "\(network.download.text)")
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-blob-\(UInt32.random(in: 0 ... .max))")
        try Data(DebianFirstBoot.blob).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let sum = try HostTool.run("sha256sum", file.path).output.prefix { $0 != " " }
        #expect(network.sum.text.prefix { $0 != " " } == sum)
        #expect(DebianFirstBoot.difference(network.uploadBytes) == nil)
        #expect(network.ping.text.contains(" 0% packet loss"), "\(network.ping.text)")
    }

    @Test("A forwarded port of the host leads to a server in the guest, in both directions")
    func inward() throws {
        let network = try first.network.get()
        #expect(network.inward.status == 0, "\(network.inward.text)")
        #expect(DebianFirstBoot.difference(network.outwardBytes) == nil)
    }

    @Test("The guest reads what the host wrote on a raw disk, and the host what the guest wrote and flushed, directly or through its cache")
    func rawDisk() throws {
        let disks = try first.disks.get()
        for answer in [disks.read, disks.direct, disks.cached] { #expect(answer.status == 0, "\(answer.text)") }
        #expect(DebianFirstBoot.difference(disks.directBytes) == nil)
        #expect(DebianFirstBoot.difference(disks.cachedBytes) == nil)
    }

    @Test("fio finds all its random writes of all sizes again")
    func fio() throws {
        let fio = try first.disks.get().fio
        #expect(fio.status == 0, "\(fio.text)")
    }

    @Test("What was flushed to a qcow2 image is in it when the guest's process is killed, and the image is sound")
    func qcow2() throws {
        let disks = try first.disks.get()
        #expect(disks.qcow2.status == 0, "\(disks.qcow2.text)")
        #expect(DebianFirstBoot.difference(disks.qcow2Bytes) == nil)
        // 3: clusters that nobody uses, which a crash may leave.
        let check = try #require(disks.qcow2Check)
        #expect([0, 3].contains(check.code), "\(check.output)\(check.errors)")
    }

    @Test("A disk that is read-only cannot be written on, and stays as it is")
    func readOnly() throws {
        let disks = try first.disks.get()
        #expect(disks.readOnly.status != 0)
        #expect(disks.readOnlyRead.word == "1")
        #expect(DebianFirstBoot.difference(disks.readOnlyBytes) == nil)
    }

    @Test("A region can be discarded")
    func discard() throws {
        #expect(try first.disks.get().discard.word == "done")
    }

    @Test("A disk comes and goes while the guest runs")
    func pluggedDisk() throws {
        let plugging = try first.plugging.get()
        #expect(plugging.attach.code == 0, "\(plugging.attach.errors)")
        #expect(plugging.write.word == "\(8 << 20)")
        #expect(DebianFirstBoot.difference(plugging.bytes) == nil)
        #expect(plugging.list.lines.count == 6, "\(plugging.list.output)")
        #expect(plugging.detach.code == 0, "\(plugging.detach.errors)")
        #expect(plugging.gone.status == 0)
    }

    @Test("An interface comes, gets an address, and goes while the guest runs")
    func pluggedInterface() throws {
        let plugging = try first.plugging.get()
        #expect(plugging.interfaceAttach.code == 0, "\(plugging.interfaceAttach.errors)")
        #expect(plugging.interfaceAddress.text.contains(" inet 10.0.2.15/24 "), "\(plugging.interfaceAddress.text)")
        #expect(plugging.interfaceDetach.code == 0, "\(plugging.interfaceDetach.errors)")
        #expect(plugging.interfaceGone.status == 0)
    }

    @Test("A guest killed in the middle of writes has lost no block that was flushed, neither in its file system nor on a raw disk")
    func flushedBlocks() throws {
        let kill = try first.kill.get()
        #expect(kill.reported == Array(0..<kill.reported.count))
        #expect(kill.reported.count > KilledInWrites.enough)
        #expect(kill.missingInFile.isEmpty)
        #expect(kill.missingOnDisk.isEmpty)
    }

    @Test("The file system of a killed guest is sound once its journal is replayed, and nothing of the guest is left")
    func fileSystem() throws {
        let kill = try first.kill.get()
        #expect([0, 1].contains(kill.repair.code), "\(kill.repair.output)\(kill.repair.errors)")
        #expect(kill.check.code == 0, "\(kill.check.output)\(kill.check.errors)")
        #expect(kill.list.lines.count == 2, "\(kill.list.output)")
        #expect(kill.remains.isEmpty)
    }

    @Test("The next guest boots from the disk that the killed one left, powers off, and leaves a clean file system")
    func nextBoot() throws {
        let second = try second
        #expect(second.state.word == "running")
        #expect(second.numbered.word == "block 0")
        #expect(second.end.code == 0, "\(second.end.errors)\n\(second.end.output.suffix(1000))")
        #expect(second.check.code == 0, "\(second.check.output)\(second.check.errors)")
        #expect(second.remains.isEmpty)
    }
}
