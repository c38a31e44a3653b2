import DomainConfig
import Testing

@Suite("JSON") struct JSONTextTests {
    @Test(
        "is read and printed the same",
        arguments: [
            "{\n    \"a\": 1,\n    \"b\": [\n        true,\n        \"x\\n\\\"\\u0001\"\n    ]\n}", "[\n\n]", "{\n\n}", "-5", "\"é\"",
            "null",
        ])
    func roundTrip(text: String) throws {
        #expect(try JSONText(parsing: Array(text.utf8)).text() == text)
    }

    @Test("escapes are undone, those of two halves too")
    func escapes() throws {
        let text = #""\u00e9\ud83d\ude00\/\b\f\r\t""#
        #expect(try JSONText(parsing: Array(text.utf8)).string == "é😀/\u{8}\u{c}\r\t")
    }

    @Test(
        "an error has its line and cause",
        arguments: [
            ("", 1, "ends early"), ("{\n\"a\": }", 2, "a value is expected"), ("{\"a\":1,\n\"a\":2}", 2, "stands twice"),
            ("[1 2]", 1, "comma or ]"),
            ("{1:2}", 1, "name is expected"), ("1.5", 1, "not an integer"), ("01", 1, "not an integer"),
            ("9223372036854775808", 1, "not an integer"),
            ("\"a", 1, "not closed"), ("\"\n\"", 1, "control character"), (#""\q""#, 1, "escape"), (#""\ud800""#, 1, "half a character"),
            (#""\u12""#, 1, "four hexadecimal"), ("[] x", 1, "follows"), (String(repeating: "[", count: 1000), 1, "nested deeper"),
            ("tru", 1, "expected"),
        ])
    func errors(text: String, line: Int, cause: String) {
        let error = #expect(throws: JSONError.self) { try JSONText(parsing: Array(text.utf8)) }
        #expect(error?.line == line)
        #expect(error?.cause.contains(cause) == true, "\(String(describing: error))")
    }
}

@Suite("Configurations as JSON") struct ConfigurationJSONTests {
    private func read(_ text: String) throws -> (description: DomainDescription?, diagnostics: [ConfigDiagnostic]) {
        DomainDescription.read(json: try JSONText(parsing: Array(text.utf8)), source: "c.json")
    }

    /// What xl printed of guests that cannot be, with the reason.
    private static let rejected = [
        "name-empty": "no name", "name-dom0": "the host's name", "name-slash": "a slash in the name", "vif-06": "a group's address",
        "opt-max-grant-ver9": "no such version", "mem-zero": "no memory", "vif-44": "the name of the interface is too long",
    ]

    @Test("what xl printed is read, and printed again the same to the byte", arguments: DryRun.all.filter { $0.exitCode == 0 })
    func captured(run: DryRun) throws {
        let (description, diagnostics) = try read(run.output)
        guard Self.rejected[run.name] == nil else {
            #expect(description == nil && diagnostics.count == 1)
            return
        }
        #expect(diagnostics.isEmpty, "\(diagnostics.map(\.line))")
        #expect(description.map { $0.json(uuid: "").text() + "\n\n" } == run.output)
    }

    @Test("the layout of Xen 4.10 is understood: what is common to all types stood in the type's object")
    func oldLayout() throws {
        let text = """
            {"c_info": {"type": "pvh", "name": "t", "uuid": "237e6d4f-a926-4cd0-9b94-0b119dbda0da"},
             "b_info": {"max_memkb": 65536, "target_memkb": 65536, "sched_params": {}, "kernel": "/k",
                        "type.pvh": {"bootloader": "pygrub", "bootloader_args": ["-q"], "timer_mode": "one_missed_tick_pending",
                                     "nested_hvm": "False", "apic": "False"}, "arch_arm": {}}}
            """
        let (read, diagnostics) = try read(text)
        let description = try #require(read)
        #expect(diagnostics.isEmpty)
        #expect(description.timerMode == .oneMissedTickPending && description.apic == false)
        let build = try #require(description.json(uuid: "")["b_info"])
        #expect(build["bootloader"] == .string("pygrub") && build["bootloader_args"] == .array([.string("-q")]))
        #expect(build["nested_hvm"] == .string("False") && build["type.pvh"] == .object([]))
    }

    @Test("a running guest's configuration is libxl's, and gives the same guest again")
    func running() throws {
        let config = """
            name="g1"
            type="pvh"
            kernel="/mnt/g/vmlinuz-61c"
            ramdisk="/mnt/g/initrd-61c.gz"
            extra="console=hvc0 mode=idle"
            memory=256
            vcpus=2
            maxvcpus=4
            tsc_mode="native"
            disk=[ "/tmp/out.raw,raw,xvda,rw" ]
            vif=[ "mac=00:16:3e:12:34:56,bridge=xenbr0" ]
            """
        let description = try #require(DomainDescription.read(Array(config.utf8), source: "f") { _ in .noPVHEntry("") }.description)
        let uuid = "db2bb128-e32f-4037-8752-520574c3a918"
        let running = description.asRunning(uuid: uuid, macs: ["00:16:3e:12:34:56"]).json(uuid: uuid).text()
        #expect(running + "\n" == fixture("running-4.17.json"))
        #expect(try read(running).description?.json(uuid: uuid).text() == running)
    }

    @Test("an address that was made up stays with the guest")
    func addresses() throws {
        let config = "name='t'\ntype='pvh'\nkernel='/k'\nmemory=64\nvif=['','hostfwd=tcp:127.0.0.1:2222-:22']"
        let description = try #require(DomainDescription.read(Array(config.utf8), source: "f") { _ in .noPVHEntry("") }.description)
        let macs = ["00:16:3e:00:00:01", "00:16:3e:00:00:02"]
        let running = description.asRunning(uuid: "237e6d4f-a926-4cd0-9b94-0b119dbda0da", macs: macs).json(uuid: "")
        let again = try #require(DomainDescription.read(json: running, source: "c").description)
        #expect(again.networks.map(\.device.mac) == macs && again.networks[1].device.forwards.map(\.text) == ["tcp:127.0.0.1:2222-:22"])
        #expect(again.effectiveVCPUs == 1 && again.effectiveMemoryKiB == 65536 && again.uuid == "237e6d4f-a926-4cd0-9b94-0b119dbda0da")
    }

    @Test(
        "what is unknown is ignored with a warning, what is wrong is an error",
        arguments: [
            (#""b_info": {}, "frobs": 1"#, ConfigDiagnostic.Severity.warning, "frobs"),
            (#""b_info": {"kernl": "/k"}"#, .warning, "kernl"), (#""b_info": {"max_vcpus": "x"}"#, .error, "max_vcpus"),
            (#""b_info": {"timer_mode": "never"}"#, .error, "timer_mode"), (#""b_info": 5"#, .error, "b_info"),
            (#""b_info": {}, "disks": [{}]"#, .error, "vdev"),
            (#""b_info": {}, "on_crash": "x"}"#.dropLast().description, .error, "on_crash"),
            (#""b_info": {}, "nics": [{"hostfwd": ["x"]}]"#, .error, "hostfwd"),
            (#""b_info": {"acpi": "maybe"}"#, .error, "acpi"),
        ])
    func mistakes(members: String, severity: ConfigDiagnostic.Severity, word: String) throws {
        let (description, diagnostics) = try read("{\"c_info\": {\"type\": \"pvh\", \"name\": \"t\"}, \(members)}")
        #expect(diagnostics.map(\.severity) == [severity])
        #expect(diagnostics.first?.cause.contains(word) == true && diagnostics.first?.remedy.isEmpty == false)
        #expect((description == nil) == (severity == .error))
    }

    @Test("\"<default>\" means that nothing is said")
    func defaults() throws {
        let (description, _) = try read(#"{"c_info": {"type": "pvh", "name": "t"}, "b_info": {"acpi": "<default>", "localtime": "True"}}"#)
        #expect(description?.acpi == nil && description?.localtime == true)
    }
}
