import ControlProtocol
import DomainConfig
import Foundation
import Glibc
import Testing
import Toolstack

/// Many guests, one after the other and at once, with a stand-in for the guest's process.
@Suite("Many guests", .serialized) struct EnduranceTests {
    private func domain(_ name: String) throws -> DomainDescription {
        let text = "name=\"\(name)\"\ntype=\"pvh\"\nkernel=\"/etc/passwd\"\nmemory=64\n"
        return try ConfigurationFile(content: Array(text.utf8), source: "test").accepted()
    }

    @Test("a thousand guests come and go, and no file, process or memory stays")
    func cycles() async throws {
        // Memory is that of a whole process: one without other tests tells.
        await #expect(processExitsWith: .success) { try EnduranceTests().runCycles() }
    }

    private func runCycles() throws {
        let scratch = try Scratch()
        let registry = try scratch.registry()
        let creation = GuestCreation(registry: registry, environment: scratch.environment)
        let domain = try domain("cycle")
        func cycle() throws {
            let guest = try creation.create(domain, options: CreationOptions()).entry
            try guest.unpause()
            try guest.destroy()
        }
        for _ in 0..<50 { try cycle() }
        let descriptors = try count("/proc/self/fd")
        let memory = residentKiB()
        for _ in 0..<1000 { try cycle() }
        #expect(try count("/proc/self/fd") == descriptors)
        #expect(residentKiB() < memory + 20_000)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.runtimeDirectory).sorted() == ["last-domid", "lock"])
        #expect(try registry.guests().isEmpty)
        #expect(children(of: scratch).isEmpty)
    }

    @Test("twenty guests that are created at once all come to life, each with a number of its own")
    func concurrent() async throws {
        let scratch = try Scratch()
        let registry = try scratch.registry()
        let environment = scratch.environment
        let domains = try (0..<20).map { try domain("n\($0)") }
        let numbers = try await withThrowingTaskGroup(of: UInt16.self) { group in
            for domain in domains {
                group.addTask {
                    try GuestCreation(registry: registry, environment: environment).create(domain, options: CreationOptions()).entry
                        .domainID
                }
            }
            return try await group.reduce(into: Set<UInt16>()) { $0.insert($1) }
        }
        #expect(numbers == Set(1...20))
        #expect(Set(try registry.guests().map(\.description.name)) == Set(domains.map(\.name)))
        for guest in try registry.guests() { try guest.destroy() }
        #expect(try registry.guests().isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.runtimeDirectory).sorted() == ["last-domid", "lock"])
    }

    private func count(_ directory: String) throws -> Int { try FileManager.default.contentsOfDirectory(atPath: directory).count }

    private func residentKiB() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0) * sysconf(Int32(_SC_PAGESIZE)) / 1024
    }

    /// Guest processes of this test, dead ones included: they are looked for until they are gone, at most five seconds.
    private func children(of scratch: Scratch) -> [Int32] {
        var found: [Int32] = []
        for _ in 0..<50 {
            _ = try? scratch.registry().guests()
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            found = names.compactMap { Int32($0) }.filter { process in
                let status = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
                let words = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") ?? Data()
                let isZombie = status.contains("(fake-guest) Z \(getpid()) ")
                return isZombie || String(decoding: words, as: UTF8.self).contains(scratch.path)
            }
            if found.isEmpty { break }
            usleep(100_000)
        }
        return found
    }
}
