import Testing

/// The comparison itself has to be able to fail; this needs no guest.
@Suite("Comparison of kernel logs") struct MilestonesTests {
    private func complaints(_ log: [String], differences: [String] = []) throws -> [String] {
        try Milestones(milestones: ["one", "two * end", "6.1|three"], differences: differences, release: "6.1.0-1")
            .complaints(about: log)
    }

    @Test(
        "Logs are judged",
        arguments: [
            (["one", "x", "two is the end", "three"], []),
            (["two is the end", "one", "three"], ["out of order: two * end"]),
            (["one", "three"], ["missing: two * end"]),
            ([], ["missing: one", "missing: two * end", "missing: three"]),
        ])
    func judgement(log: [String], expected: [String]) throws {
        #expect(try complaints(log) == expected)
    }

    @Test("A listed difference has to be there")
    func listed() throws {
        let differences = ["one | uno | a reason that is long enough", "three | | a reason that is long enough"]
        #expect(try complaints(["uno", "two x end"], differences: differences).isEmpty)
        #expect(try complaints(["one", "two x end"], differences: differences).count == 2)
        #expect(try complaints(["uno", "two x end", "three"], differences: differences).count == 1)
    }

    @Test(
        "A difference without a reason, or of a line that is no milestone, is refused",
        arguments: ["one | uno", "four | | a reason that is long enough"])
    func malformed(line: String) {
        #expect(throws: Milestones.MalformedLine.self) { try complaints([], differences: [line]) }
    }

    @Test("Lines of another series are left out")
    func series() throws {
        let milestones = try Milestones(milestones: ["6.1|x", "y"], differences: [], release: "6.12.5")
        #expect(milestones.complaints(about: ["y"]).isEmpty)
    }

    @Test("The fixtures are well-formed")
    func fixtures() throws {
        let milestones = try Milestones(
            milestones: Fixture.lines("milestones.txt"), differences: Fixture.differences("kernel log"), release: "6.1.0")
        #expect(milestones.expectations.count > 50)
        #expect(milestones.expectations.filter(\.isListed).count == (try Fixture.differences("kernel log")).count)
    }

    @Test("Times are taken off, other lines left out")
    func log() {
        #expect(Milestones.log(of: ["[    0.000000] a [b]", "/ # [6n", "[x] y", "plain", "[   12.5] z"]) == ["a [b]", "z"])
    }
}
