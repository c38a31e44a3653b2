import ControlProtocol
import Foundation
import Testing
import Toolstack

/// What xl wrote and how it ended, against the program with a stand-in for the guest's process.
@Suite("As xl has it") struct GoldenTests {
    @Test("a session with a running guest: the same listings, JSON and exit codes")
    func session() throws {
        let scratch = try Scratch()
        for name in ["vmlinuz-61c", "initrd-61c.gz", "out.raw", "b.raw"] { scratch.write(name, "x") }
        scratch.write("g1.cfg", try placed(Fixtures.text("g1.cfg"), in: scratch))
        var differences = try Fixtures.differences("running-guest.txt")
        for step in try Fixtures.steps("running-guest.txt") {
            let words = step.words.map { $0 == "g1.cfg" ? scratch.path + "/g1.cfg" : placed($0, in: scratch) }
            let run = try CommandRun.martlet(words, in: scratch, name: "xl")
            let expected = placed(step.output, in: scratch)
            compare("exit", step, run.code == step.code, "code \(run.code) instead of \(step.code): \(run.errors)", &differences)
            compare("output", step, generic(run.output) == generic(expected), "\(run.output)\ninstead of\n\(expected)", &differences)
        }
        #expect(differences == [], "listed, but not there")
    }

    @Test("every way to call a command wrongly ends with xl's code")
    func exitCodes() async throws {
        let scratch = try Scratch()
        var differences = try Fixtures.differences("exit-codes.txt")
        let steps = try Fixtures.lines("exit-codes.txt").map { line in
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            return Fixtures.Step(command: parts[1], output: "", code: Int32(parts[0]) ?? -1, occurrence: 1)
        }
        for step in steps {
            let run = try CommandRun.martlet(step.words, in: scratch, name: "xl")
            compare("exit", step, run.code == step.code, "code \(run.code) instead of \(step.code): \(run.errors)", &differences)
        }
        #expect(differences == [], "listed, but not there")
    }

    @Test("every command of xl is known: it works here, or says in a line why not and in another what to do instead")
    func allVerbs() throws {
        let scratch = try Scratch()
        let help = try CommandRun.martlet(["help"], in: scratch).output
        for verb in try Fixtures.lines("xl-verbs.txt") {
            if help.contains("  \(verb) ") || verb == "trigger" { continue }
            let run = try CommandRun.martlet([verb, "x", "y"], in: scratch)
            #expect(run.code == 1)
            #expect(run.output.isEmpty)
            #expect(run.errorLines.count == 2 && run.errorLines[0].hasPrefix("command not implemented: \(verb): "), "\(run.errors)")
            #expect(try CommandRun.martlet(["help", verb], in: scratch).code == 0)
        }
    }

    /// Files of the captured host lie in the test's directory.
    private func placed(_ text: String, in scratch: Scratch) -> String {
        text.replacing("/tmp", with: "/mnt/g").replacing("/mnt/g", with: scratch.path)
    }

    private func compare(
        _ what: String, _ step: Fixtures.Step, _ isEqual: Bool, _ comment: @autoclosure () -> String,
        _ differences: inout [Fixtures.Difference]
    ) {
        let names = [step.command, "\(step.command) #\(step.occurrence)"]
        if let index = differences.firstIndex(where: { names.contains($0.command) && $0.what == what }) {
            #expect(!isEqual, "\(step.testDescription): listed as different, but is not")
            differences.remove(at: index)
        } else {
            #expect(isEqual, "\(step.testDescription): \(comment())")
        }
    }

    /// Without what is random or a measurement: UUIDs and times.
    private func generic(_ text: String) -> String {
        text.replacing(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/) { match in
            match.output.allSatisfy { $0 == "0" || $0 == "-" } ? String(match.output) : "UUID"
        }.replacing(/\ +[0-9]+\.[0-9]/, with: " TIME")
    }
}

/// The pure texts: every line xl wrote in the captured sessions, read and written again.
@Suite("Listings to the byte") struct ListingGoldenTests {
    /// The captured lines of a listing: heading and rows.
    private func captured(_ command: String) throws -> [String] {
        let blocks = try Fixtures.text("listings.txt").components(separatedBy: "$ ").dropFirst()
        let block = try #require(blocks.first { $0.hasPrefix(command + "\n") })
        return Array(block.components(separatedBy: "\n").dropFirst().dropLast())
    }

    private func row(_ words: [Substring]) throws -> GuestListing.Row {
        let letters = Array(words[4])
        let reasons: [Character: ShutdownReason] = [
            "-": .poweroff, "r": .reboot, "s": .suspend, "c": .crash, "w": .watchdog, "S": .softReset, "?": ShutdownReason(rawValue: 9),
        ]
        let state = GuestState(
            running: letters[0] == "r", blocked: letters[1] == "b", paused: letters[2] == "p",
            shutdownReason: letters[3] == "s" ? reasons[letters[4]] : nil, dying: letters[5] == "d")
        return GuestListing.Row(
            domainID: try #require(UInt16(words[1])), name: String(words[0]),
            uuid: words.count > 6 ? String(words[6]) : "", memoryMiB: try #require(UInt64(words[2])), vcpus: try #require(Int(words[3])),
            state: state, seconds: try #require(Double(words[5])))
    }

    @Test(
        "list in all its forms, and claims",
        arguments: [
            ("list", []), ("list -v", .uuid), ("list -c", .pool), ("list -n", .affinity), ("list -Z", .label), ("claims", .claims),
        ] as [(String, GuestListing.Extras)])
    func list(command: String, extras: GuestListing.Extras) throws {
        let lines = try captured(command)
        let rows = try lines.dropFirst().map { try row($0.split(separator: " ")) }
        #expect(rows.count > 0)
        #expect(GuestListing(rows: rows, processors: [0]).text(extras) == lines.joined(separator: "\n") + "\n")
    }

    @Test("vm-list and sharing")
    func others() throws {
        let rows = try captured("vm-list").dropFirst().map { line in
            let words = line.split(separator: " ")
            return GuestListing.Row(
                domainID: try #require(UInt16(words[1])), name: String(words[2]), uuid: String(words[0]), memoryMiB: 1500, vcpus: 1,
                state: GuestState(), seconds: 0)
        }
        #expect(try GuestListing(rows: rows).uuidText == captured("vm-list").joined(separator: "\n") + "\n")
        #expect(try GuestListing(rows: [rows[0]]).sharingText == captured("sharing").joined(separator: "\n") + "\n")
    }

    @Test("vcpu-list")
    func vcpus() throws {
        let lines = try captured("vcpu-list")
        let rows = try lines.dropFirst().map { line in
            let words = line.split(separator: " ")
            let letters = Array(words[4])
            let isOnline = words[3] != "-"
            let seconds = try #require(Double(words[5]))
            return VCPUListing.Row(
                name: String(words[0]), domainID: try #require(UInt16(words[1])), number: try #require(Int(words[2])),
                status: VCPUStatus(
                    online: isOnline, running: letters[0] == "r", blocked: letters[1] == "b", processor: isOnline ? Int(words[3]) : nil,
                    timeNanoseconds: UInt64(seconds * 1e9)), isPaused: isOnline && letters[2] == "p")
        }
        #expect(VCPUListing(rows: rows, processors: [0]).text == lines.joined(separator: "\n") + "\n")
    }

    @Test("uptime, long and short")
    func uptime() throws {
        let rows = try captured("uptime").dropFirst().map { line in
            let words = line.split(separator: " ")
            let parts = words[2].split(separator: ":").compactMap { UInt64($0) }
            return UptimeListing.Row(
                name: String(words[0]), domainID: try #require(UInt16(words[1])), seconds: parts[0] * 3600 + parts[1] * 60 + parts[2])
        }
        #expect(try UptimeListing(rows: rows).text == captured("uptime").joined(separator: "\n") + "\n")
        let short = UptimeListing(rows: [.init(name: "Domain-0", domainID: 0, seconds: 14)]).shortText(clock: "02:59:08")
        #expect(try short == captured("uptime -s").joined(separator: "\n") + "\n")
    }

    @Test("block-list and network-list")
    func devices() throws {
        let blocks = try captured("block-list")
        for line in blocks.dropFirst() {
            let words = line.split(separator: " ")
            var device = DeviceStatus(
                kind: "vbd", id: try #require(UInt32(words[0])), state: try #require(Int(words[3])), backendPath: String(words[6]))
            if let port = UInt32(words[4]) { device.eventChannels = [port] }
            if let reference = UInt32(words[5]) { device.ringReferences = [reference] }
            #expect(DeviceListing(domainID: try #require(UInt16(words[2])), devices: [device]).blockLines == line + "\n")
        }
        let networks = try captured("network-list")
        for line in networks.dropFirst() {
            let words = line.split(separator: " ")
            var device = DeviceStatus(
                kind: "vif", id: try #require(UInt32(words[0])), state: try #require(Int(words[4])), backendPath: String(words[7]))
            device.mac = String(words[2])
            device.eventChannels = [1, 2]
            device.ringReferences = words[6].split(separator: "/").compactMap { UInt32($0) }
            #expect(DeviceListing(domainID: 1, devices: [device]).networkLines == line + "\n")
        }
        #expect(DeviceListing.blockHeading == blocks[0] + "\n")
        #expect(DeviceListing.networkHeading == networks[0] + "\n")
    }

    @Test("cpupool-list")
    func pools() throws {
        let listing = PoolListing(processors: [0], domainCount: 1)
        #expect(try listing.text == captured("cpupool-list").joined(separator: "\n") + "\n")
        #expect(try listing.processorText == captured("cpupool-list -c").joined(separator: "\n") + "\n")
    }

    @Test("info, with the tables of processors and nodes")
    func info() throws {
        let text = try Fixtures.text("info.txt")
        let fields = text.split(separator: "\n").map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            return (name: String(line[..<colon]).trimmingCharacters(in: .whitespaces), value: String(line[colon...].dropFirst(2)))
        }
        let topology = HostTopology(processors: [], nodes: [.init(number: 0, memoryMiB: 5120, freeMiB: 2548, distances: [10])])
        let information = HostInformation(fields: fields, topology: topology)
        #expect(information.text() == text)
        #expect(try information.text(numa: true) == Fixtures.text("info-numa.txt"))
        #expect(HostInformation.current.fields.map(\.name) == fields.map(\.name), "the same names in the same order")
    }
}
