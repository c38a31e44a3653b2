import ControlProtocol
import Glibc
import TestSupport
import Testing

/// Guests that come and go at the same time, with the programs as they are installed.
@Suite("Guests at the same time") struct ConcurrencyTests {
    /// Reboots as soon as it runs.
    private var rebooting: [UInt8] { ShutdownReasonTests.kernel("1") }

    @Test("The name of a guest cannot be taken while it is being restarted, and is free once it is destroyed")
    func nameWhileRestarting() throws {
        let place = try Installation()
        let file = try place.configure("again", rebooting)
        #expect(try place.run("create", file).code == 0)
        let log = "\(place.scratch.path)/log/again.log"
        var refusals = 0
        while Scratch.text(log).ranges(of: "Done. Rebooting now").count < 3 {
            let second = try place.run("create", file)
            #expect(second.code == ExitCode.creationFailed.rawValue)
            #expect(second.output.contains("a guest with the name \"again\" exists already"), "\(second.output)")
            refusals += 1
        }
        #expect(refusals > 10)
        #expect(place.guests.count == 1 && place.processes.count == 1)
        #expect(try place.run("destroy", "again").code == 0)
        #expect(try place.run("create", try place.configure("again")).code == 0)
        #expect(try place.run("destroy", "again").code == 0)
        #expect(eventually { place.guests.isEmpty && place.processes.isEmpty })
    }

    @Test("Twenty guests are created at once while others restart: each gets a domain ID of its own, and nothing is left of any")
    func twenty() throws {
        let place = try Installation()
        for name in ["r1", "r2", "r3"] { #expect(try place.run("create", try place.configure(name, rebooting)).code == 0) }
        let names = (0..<20).map { "n\($0)" }
        let creators = try names.map { try place.start("create", try place.configure($0)) }
        for creator in creators {
            let end = creator.wait()
            #expect(end.code == 0, "\(end.output)")
        }
        let rows = try place.run("list").output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(Set(names).isSubset(of: Set(rows.compactMap(\.first))))
        let numbers = rows.dropFirst().compactMap { Int($0[1]) }
        #expect(Set(numbers).count == numbers.count)
        for name in names { #expect(try place.run("destroy", name).code == 0) }
        // A guest that was given up is gone by itself.
        for name in ["r1", "r2", "r3"] { _ = try place.run("destroy", name) }
        #expect(eventually { place.guests.isEmpty && place.processes.isEmpty })
    }

    @Test("Guests of two runtime directories know nothing of each other, whatever their names")
    func twoDirectories() throws {
        let scratch = try Scratch()
        let (one, other) = (try Installation(scratch, runtime: "one"), try Installation(scratch, runtime: "other"))
        #expect(try one.run("create", one.configuration).code == 0)
        #expect(try other.run("create", other.configuration).code == 0)
        #expect(one.guests == ["1"] && other.guests == ["1"])
        #expect(try one.run("destroy", "victim").code == 0)
        #expect(eventually { one.processes.isEmpty })
        let listing = try other.run("list")
        #expect(listing.output.contains("victim"))
        #expect(try other.run("destroy", "victim").code == 0)
        #expect(eventually { other.guests.isEmpty && other.processes.isEmpty })
    }
}
