import DomainConfig
import Glibc
import Testing

/// Configurations and the standard output and exit code of `xl create -n` of Xen 4.17, white space joined and random UUIDs masked.
struct DryRun: Sendable, CustomTestStringConvertible {
    var name: String
    var accepted: Bool
    var config: String
    var json: String

    var testDescription: String { name }

    static let all: [DryRun] = fixture("dryrun-4.17.txt").split(separator: "\n=== ").map { entry in
        let header = entry.prefix { $0 != "\n" }.drop { $0 == "=" || $0 == " " }.split(separator: " ")
        let rest = entry.drop { $0 != "\n" }.dropFirst()
        let cut = rest.ranges(of: "\n--- ").first ?? rest.ranges(of: "--- ").first!
        return DryRun(
            name: String(header[0]), accepted: header[1] == "0", config: String(rest[..<cut.lowerBound]) + "\n",
            json: String(rest[cut.upperBound...].filter { $0 != "\n" }))
    }
}

/// The text of a file in the Fixtures folder.
func fixture(_ name: String) -> String {
    var path = #filePath
    path.removeLast("DryRunTests.swift".count)
    guard let file = unsafe fopen(path + "Fixtures/" + name, "r") else { return "" }
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = unsafe getc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
    return String(decoding: bytes, as: UTF8.self)
}

@Suite("Dry runs of xl 4.17") struct DryRunTests {
    /// Configurations xl takes and we refuse as wrong, and the reverse, each with its reason.
    static let verdictDifferences: [String: String] = [
        "builder-hvm-dmnone": "an old spelling of PVH is understood (D1)",
        "type-pvh-dmnone": "an old spelling of PVH is understood (D1)",
        "syn-hexescape": "numeric escapes follow C; xl rejects them through a bug",
        "type-empty": "a type must be a whole word; xl takes any prefix and means hvm here",
        "pvh-1-type-pv": "pvh=1 contradicts type=\"pv\" (D1)",
        "name-empty": "a guest without a name cannot be addressed",
        "name-dom0": "xl notices only at creation that the name is taken",
        "name-slash": "xl fails only at creation, when it opens its log file",
        "mem-bad": "xl drops the value with a warning and creates a guest of another size",
        "mem-list": "xl drops the value with a warning and creates a guest of another size",
        "mem-overflow": "xl drops the value with a warning and creates a guest of another size",
        "mem-strsuffix": "xl drops the value with a warning and creates a guest of another size",
        "mem-zero": "xl fails only at creation",
        "vcpus-bad": "xl drops the value with a warning and creates another guest",
        "vcpus-big": "xl fails only at creation: 128 is the limit",
        "syn-list-as-string": "xl drops the disk with a warning",
        "opt-event-channels-str": "xl drops the value with a warning",
        "opt-max-grant-ver9": "there is no such version of the grant table",
        "vcpus-cpus-bad": "affinities are not read, the host's scheduler places the threads",
        "vcpus-cpus-range-bad": "affinities are not read, the host's scheduler places the threads",
        "opt-numa-vnuma": "refused when the guest is to start, not in a dry run",
        "opt-vdispl": "refused when the guest is to start, not in a dry run",
    ]

    /// Members of the JSON that differ, each with its reason.
    static let textDifferences: [String: String] = [
        "pvh-1": "pvh=1 selects PVH (D1), where today's xl means PV",
        "vcpus-cpus-list": "affinities are not written", "vcpus-cpus-neg": "affinities are not written",
        "vcpus-cpus-soft": "affinities are not written", "vcpus-cpus-toolong": "affinities are not written",
        "vcpus-cpus": "affinities are not written",
        "bootloader-only": "devices are not written", "full-hvm": "devices are not written", "full-pv": "devices are not written",
        "full-pvh": "devices are not written", "syn-multiline-list": "devices are not written",
        "syn-plus-eq-list": "devices are not written", "syn-trailing-comma": "devices are not written",
        "opt-channel": "devices are not written", "opt-channel-socket": "devices are not written", "opt-p9": "devices are not written",
        "opt-pci": "devices are not written", "opt-vfb": "devices are not written", "opt-vkb": "devices are not written",
        "opt-vsnd": "devices are not written", "opt-vtpm": "devices are not written", "opt-iomem": "devices are not written",
        "opt-ioports": "devices are not written", "opt-irqs": "devices are not written",
        "opt-cpuid-host": "CPUID strings are not read", "opt-cpuid-list": "CPUID strings are not read",
        "opt-device-tree": "a key without effect is not written", "opt-dm-args": "a key without effect is not written",
        "opt-dm-override": "a key without effect is not written", "opt-stubdom": "a key without effect is not written",
        "opt-init-seclabel": "a key without effect is not written", "opt-seclabel": "a key without effect is not written",
        "opt-iommu": "a key without effect is not written",
    ]

    @Test("the captured dry runs are all here")
    func count() { #expect(DryRun.all.count == 245) }

    @Test("what xl accepts is accepted, what it rejects is rejected", arguments: DryRun.all)
    func verdict(run: DryRun) {
        let (description, _) = read(run)
        let differs = Self.verdictDifferences[run.name] != nil
        #expect((description != nil) == (run.accepted != differs))
    }

    @Test("the JSON of an accepted configuration is libxl's", arguments: DryRun.all.filter(\.accepted))
    func json(run: DryRun) {
        guard let description = read(run).description else { return }
        let text = description.json(uuid: "-").text().split { $0 == " " || $0 == "\n" }.joined(separator: " ")
        #expect((text == run.json) == (Self.textDifferences[run.name] == nil), "\(text)\n\(run.json)")
    }

    @Test("every error names its place or the file, and says what to do", arguments: DryRun.all)
    func messages(run: DryRun) {
        for diagnostic in read(run).diagnostics {
            #expect(diagnostic.line.hasPrefix("f:"))
            #expect(!diagnostic.cause.contains("\n"))
            if diagnostic.severity == .refusal || diagnostic.severity == .error {
                #expect(!diagnostic.remedy.isEmpty || diagnostic.cause.contains("NUL"), "\(diagnostic)")
            }
        }
    }

    @Test("the layout is libxl's to the byte")
    func layout() {
        let config = "name=\"t\"\ntype=\"pvh\"\nkernel=\"/mnt/g/vmlinuz-61c\"\nmemory=256\nvcpus=2\n"
        let description = DomainDescription.read(Array(config.utf8), source: "f") { _ in .noPVHEntry("") }.description
        #expect(description?.json(uuid: "237e6d4f-a926-4cd0-9b94-0b119dbda0da").text() == fixture("layout.json").trimmingNewline)
    }

    private func read(_ run: DryRun) -> (description: DomainDescription?, diagnostics: [ConfigDiagnostic]) {
        DomainDescription.read(Array(run.config.utf8), source: "f") { _ in .noPVHEntry("no PVH kernel") }
    }
}

extension String {
    var trimmingNewline: String { hasSuffix("\n") ? String(dropLast()) : self }
}
