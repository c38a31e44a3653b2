import ControlProtocol
import Glibc
import Testing
import Toolstack

@Suite("The registry of guests") struct RegistryTests {
    @Test(
        "the runtime directory follows the environment",
        arguments: [
            (["MARTLET_RUNTIME_DIR": "/a/b", "XDG_RUNTIME_DIR": "/x"], 0, "/a/b"),
            (["XDG_RUNTIME_DIR": "/x"], 1000, "/x/martlet"),
            (["MARTLET_RUNTIME_DIR": "", "XDG_RUNTIME_DIR": ""], 1000, "/tmp/martlet-1000"),
            ([:], 0, "/run/martlet"),
            ([:], 1000, "/tmp/martlet-1000"),
        ] as [([String: String], UInt32, String)])
    func runtimeDirectory(variables: [String: String], user: UInt32, expected: String) {
        #expect(Environment(variables: variables, userID: user).runtimeDirectory == expected)
    }

    @Test(
        "logs follow the environment",
        arguments: [
            (["MARTLET_LOG_DIR": "/l", "HOME": "/h"], 1000, "/l"), (["HOME": "/h"], 1000, "/h/.local/state/martlet"),
            (["XDG_STATE_HOME": "/s", "HOME": "/h"], 1000, "/s/martlet"), ([:], 0, "/var/log/martlet"), ([:], 1000, nil),
        ] as [([String: String], UInt32, String?)])
    func logDirectory(variables: [String: String], user: UInt32, expected: String?) {
        #expect(Environment(variables: variables, userID: user).logDirectory == expected)
    }

    @Test("the directory is made, with those above it")
    func made() throws {
        let scratch = try Scratch()
        #expect(try GuestRegistry(directory: scratch.path + "/a/b/c").guests().isEmpty)
        #expect(scratch.exists("a/b/c"))
    }

    @Test("a directory others can write, or a file, is refused with a remedy")
    func refused() throws {
        let scratch = try Scratch()
        scratch.makeDirectory("open")
        unsafe chmod(scratch.path + "/open", 0o777)
        scratch.write("file", "")
        for name in ["open", "file", "file/below"] {
            let error = #expect(throws: OperatorError.self) { try GuestRegistry(directory: "\(scratch.path)/\(name)") }
            #expect(error?.cause.contains("\(scratch.path)/file") == true || error?.cause.contains("\(scratch.path)/open") == true)
            #expect(error?.remedy.contains("MARTLET_RUNTIME_DIR") == true)
        }
    }

    @Test("directories nobody holds are stale: ignored and removed")
    func stale() throws {
        let scratch = try Scratch()
        let registry = try scratch.registry()
        scratch.makeDirectory("run/7")
        scratch.makeDirectory("run/8")
        for name in ["lock", "guest.json", "control.sock"] { scratch.write("run/8/\(name)", "x") }
        scratch.makeDirectory("run/not-a-guest")
        #expect(try registry.guests().isEmpty)
        #expect(!scratch.exists("run/7") && !scratch.exists("run/8"))
        #expect(scratch.exists("run/not-a-guest"))
    }

    @Test("where it cannot be found out whether a directory is held, it stays")
    func unknown() throws {
        let scratch = try Scratch()
        let registry = try scratch.registry()
        // A lock that cannot be opened for another reason than being missing.
        scratch.makeDirectory("run/3")
        scratch.makeDirectory("run/3/lock")
        scratch.makeDirectory("run/4")
        #expect(try registry.guests().isEmpty)
        #expect(scratch.exists("run/3/lock") && !scratch.exists("run/4"))
    }

    @Test("a held directory is alive, with or without a readable description")
    func held() throws {
        let scratch = try Scratch()
        let registry = try scratch.registry()
        let reservation = try registry.reserve { guest($0) }
        scratch.makeDirectory("run/99")
        let lock = try GuestLock.take(directory: scratch.path + "/run/99", waiting: false)
        scratch.write("run/99/guest.json", "{")
        let found = try registry.guests()
        #expect(found.map(\.description.name) == ["t"])
        #expect(scratch.exists("run/99"))
        let directory = reservation.directory
        #expect(directory == scratch.path + "/run/\(found[0].domainID)")
        extendLifetime(lock)
        extendLifetime(reservation)
    }

    @Test("a guest is found by number or name, and only by those")
    func find() throws {
        let scratch = try Scratch()
        let registry = try scratch.registry()
        let reservation = try registry.reserve { guest($0, name: "web") }
        #expect(try registry.find("web").domainID == 1)
        #expect(try registry.find("1").description.name == "web")
        for word in ["we", "2", "99999999999", "", "WEB"] {
            let error = #expect(throws: OperatorError.self) { try registry.find(word) }
            #expect(error?.cause.contains("is an invalid domain identifier") == true)
            #expect(error?.remedy == "there are: web")
        }
        extendLifetime(reservation)
    }

    @Test("a name or a UUID serves one guest at a time")
    func unique() throws {
        let scratch = try Scratch()
        let registry = try scratch.registry()
        let uuid = RandomUUID.make()
        let first = try registry.reserve { guest($0, uuid: uuid) }
        #expect(reserveError(registry, guest(0))?.cause == "a guest with the name \"t\" exists already (domain 1)")
        #expect(reserveError(registry, guest(0, name: "u", uuid: uuid))?.cause.contains("has the UUID") == true)
        extendLifetime(first)
        _ = consume first
        #expect(reserveError(registry, guest(0)) == nil, "the name is free once its holder is gone")
    }

    @Test("domain IDs go up, and start over behind the last")
    func domainIDs() throws {
        let scratch = try Scratch()
        let registry = try scratch.registry()
        var ids: [UInt16] = []
        for round in 0..<4 {
            if round == 2 { scratch.write("run/last-domid", "32750\n") }
            let reservation = try registry.reserve { guest($0) }
            ids.append(reservation.description.domainID)
        }
        #expect(ids == [1, 2, 32751, 1])
    }

    @Test("a damaged counter starts at 1")
    func damagedCounter() throws {
        let scratch = try Scratch()
        let registry = try scratch.registry()
        scratch.write("run/last-domid", "99999x")
        let reservation = try registry.reserve { guest($0) }
        let id = reservation.description.domainID
        #expect(id == 1)
    }

    private func reserveError(_ registry: GuestRegistry, _ description: GuestDescription) -> OperatorError? {
        do throws(OperatorError) {
            _ = try registry.reserve { id in
                var description = description
                description.domainID = id
                return description
            }
            return nil
        } catch {
            return error
        }
    }
}

@Suite("The text of list") struct ListingTests {
    @Test("columns are xl's to the byte")
    func rows() {
        let rows = [
            GuestListing.Row(
                domainID: 0, name: "Domain-0", uuid: "00000000-0000-0000-0000-000000000000", memoryMiB: 1500, vcpus: 1,
                state: GuestState(running: true), seconds: 11.9),
            GuestListing.Row(
                domainID: 10, name: "t", uuid: "db2bb128-e32f-4037-8752-520574c3a918", memoryMiB: 256, vcpus: 2,
                state: GuestState(shutdownReason: .crash), seconds: 0.04),
        ]
        #expect(
            GuestListing(rows: rows).text() == """
                Name                                        ID   Mem VCPUs\tState\tTime(s)
                Domain-0                                     0  1500     1     r-----      11.9
                t                                           10   256     2     ---sc-       0.0

                """)
        #expect(
            GuestListing(rows: rows).text(.uuid) == """
                Name                                        ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code\tSecurity Label
                Domain-0                                     0  1500     1     r-----      11.9 00000000-0000-0000-0000-000000000000        -                -
                t                                           10   256     2     ---sc-       0.0 db2bb128-e32f-4037-8752-520574c3a918        3                -

                """)
    }

    @Test("a name that is too long pushes the columns, it is not cut")
    func longName() {
        let name = String(repeating: "n", count: 60)
        let row = GuestListing.Row(domainID: 1, name: name, uuid: "", memoryMiB: 1, vcpus: 1, state: GuestState(), seconds: 1e20)
        #expect(GuestListing(rows: [row]).text().hasSuffix("\(name)     1     1     1     ------         -\n"))
    }
}
