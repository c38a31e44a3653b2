import ControlProtocol
import Glibc
import HostIO
import TestSupport
import Testing

/// The programs as they are installed, killed at any moment.
@Suite("Killed programs") struct KillTests {
    @Test("However early or late `create` is killed, the guest is there in full or not at all, and its name can be used")
    func creator() throws {
        let place = try Installation()
        for moment in 0..<24 {
            let creator = try place.start("create", place.configuration)
            usleep(UInt32(moment * 4000))
            kill(creator.process, SIGKILL)
            _ = creator.wait()
            // A guest's process that was just started notices within moments that nobody waits for its report.
            #expect(eventually { place.processes.isEmpty || Scratch.text("\(place.runtime)/\(place.guests.first ?? "")/guest.json") != "" })
            usleep(50_000)
            let listing = try place.run("list")
            #expect(listing.code == 0)
            if listing.output.contains("victim") {
                #expect(place.processes.count == 1)
                #expect(try place.run("destroy", "victim").code == 0)
            }
            #expect(eventually { place.processes.isEmpty }, "an orphan stays after \(moment)")
            let again = try place.run("create", place.configuration)
            #expect(again.code == 0, "\(again.output)")
            #expect(try place.run("destroy", "victim").code == 0)
            #expect(eventually { place.guests.isEmpty && place.processes.isEmpty })
        }
    }

    @Test("A guest's process that is killed leaves nothing that stands in the way")
    func guest() throws {
        let place = try Installation()
        for _ in 0..<6 {
            #expect(try place.run("create", place.configuration).code == 0)
            let process = try #require(place.processes.first)
            kill(process, SIGKILL)
            #expect(eventually { place.processes.isEmpty })
            // Its lock goes a moment after its memory.
            #expect(try eventually { try !place.run("list").output.contains("victim") })
            #expect(place.guests.isEmpty)
        }
    }
}
