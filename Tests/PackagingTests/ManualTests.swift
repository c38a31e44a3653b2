import TestSupport
import Testing

@Suite("The manual page") struct ManualTests {
    static let page = TestFiles.inRepository("docs/man/martlet.1")
    static let text = String(decoding: TestFiles.bytes(page) ?? [], as: UTF8.self)

    @Test("has what the program knows of its commands, options and exit codes: `make man' renews it") func sections() throws {
        let made = shell("\(BuiltProduct.path("martlet")) manual")
        #expect(made.status == 0)
        let exitStatus = try #require(made.output.firstRange(of: ".Sh EXIT STATUS"))
        #expect(Self.text.contains("makes\n" + made.output[..<exitStatus.lowerBound] + ".\\\" END"))
        #expect(Self.text.contains("makes\n" + made.output[exitStatus.lowerBound...] + ".\\\" END"))
    }

    @Test("names every verb of the program's help") func verbs() {
        let help = shell("\(BuiltProduct.path("martlet")) help").output
        let verbs = help.split(separator: "\n").filter { $0.hasPrefix("  ") && $0.dropFirst(2).first?.isLowercase == true }
            .map { $0.split(separator: " ")[0] }
        #expect(verbs.count > 30)
        for verb in verbs where verb != "help" { #expect(Self.text.contains(".Cm \(verb)\n"), "\(verb)") }
    }

    @Test("is faultless mdoc for mandoc", .enabled(if: hasProgram("mandoc"), "mandoc is not installed"))
    func mandoc() {
        // The other page may not be installed here.
        let faults = shell("mandoc -Tlint \(Self.page)").output.split(separator: "\n")
            .filter { $0.contains("martlet.1:") && !$0.contains("referenced manual not found") }
        #expect(faults == [])
    }

    @Test("is faultless mdoc for groff", .enabled(if: hasProgram("groff"), "groff is not installed"))
    func groff() {
        #expect(shell("groff -mdoc -Tascii -ww \(Self.page) 2>&1 >/dev/null").output == "")
    }
}
