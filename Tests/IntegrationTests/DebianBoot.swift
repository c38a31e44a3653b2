import Foundation
import Glibc
import Testing

/// What one life of a Debian guest showed: it is booted with disks and a network, worked with, and killed in the middle of writes. A
/// second guest then boots from the disk the first has left, and powers off.
///
/// One boot takes most of a minute, so that many tests look at this one. Each part catches its own errors: what failed in one
/// leaves the others to be judged.
final class DebianBoot: Sendable {
    static let result = Result { try DebianBoot() }

    let first: DebianFirstBoot
    let second: DebianSecondBoot

    private init() throws {
        let workshop = try Workshop()
        try DebianImage.require()
        let root = try DebianImage.copy(into: workshop.path)
        first = try DebianFirstBoot(workshop, root: root)
        second = try DebianSecondBoot(workshop, root: root)
    }
}

/// The files of `scripts/debian-image`.
enum DebianImage {
    static let directory = Installation.package + "/guests/debian"

    /// Why there is no such guest; nil when it is complete.
    static let obstacle: String? = {
        let missing = ["root.img", "vmlinuz", "initrd.img"].map { "\(directory)/\($0)" }.first {
            !FileManager.default.isReadableFile(atPath: $0)
        }
        return missing.map { "there is no \($0); scripts/debian-image builds it" }
    }()

    /// - Throws: when it is not complete although it is required.
    static func require() throws {
        if let obstacle { throw Installation.Obstacle(description: obstacle) }
    }

    /// A disk to write on.
    static func copy(into path: String) throws -> String {
        let copy = try HostTool.run("cp", "--sparse=always", "--reflink=auto", "\(directory)/root.img", "\(path)/root.img")
        try #require(copy.code == 0, "\(copy.errors)")
        return "\(path)/root.img"
    }

    /// Arguments of `martlet create` for a Debian with these disks and interfaces behind the root disk.
    static func arguments(root: String, disks: [String] = [], interfaces: [String] = []) -> [String] {
        func list(_ items: [String]) -> String { "[" + items.map { "\"\($0)\"" }.joined(separator: ",") + "]" }
        return [
            "--timeout=900", "/dev/null", "name=\"debian\"", "type=\"pvh\"", "kernel=\"\(directory)/vmlinuz\"",
            "ramdisk=\"\(directory)/initrd.img\"", "root=\"/dev/xvda ro\"", "extra=\"console=hvc0\"", "memory=512", "vcpus=1",
            "disk=" + list(["\(root),raw,xvda,rw"] + disks), "vif=" + list(interfaces),
        ]
    }
}

/// Programs of the host.
enum HostTool {
    /// Runs a program to its end; its output has to be small.
    static func run(_ words: String...) throws -> Run {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let complaints = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Run(code: process.terminationStatus, output: text, errors: complaints)
    }

    /// Bytes of a file.
    static func bytes(of path: String, at offset: Int, count: Int) throws -> [UInt8] {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }
        try file.seek(toOffset: UInt64(offset))
        return Array(try file.read(upToCount: count) ?? Data())
    }
}
