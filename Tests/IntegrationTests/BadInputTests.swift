import Foundation
import Glibc
import Testing

extension GuestTests {
    /// Whatever is wrong: a line that names it, an exit code, and nothing left behind.
    @Suite("Bad input") struct BadInputTests {
        private static let creationCodes: Set<Int32> = [3, 6]

        /// Creates a guest with its console and holds the outcome against what has to be true of every failure.
        private func fails(_ workshop: Workshop, _ file: String, codes: Set<Int32>, naming: [String], timeout: Int = 60) throws {
            let run = try workshop.martlet("create", "-q", "-c", "--timeout=\(timeout)", file, seconds: timeout + 60)
            #expect(codes.contains(run.code), "code \(run.code): \(run.errors)\n\(run.output.suffix(1000))")
            let lines = run.errorLines
            #expect((1...3).contains(lines.count), "\(run.errors)")
            for word in naming { #expect(run.errors.contains(word), "\(word) is not in: \(run.errors)") }
            let remains = workshop.remains()
            #expect(remains.isEmpty, "left behind: \(remains)")
        }

        private func kernel() throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: Installation.kernel))) }

        @Test("A kernel that does not exist, is empty, a directory, or no kernel")
        func noKernel() throws {
            let workshop = try Workshop()
            let missing = workshop.path + "/missing"
            let cases = [
                missing, try workshop.write("empty", []), workshop.path, try workshop.write("text", Array("no kernel at all\n".utf8)),
            ]
            for path in cases {
                try fails(workshop, workshop.configuration(kernel: path), codes: Self.creationCodes, naming: [path])
            }
        }

        @Test("A kernel that is cut off at any place", arguments: [1, 100, 511, 512, 0x250, 4096, 100_000, 1 << 20, 5 << 20])
        func truncated(length: Int) throws {
            let workshop = try Workshop()
            let path = try workshop.write("short", kernel().prefix(length))
            try fails(workshop, workshop.configuration(kernel: path), codes: Self.creationCodes, naming: [path])
        }

        @Test("A kernel whose header says something else", arguments: [0x1f1, 0x202, 0x249, 0x24b, 0x24e, 0x24f])
        func changedHeader(offset: Int) throws {
            let workshop = try Workshop()
            var bytes = try kernel()
            bytes[offset] ^= 0xff
            let path = try workshop.write("changed", bytes)
            try fails(workshop, workshop.configuration(kernel: path), codes: Self.creationCodes, naming: [path])
        }

        @Test(
            "A kernel with one bit of its payload changed fails to unpack, or runs and comes to an end",
            arguments: 1...6 as ClosedRange<UInt64>)
        func changedPayload(seed: UInt64) throws {
            let workshop = try Workshop()
            var bytes = try kernel()
            let place = Int(seed &* 0x9e37_79b9_7f4a_7c15 % UInt64(bytes.count - 0x10000)) + 0x8000
            bytes[place] ^= 1 << UInt8(seed & 7)
            let file = try workshop.configuration(kernel: workshop.write("changed", bytes))
            let run = try workshop.martlet("create", "-q", "-c", "--timeout=5", file, seconds: 90)
            #expect([0, 3, 6, 30, 124].contains(run.code), "bit \(seed & 7) at \(place): \(run.code) \(run.errors)")
            #expect(run.code == 0 || !run.errorLines.isEmpty, "bit \(seed & 7) at \(place)")
            #expect(workshop.remains().isEmpty)
        }

        @Test("A ramdisk that does not exist")
        func noRamdisk() throws {
            let workshop = try Workshop()
            let path = workshop.path + "/missing"
            try fails(workshop, workshop.configuration(ramdisk: path), codes: Self.creationCodes, naming: [path])
        }

        @Test("A ramdisk of garbage lets the kernel panic, and that is a crash")
        func garbageRamdisk() throws {
            let workshop = try Workshop()
            let path = try workshop.write("garbage", (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 8) })
            try fails(workshop, workshop.configuration(ramdisk: path), codes: [30], naming: ["crash"], timeout: 300)
        }

        @Test("Memory that the kernel does not fit into")
        func smallMemory() throws {
            let workshop = try Workshop()
            try fails(workshop, workshop.configuration(memory: 8), codes: [3, 5, 6], naming: ["memory"])
        }

        @Test("More memory than the host has")
        func largeMemory() throws {
            let workshop = try Workshop()
            try fails(workshop, workshop.configuration(memory: 1 << 26), codes: [3, 5, 6], naming: ["memory"])
        }

        @Test("A runtime directory that cannot be made")
        func runtimeDirectory() throws {
            let workshop = try Workshop()
            workshop.runtimeDirectory = try workshop.write("file", Array("in the way".utf8)) + "/run"
            try fails(workshop, workshop.configuration(), codes: [3], naming: [workshop.runtimeDirectory])
        }

        @Test("A syntax error in the configuration is shown with file and line")
        func syntax() throws {
            let workshop = try Workshop()
            let file = try workshop.write("broken.cfg", Array("name=\"x\"\nmemory = = 3\n".utf8))
            try fails(workshop, file, codes: [1], naming: [file + ":2"])
        }
    }
}
