import ControlProtocol
import Glibc
import HostIO
import Machine
import Testing
import VirtualCPU

/// Who has the disk of a guest between two of its lives.
@Suite("Disks between two lives") struct DisksBetweenLivesTests {
    /// Whether somebody has locked an image for writing; QEMU's byte for writers, seen from an open file of our own.
    private func isLocked(_ file: Descriptor) -> Bool {
        let getLock: Int32 = 36  // F_OFD_GETLK
        var range = flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 101, l_len: 1, l_pid: 0)
        return unsafe fcntl(file.rawValue, getLock, &range) == 0 && range.l_type != Int16(F_UNLCK)
    }

    private func guest(_ format: DiskFormat = .raw) throws -> (guest: TestGuest, image: Descriptor) {
        var guest = try TestGuest(nested: "run/7")
        let path = try guest.scratch.write("disk.img", [UInt8](repeating: 0, count: 1 << 20))
        guest.description.disks = [DiskDescription(vdev: "xvda", deviceNumber: 51712, target: path)]
        return (guest, Descriptor(unsafe open(path, O_RDWR | O_CLOEXEC)))
    }

    private func refusal(_ request: () throws -> ControlReply) -> OperatorError? {
        do { _ = try request() } catch ControlClientError.refused(let error) { return error } catch {}
        return nil
    }

    @Test(
        "A guest that starts over keeps its disk locked all the while",
        arguments: [(1, EndAction.restart), (3, .coredumpRestart), (3, .restart), (5, .softReset)] as [(UInt32, EndAction)])
    func kept(reason: UInt32, action: EndAction) throws {
        var (guest, image) = try guest()
        guest.description.onCrash = action
        let running = try guest.start { cpu in
            guard cpu.word(at: 0x3000) == 0, cpu.domainID == 7 else { return .halted }
            cpu.store(1, at: 0x3000)
            return cpu.shutDown(reason)
        }
        var client = try ControlClient(directory: guest.directory)
        #expect(isLocked(image))
        #expect(try client.ask(.unpause) == .ok)
        var looks = 0
        while guest.log.ranges(of: "to die [pid").count < 2, looks < 100_000 {
            looks += 1
            #expect(isLocked(image), "it was free at look \(looks)")
            usleep(200)
        }
        #expect(looks < 100_000)
        #expect(isLocked(image))
        guard case .devices(let devices) = try client.ask(.devices) else { throw ControlClientError.malformed("no devices") }
        #expect(devices.map(\.id) == [51712])
        #expect(try client.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
        #expect(!isLocked(image))
    }

    @Test("A guest that is destroyed between two lives, or given up, lets go of its disk")
    func released() throws {
        let (guest, image) = try guest()
        let running = try guest.start { $0.shutDown(1) }
        var client = try ControlClient(directory: guest.directory)
        #expect(try client.ask(.unpause) == .ok)
        #expect(eventually { guest.log.contains("Done. Rebooting now") })
        #expect(refusal { try running.ask(.shutdown(.poweroff)) }?.cause == "the guest tiny is being restarted")
        #expect(isLocked(image))
        #expect(try client.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
        #expect(!isLocked(image))
    }

    @Test("A file that took the image's place meanwhile is the disk of the next life, and the old one is let go")
    func replaced() throws {
        let (guest, image) = try guest()
        let running = try guest.start { $0.domainID == 7 ? $0.shutDown(1) : .halted }
        var client = try ControlClient(directory: guest.directory)
        #expect(try client.ask(.unpause) == .ok)
        #expect(eventually { guest.log.contains("Done. Rebooting now") })
        let new = try guest.scratch.write("new.img", [UInt8](repeating: 1, count: 2 << 20))
        #expect(unsafe rename(new, "\(guest.scratch.path)/disk.img") == 0)
        let other = Descriptor(unsafe open("\(guest.scratch.path)/disk.img", O_RDWR | O_CLOEXEC))
        #expect(eventually { isLocked(other) })
        #expect(eventually { !isLocked(image) })
        #expect(try client.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
        #expect(!isLocked(other))
    }
}
