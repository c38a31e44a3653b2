import Foundation
import Testing

/// The programs and guest files these tests run: a release build, and what `scripts/guests` fetches.
enum Installation {
    private static let environment = ProcessInfo.processInfo.environment

    /// `$MARTLET_BIN`, else `.build/release` of the package.
    static let programs = environment["MARTLET_BIN"] ?? package + "/.build/release"
    static let kernel = package + "/guests/vmlinuz"
    static let ramdisk = package + "/guests/initramfs.gz"
    static let grub = package + "/guests/grub-pvh"
    static var martlet: String { programs + "/martlet" }

    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// Why the tests cannot run; nil when they can.
    static let obstacle: String? = {
        for program in [martlet, programs + "/martlet-guest"] where !FileManager.default.isExecutableFile(atPath: program) {
            return "there is no \(program); scripts/build makes it"
        }
        for file in [kernel, ramdisk] where !FileManager.default.isReadableFile(atPath: file) {
            return "there is no \(file); scripts/guests fetches it"
        }
        return nil
    }()

    /// Whether that is a failure instead of a reason to skip.
    static let isRequired = environment["CI"] == "true" || environment["MARTLET_REQUIRE_GUEST"] == "1"

    /// - Throws: when something is missing although it is required.
    static func require() throws {
        if let obstacle { throw Obstacle(description: obstacle) }
    }

    struct Obstacle: Error, CustomStringConvertible { var description: String }
}

/// All tests that start guests: one after the other, for each keeps a core busy.
@Suite(
    "Guests", .serialized,
    .enabled(if: Installation.obstacle == nil || Installation.isRequired, Comment(rawValue: Installation.obstacle ?? "")))
struct GuestTests {}
