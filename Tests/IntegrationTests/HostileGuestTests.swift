import Foundation
import Testing

extension GuestTests {
    /// A tiny kernel that mistreats its devices (Guests/hostile), on a real vCPU and against real backends.
    @Suite("A hostile guest") struct HostileGuestTests {
        private static let kernel = Installation.package + "/guests/hostile"
        private static let sectors = 2048

        @Test("Malformed requests, rings and states bring errors to the guest that sends them, and harm to nobody")
        func attack() throws {
            try #require(
                FileManager.default.isReadableFile(atPath: Self.kernel), "there is no \(Self.kernel); scripts/hostile-guest builds it")
            let workshop = try Workshop()
            let pattern = (0..<Self.sectors * 512).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 9) }
            let disk = try workshop.write("disk.img", pattern)
            let bystander = try workshop.martlet("create", "-p", "--timeout=300", workshop.configuration(), seconds: 60)
            #expect(bystander.code == 0, "\(bystander.errors)")
            let hostile = try workshop.start([
                "create", "-c", "--timeout=300", "/dev/null", "name=\"hostile\"", "type=\"pvh\"", "kernel=\"\(Self.kernel)\"",
                "memory=256", "vif=[\"bridge=user\"]", "disk=[\"\(disk),raw,xvda,rw\"]",
            ])

            #expect(hostile.wait(for: "SUCCESS", seconds: 200), "\(hostile.output)\n\(hostile.errors)")
            let complaints = hostile.output.split(separator: "\n").filter { $0.contains("FAIL") }
            #expect(complaints.isEmpty)
            #expect(hostile.output.split(separator: "\n").filter { $0.contains(": ok") }.count > 30)
            let list = try workshop.martlet("list", seconds: 20)
            #expect(["hostile ", "linux "].allSatisfy { name in list.lines.contains { $0.hasPrefix(name) } }, "\(list.output)")
            for name in ["hostile", "linux"] { #expect(try workshop.martlet("destroy", name, seconds: 30).code == 0) }
            #expect(workshop.remains().isEmpty)

            // It may write to sectors 8 to 23 and did; the rest is as it was, and nothing came behind the end.
            let after = try Data(contentsOf: URL(fileURLWithPath: disk))
            #expect(after.count == pattern.count)
            #expect(after.prefix(8 * 512).elementsEqual(pattern.prefix(8 * 512)))
            #expect(after.dropFirst(24 * 512).elementsEqual(pattern.dropFirst(24 * 512)))
            #expect(!after[8 * 512..<16 * 512].elementsEqual(pattern[8 * 512..<16 * 512]))
        }
    }
}
