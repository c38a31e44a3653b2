import DomainConfig
import Testing

@Suite("xl.conf") struct HostDefaultsTests {
    private func read(_ text: String) -> (defaults: HostDefaults, diagnostics: [ConfigDiagnostic]) {
        HostDefaults.read(Array(text.utf8), source: "xl.conf")
    }

    @Test("fills in what a configuration does not say")
    func applied() throws {
        let (defaults, diagnostics) = read("max_grant_frames=32\nmax_grant_version=1\nvif.default.bridge=\"br0\"\nclaim_mode=0\n")
        #expect(diagnostics.isEmpty)
        let text = "name='t'\ntype='pvh'\nkernel='/k'\nmemory=64\nmax_grant_version=2\nvif=['','bridge=br1','hostfwd=tcp::1-:1']"
        var description = try #require(DomainDescription.read(Array(text.utf8), source: "f") { _ in .noPVHEntry("") }.description)
        description.apply(defaults)
        #expect(description.maxGrantFrames == 32 && description.maxGrantVersion == 2)
        #expect(description.networks.map(\.device.bridge) == ["br0", "br1", nil])
        #expect(description.json(uuid: "-")["b_info"]?["claim_mode"] == .string("False"))
    }

    @Test("knows every key of xl.conf(5), and says of those that change nothing why")
    func keys() {
        for (name, treatment) in HostDefaults.keys {
            let diagnostics = read("\(name)=1").diagnostics
            switch treatment {
            case .honoured: #expect(diagnostics.isEmpty)
            case .noEffect(let reason):
                #expect(diagnostics.map(\.severity) == [.note])
                #expect(diagnostics.first?.cause.hasSuffix(reason) == true)
            }
        }
    }

    @Test(
        "a mistake is a warning with its line, and the rest counts",
        arguments: [
            ("max_grant_frame=1", "unknown key `max_grant_frame'"), ("max_grant_version=3", "greater than 2"),
            ("@@", "config parsing error"),
            ("max_grant_frames='x'", "not a valid number"),
        ])
    func mistakes(line: String, cause: String) {
        let (defaults, diagnostics) = read("vif.default.bridge='br0'\n\(line)\n")
        #expect(defaults.bridge == "br0")
        #expect(diagnostics.map(\.severity) == [.warning])
        #expect(diagnostics.first?.place?.line == 2 && diagnostics.first?.cause.contains(cause) == true, "\(diagnostics)")
        #expect(diagnostics.first?.remedy.isEmpty == false)
    }
}
