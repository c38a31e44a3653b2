import Foundation
import Glibc
import Testing

/// A Debian with three more disks and a forwarded port, from its boot to its violent end.
struct DebianFirstBoot: Sendable {
    /// Bytes that host and guest exchange by disk and by network.
    static let blob: [UInt8] = {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        return (0..<4 << 20).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state >> 32)
        }
    }()
    static let mebibyte = 1 << 20
    /// How bytes differ from the blob, in a few words; nil when they do not. (A difference in full would take minutes to find.)
    static func difference(_ bytes: [UInt8]?) -> String? {
        guard let bytes else { return "nothing came" }
        if bytes == blob { return nil }
        let first = zip(bytes, blob).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        return "\(bytes.count) bytes instead of \(blob.count), first different at \(first.map(String.init) ?? "the end of one")"
    }

    /// Where the blob lies on the raw disk when the guest starts, and where the guest writes it.
    static let readOffset = 0
    static let writeOffset = 16 * mebibyte
    static let cachedOffset = 24 * mebibyte + 3000
    /// What the host's name server says of every name.
    static let address = "192.0.2.7"

    var facts: [String: Answer] = [:]
    var disks: Result<Disks, any Error>
    var network: Result<Network, any Error>
    var plugging: Result<Plugging, any Error>
    var kill: Result<KilledInWrites, any Error>

    init(_ workshop: Workshop, root: String) throws {
        let files = try DiskFiles(workshop)
        let port = try Loopback.freePort()
        let guest = try GuestShell(
            workshop, prompt: "root@debian:~# ", seconds: 600,
            arguments: DebianImage.arguments(root: root, disks: files.specifications, interfaces: ["hostfwd=tcp:127.0.0.1:\(port)-:5000"]))
        facts["state"] = try guest.run("systemctl is-system-running --wait", seconds: 300)
        for (name, command) in Self.questions { facts[name] = try guest.run(command) }
        network = Result { try Network(guest, forwardedPort: port) }
        disks = Result { try Disks(guest, files) }
        plugging = Result { try Plugging(guest, workshop) }
        kill = Result { try KilledInWrites(guest, workshop, root: root) }
        // The qcow2 image is looked at when its server is gone, too.
        if case .success = disks { disks = Result { try disks.get().afterTheKill(files) } }
    }

    private static let questions = [
        ("failed", "systemctl --failed --plain --no-legend | cat"),
        ("virtualization", "systemd-detect-virt"),
        ("root", "findmnt --noheadings --output SOURCE,FSTYPE /"),
        ("disks", "lsblk --noheadings --list --output NAME,RO,TYPE,MOUNTPOINTS"),
        ("queue", "cd /sys/block/xvda/queue; for name in logical_block_size physical_block_size rotational; do cat $name; done; cd"),
        ("cache", "cat /sys/block/xvda/queue/write_cache"),
        ("terminal", "tty"),
        ("address", "ip -o -4 address show dev enX0"),
        ("link", "ip -o link show dev enX0"),
        ("route", "ip route show default"),
        ("driver", "basename $(readlink /sys/class/net/enX0/device/driver)"),
        ("modalias", "cat /sys/class/net/enX0/device/modalias /sys/block/xvda/device/modalias"),
        ("log", "dmesg"),
    ]
}

/// Images of the host that the guest gets beside its root disk.
struct DiskFiles: Sendable {
    let raw: String
    let qcow2: String
    let readOnly: String

    init(_ workshop: Workshop) throws {
        let blob = DebianFirstBoot.blob
        raw = try workshop.write("raw.img", blob + [UInt8](repeating: 0, count: (64 << 20) - blob.count))
        readOnly = try workshop.write("read-only.img", blob)
        qcow2 = workshop.path + "/disk.qcow2"
        let made = try HostTool.run("qemu-img", "create", "-q", "-f", "qcow2", qcow2, "64M")
        try #require(made.code == 0, "\(made.errors)")
    }

    var specifications: [String] { ["\(raw),raw,xvdb,rw", "\(qcow2),qcow2,xvdc,rw", "\(readOnly),raw,xvdd,ro"] }
}

/// What came of reading and writing disks.
struct Disks: Sendable {
    var read: Answer
    var direct: Answer
    var cached: Answer
    var fio: Answer
    var qcow2: Answer
    var readOnly: Answer
    var readOnlyRead: Answer
    var discard: Answer
    /// Of the raw image while the guest runs, after its flush.
    var directBytes: [UInt8]
    var cachedBytes: [UInt8]
    var readOnlyBytes: [UInt8]
    /// Of the qcow2 image after the guest's process was killed.
    var qcow2Bytes: [UInt8] = []
    var qcow2Check: Run?

    init(_ guest: GuestShell, _ files: DiskFiles) throws {
        let size = DebianFirstBoot.blob.count
        read = try guest.run("dd if=/dev/xvdb iflag=direct bs=64k count=\(size >> 16) status=none | cmp - /root/blob")
        direct = try guest.run("dd if=/root/blob of=/dev/xvdb oflag=direct bs=128k seek=128 conv=fsync status=none")
        cached = try guest.run(
            "dd if=/root/blob of=/dev/xvdb bs=4093 seek=\(DebianFirstBoot.cachedOffset) oflag=seek_bytes conv=fsync status=none")
        directBytes = try HostTool.bytes(of: files.raw, at: DebianFirstBoot.writeOffset, count: size)
        cachedBytes = try HostTool.bytes(of: files.raw, at: DebianFirstBoot.cachedOffset, count: size)
        fio = try guest.run(
            "fio --name=verify --filename=/dev/xvdb --offset=40m --size=8m --rw=randwrite --bsrange=4k-256k --direct=1 --ioengine=libaio "
                + "--iodepth=16 --verify=crc32c --verify_fatal=1 --output-format=terse", seconds: 240)
        qcow2 = try guest.run("dd if=/root/blob of=/dev/xvdc bs=64k seek=256 conv=fsync status=none")
        readOnly = try guest.run("dd if=/root/blob of=/dev/xvdd oflag=direct bs=64k count=1 status=none 2>&1")
        readOnlyRead = try guest.run("cmp /dev/xvdd /root/blob && blockdev --getro /dev/xvdd")
        readOnlyBytes = try HostTool.bytes(of: files.readOnly, at: 0, count: size)
        discard = try guest.run("blkdiscard --offset 50331648 --length 8388608 /dev/xvdb && echo done")
    }

    /// Reads the qcow2 image by a program of the host.
    func afterTheKill(_ files: DiskFiles) throws -> Disks {
        var disks = self
        disks.qcow2Check = try HostTool.run("qemu-img", "check", files.qcow2)
        let raw = files.qcow2 + ".raw"
        let converted = try HostTool.run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", files.qcow2, raw)
        try #require(converted.code == 0, "\(converted.errors)")
        disks.qcow2Bytes = try HostTool.bytes(of: raw, at: DebianFirstBoot.writeOffset, count: DebianFirstBoot.blob.count)
        return disks
    }
}

/// What came of talking to the host; leaves the blob in the guest's /root/blob.
struct Network: Sendable {
    var name: Answer
    var download: Answer
    var sum: Answer
    var uploadBytes: [UInt8]?
    var inward: Answer
    var outwardBytes: [UInt8]
    var ping: Answer

    init(_ guest: GuestShell, forwardedPort: UInt16) throws {
        let blob = DebianFirstBoot.blob
        let names = try LoopbackNameServer(address: DebianFirstBoot.address.split(separator: ".").map { UInt8($0) ?? 0 })
        _ = try guest.run("resolvectl dns enX0 10.0.2.2:\(names.port)")
        name = try guest.run("getent ahostsv4 martlet.test")

        let server = try LoopbackServer.serving(blob)
        download = try guest.run("wget --quiet --tries=1 --timeout=30 --output-document=/root/blob http://10.0.2.2:\(server.port)/")
        sum = try guest.run("sha256sum </root/blob")

        let sink = try LoopbackSink()
        _ = try guest.run("nc -N 10.0.2.2 \(sink.port) </root/blob")
        uploadBytes = sink.first()

        // In by the forwarded port: the guest compares what comes; then it sends the same back.
        guest.type("nc -l -N -p 5000 </dev/null >/root/inward & nc=$!\n")
        let sender = try Self.connect(to: forwardedPort, guest)
        Loopback.write(sender, blob)
        shutdown(sender, Int32(SHUT_WR))
        inward = try guest.run("wait $nc; cmp /root/inward /root/blob && rm /root/inward")
        close(sender)
        guest.type("nc -l -N -p 5000 </root/blob >/dev/null & nc=$!\n")
        // Not shut down for writing: the guest's nc would stop at the end of its input.
        let receiver = try Self.connect(to: forwardedPort, guest)
        outwardBytes = []
        while let more = Loopback.read(receiver) { outwardBytes += more }
        close(receiver)
        ping = try guest.run("ping -c 3 -W 5 10.0.2.2")
    }

    /// The guest's server may need a moment to be there.
    private static func connect(to port: UInt16, _ guest: GuestShell) throws -> Int32 {
        _ = try guest.run("for try in $(seq 100); do ss -ltn | grep -q :5000 && break; sleep 0.1; done")
        return try Loopback.connect(port: port)
    }
}
