import Foundation
import Glibc
import Testing

/// A guest that writes and flushes block after block, names each on its console when it is flushed, and is killed meanwhile.
struct KilledInWrites: Sendable {
    static let blockSize = 4096
    /// Where the blocks lie on the raw disk.
    static let rawOffset = 4 << 20
    /// How many flushed blocks to wait for.
    static let enough = 40

    /// Numbers the guest has named.
    var reported: [Int]
    /// Those of them that are not as they should be in the file of the file system, and on the raw disk.
    var missingInFile: [Int]
    var missingOnDisk: [Int]
    /// The first check replays the journal; the second has nothing left to find.
    var repair: Run
    var check: Run
    var list: Run
    var remains: [String]

    /// Block N holds N in each of its lines. All is flushed before N is named.
    private static let script = """
        n=0; while :; do
        yes "block $n" | head -c \(blockSize) >/run/block
        dd if=/run/block of=/root/numbered bs=\(blockSize) seek=$n conv=notrunc,fsync status=none || break
        dd if=/run/block of=/dev/xvdb bs=\(blockSize) seek=$((n + \(rawOffset / blockSize))) conv=notrunc,fsync status=none || break
        echo "flushed $n."; n=$((n + 1)); done
        """

    init(_ guest: GuestShell, _ workshop: Workshop, root: String) throws {
        // Writes without flushes beside those with.
        _ = try guest.run("(while :; do dd if=/root/blob of=/root/noise bs=100k status=none; rm /root/noise; done) &")
        guest.type(Self.script + "\n")
        try #require(guest.session.wait(for: "flushed \(Self.enough).", seconds: 180), "\(guest.session.output.suffix(2000))")
        for process in workshop.guestProcesses { Glibc.kill(process, SIGKILL) }
        reported = try Self.numbers(in: guest.session.finish(seconds: 30).output)
        list = try workshop.martlet("list", seconds: 30)
        remains = workshop.remains()

        // A copy is checked: the second boot shall find the disk as it is.
        let copy = root + ".check"
        _ = try HostTool.run("cp", "--sparse=always", root, copy)
        repair = try HostTool.run("e2fsck", "-p", copy)
        check = try HostTool.run("e2fsck", "-f", "-n", copy)
        _ = try HostTool.run("debugfs", "-R", "dump /root/numbered \(copy).numbered", copy)
        missingInFile = Self.missing(reported, in: "\(copy).numbered", at: 0)
        missingOnDisk = Self.missing(reported, in: "\(workshop.path)/raw.img", at: Self.rawOffset)
    }

    private static func numbers(in output: String) -> [Int] {
        output.split(whereSeparator: \.isNewline).compactMap { line in
            line.hasPrefix("flushed ") && line.hasSuffix(".") ? Int(line.dropFirst(8).dropLast()) : nil
        }
    }

    private static func missing(_ numbers: [Int], in path: String, at offset: Int) -> [Int] {
        numbers.filter { number in
            let line = Array("block \(number)\n".utf8)
            let expected = (0..<blockSize).map { line[$0 % line.count] }
            return (try? HostTool.bytes(of: path, at: offset + number * blockSize, count: blockSize)) != expected
        }
    }
}

/// The next boot from the disk that the killed guest has left; it ends properly.
struct DebianSecondBoot: Sendable {
    var state: Answer
    var numbered: Answer
    var end: Run
    var check: Run
    var remains: [String]

    init(_ workshop: Workshop, root: String) throws {
        let guest = try GuestShell(
            workshop, prompt: "root@debian:~# ", seconds: 600, arguments: DebianImage.arguments(root: root))
        state = try guest.run("systemctl is-system-running --wait", seconds: 300)
        numbered = try guest.run("head -n 1 /root/numbered")
        guest.type("poweroff\n")
        end = try guest.session.finish(seconds: 120)
        check = try HostTool.run("e2fsck", "-f", "-n", root)
        remains = workshop.remains()
    }
}
