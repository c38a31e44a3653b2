import GuestMemory
import Testing
import X86
import XenABI
import XenDomain

/// Compares what a guest observes with the capture of the real hypervisor, in both bitnesses. Every difference has to be
/// listed with its reason in `Tests/differences.txt`, and everything listed there has to differ.
@Suite("Fidelity to the captured hypervisor") struct FidelityTests {
    @Test("A guest observes what the capture shows, except for the listed differences", arguments: [false, true])
    func capture(is64Bit: Bool) throws {
        let expected = try Fixture.observations("probe.txt")
        let listed = try Fixture.differences()
        var probe = try Probe(is64Bit: is64Bit)
        let actual = try probe.run()
        let keys = Set(expected.keys).union(actual.keys)
        let differing = keys.filter { expected[$0] != actual[$0] }
        for key in differing.sorted() where listed[key] == nil {
            Issue.record("\(key): captured \(expected[key] ?? "nothing"), shown \(actual[key] ?? "nothing")")
        }
        for key in listed.keys.sorted() where !differing.contains(key) {
            Issue.record("\(key) is listed as a difference but does not differ")
        }
    }

    /// Registers the engine keeps, and the one that raised #GP in the capture, too.
    private static let elsewhere: Set<UInt32> = [0x174, 0x175, 0x176, 0xc000_0080, 0xc000_0103, 0xc001_1028]

    @Test("The MSRs that a booting Linux uses are there", arguments: ["read", "write"])
    func linux(access: String) throws {
        let list = try #require(try Fixture.observations("linux-msrs.txt")[access])
        let machine = try Machine()
        let vcpu = machine.domain.vcpus[0]
        #expect(vcpu.writeMSR(0x1b, 0xfee0_0d00))
        for text in list.split(separator: " ") {
            let index = try #require(UInt32(text, radix: 16))
            let isThere = access == "read" ? vcpu.readMSR(index) != nil : vcpu.writeMSR(index, vcpu.readMSR(index) ?? 0)
            #expect(isThere != Self.elsewhere.contains(index), "\(text)")
        }
    }

    @Test("Every listed difference has a reason")
    func reasons() throws {
        for (key, reason) in try Fixture.differences() { #expect(reason.count > 10, "\(key)") }
    }
}

/// Files beside the tests.
enum Fixture {
    static func lines(_ name: String, file: String = #filePath) throws -> [Substring] {
        let folder = file.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        return try TextFile.read(folder + "/Fixtures/" + name).split(separator: "\n").filter { !$0.hasPrefix("#") }
    }

    /// The lines of one section of `Tests/differences.txt`.
    static func section(_ name: String) throws -> [Substring] {
        let all = try lines("../../differences.txt")
        guard let start = all.firstIndex(of: Substring("= " + name)) else { throw FixtureError.malformed(name) }
        return Array(all[all.index(after: start)...].prefix { !$0.hasPrefix("= ") })
    }

    /// `key = value` lines.
    static func observations(_ name: String) throws -> [String: String] {
        var result: [String: String] = [:]
        for line in try lines(name) {
            guard let (key, value) = line.separated(by: " = ") else { throw FixtureError.malformed(String(line)) }
            result[key] = value
        }
        return result
    }

    /// `key | reason` lines; a key may end in `[a b c]`, which names one key for each word.
    static func differences() throws -> [String: String] {
        var result: [String: String] = [:]
        for line in try section("interface") {
            guard let (key, reason) = line.separated(by: " | ") else { throw FixtureError.malformed(String(line)) }
            guard let open = key.firstIndex(of: "["), key.hasSuffix("]"), key.contains(" [") else {
                result[key] = reason
                continue
            }
            for word in key[key.index(after: open)...].dropLast().split(separator: " ") {
                result[String(key[..<open]) + String(word)] = reason
            }
        }
        return result
    }
}

enum FixtureError: Error {
    case malformed(String)
    case unreadable(String)
}

extension Substring {
    func separated(by separator: String) -> (String, String)? {
        let pattern = Array(separator)
        let text = Array(self)
        guard text.count >= pattern.count else { return nil }
        for at in 0...(text.count - pattern.count) where Array(text[at..<at + pattern.count]) == pattern {
            return (String(text[..<at]), String(text[(at + pattern.count)...]))
        }
        return nil
    }
}
