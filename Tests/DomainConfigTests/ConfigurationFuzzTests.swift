import DomainConfig
import TestSupport
import Testing

/// Random input for the readers: nothing traps, an answer is either a value or an error, and what is printed is read again.
@Suite("Fuzz: configurations") struct ConfigurationFuzzTests {
    private static let runs = 0..<FuzzRun.cases(40)

    private func random(_ run: Int) -> SeededRandom { SeededRandom(seed: FuzzRun.seed &+ UInt64(run) &* 0x1_0001) }

    /// Words joined at random, some of them damaged.
    private func text(_ random: inout SeededRandom, _ words: [String], upTo count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<random.below(count) {
            bytes += random.pick(words).utf8
            if random.oneIn(30) { bytes.append(random.byte()) }
            if random.oneIn(30), !bytes.isEmpty { bytes.remove(at: random.below(bytes.count)) }
        }
        return bytes
    }

    @Test("the parser of configurations", arguments: runs)
    func configurations(run: Int) throws {
        var random = random(run)
        let values = [
            "1", "0", "'x'", "\"pvh\"", "[ 'a,raw,xvda,w' ]", "[ [ 'card' ], 'x' ]", "0x7fffffffffffffff", "'-1'", "''", "[", "'",
        ]
        let statements =
            KnownKey.all.map { "\($0.name) = \($0.sample)\n" } + KnownKey.all.flatMap { key in values.map { "\(key.name)=\($0)\n" } }
        let glue = ["+=", "[", "]", ",", "\\", "#", ";", "\n", "\"", "name='t'\n", "type='pvh'\n", "kernel='/k'\n", "memory=64\n"]
        for _ in 0..<25 {
            let bytes = Array("name='t'\nkernel='/k'\nmemory=64\n".utf8) + text(&random, statements + glue, upTo: 30)
            let override = String(decoding: text(&random, values + glue, upTo: 4), as: UTF8.self)
            let (description, diagnostics) = DomainDescription.read(
                bytes, source: "f", overrides: ["a=" + override], hostCPUs: random.below(300)
            ) { _ in
                .carriesPVHEntry
            }
            #expect((description == nil) == diagnostics.contains { $0.severity == .error }, "seed \(FuzzRun.seed), run \(run)")
            guard let description else { continue }
            let printed = description.json(uuid: "237e6d4f-a926-4cd0-9b94-0b119dbda0da")
            #expect(try JSONText(parsing: Array(printed.text().utf8)) == printed, "seed \(FuzzRun.seed), run \(run)")
            let again = DomainDescription.read(json: printed, source: "f").description
            #expect(again?.json(uuid: "") == printed, "seed \(FuzzRun.seed), run \(run): \(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test("the parser of disks", arguments: runs)
    func disks(run: Int) throws {
        var random = random(run)
        let words = [
            "/a", ",", ",", ",", "raw", "qcow2", "xvda", "xvdzz99", "hda:cdrom", "w", "ro", "format=", "vdev=", "access=", "target=",
            "phy:", "tap:",
            "nbd:", "foo:", "cdrom", "discard", "backendtype=phy", "specification=xen", "=", ":", " ", "é", "devtype=", "grant_usage=1",
            "colo",
        ]
        for _ in 0..<200 {
            let text = String(decoding: text(&random, words, upTo: 14), as: UTF8.self)
            guard let disk = try? DiskSpecification(parsing: text) else { continue }
            _ = disk.concerns
            _ = disk.number
            #expect(disk.target != nil || disk.isRemovable, "\(text)")
            var description = DomainDescription(name: "t", type: .pvh)
            description.disks = [Placed(disk, at: nil)]
            #expect(
                DomainDescription.read(json: description.json(uuid: "237e6d4f-a926-4cd0-9b94-0b119dbda0da"), source: "f").description?.disks
                    == description.disks, "\(text)")
        }
    }

    @Test("the parser of interfaces", arguments: runs)
    func interfaces(run: Int) throws {
        var random = random(run)
        let words = [
            ",", ",", ",", "mac=", "00:16:3e:00:00:01", "bridge=", "user", "tap:t0", "hub:/h", "rate=", "10Mb/s", "@", "20ms", "mtu=",
            "1500", "devid=",
            "3", "hostfwd=", "tcp:127.0.0.1:2222-:22", "udp::1-:1", "type=vif", "trusted", "untrusted", "=", ":", "-", " ", "é",
            "999999999999999999999",
        ]
        for _ in 0..<200 {
            let text = String(decoding: text(&random, words, upTo: 14), as: UTF8.self)
            guard let network = (try? NetworkSpecification.parse(text, deviceID: 0))?.network else { continue }
            _ = network.concerns
            var description = DomainDescription(name: "t", type: .pvh)
            description.networks = [Placed(network, at: nil)]
            #expect(
                DomainDescription.read(json: description.json(uuid: "237e6d4f-a926-4cd0-9b94-0b119dbda0da"), source: "f").description?
                    .networks == description.networks, "\(text)")
        }
    }

    @Test("the reader of JSON", arguments: runs)
    func json(run: Int) throws {
        var random = random(run)
        let words = [
            "{", "}", "[", "]", ",", ":", "\"", "\"c_info\"", "\"b_info\"", "\"type\"", "\"pvh\"", "\"name\"", "\"disks\"", "\"max_vcpus\"",
            "1", "-1", "true",
            "null", "\\u00e9", "\\ud800", "9223372036854775807", " ", "\n", "\"t\"",
            "{\"c_info\":{\"type\":\"pvh\",\"name\":\"t\"},\"b_info\":{",
        ]
        for _ in 0..<200 {
            let bytes = text(&random, words, upTo: 30)
            guard let value = try? JSONText(parsing: bytes) else { continue }
            #expect(try JSONText(parsing: Array(value.text().utf8)) == value)
            let (description, diagnostics) = DomainDescription.read(json: value, source: "f")
            #expect((description == nil) == diagnostics.contains { $0.severity == .error })
        }
        // A sound document with one member changed for another value.
        let captured = DryRun.all.filter { $0.exitCode == 0 }
        for _ in 0..<20 {
            var bytes = Array(random.pick(captured).output.utf8)
            for _ in 0...random.below(4) { bytes[random.below(bytes.count)] = random.pick(Array("0\"{}[],:x9-".utf8)) }
            guard let value = try? JSONText(parsing: bytes) else { continue }
            let (description, diagnostics) = DomainDescription.read(json: value, source: "f")
            #expect((description == nil) == diagnostics.contains { $0.severity == .error })
        }
    }
}
