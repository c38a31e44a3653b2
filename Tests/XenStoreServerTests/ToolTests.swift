import HostIO
import TestSupport
import Testing
import XenStore
import XenStoreServer

/// The programs of Debian's xenstore-utils on our socket.
@Suite(
    "The distribution's xenstore tools",
    .enabled(if: TestFiles.exists("/usr/bin/xenstore-ls"), "xenstore-utils is not installed"))
struct ToolTests {
    let directory = TemporaryDirectory()
    var path: String { directory.path + "/x.sock" }

    private func run(_ command: String) -> (output: String, status: Int32) {
        shell("export XENSTORED_PATH=\(path); timeout 60 \(command)")
    }

    private func script(_ commands: String) -> (output: String, status: Int32) { shell("export XENSTORED_PATH=\(path); \(commands)") }

    @Test("each tool does what it does on Xen") func tools() throws {
        try ServedStore.run(at: path) { server in
            let steps: [(command: String, output: String, status: Int32)] = [
                ("xenstore-read /local/domain/1/name", "guest\n", 0),
                ("xenstore-read -p /local/domain/1/name", "/local/domain/1/name: guest\n", 0),
                ("xenstore-read /libxl/1/type", "pvh\n", 0),
                ("xenstore-write /a/b hello /a/c 'two words'", "", 0), ("xenstore-read /a/b /a/c", "hello\ntwo words\n", 0),
                ("xenstore-list /a", "b\nc\n", 0), ("xenstore-list -p /a", "/a/b\n/a/c\n", 0),
                ("xenstore-exists /a/b", "", 0), ("xenstore-exists /a/x", "", 1),
                ("xenstore-chmod /a/b n0 r1", "", 0),
                ("xenstore-ls -fp /a", "/a/b = \"hello\"   (n0,r1)\n/a/c = \"two words\"   (n0)\n", 0),
                ("xenstore-ls /a", "b = \"hello\"\nc = \"two words\"\n", 0), ("xenstore-chmod -r /a r0 w1", "", 0),
                ("xenstore-ls -fp /a", "/a/b = \"hello\"   (r0,w1)\n/a/c = \"two words\"   (r0,w1)\n", 0),
                ("xenstore-rm /a/b", "", 0), ("xenstore-exists /a/b", "", 1), ("xenstore-rm -t /a/c", "", 0),
                ("xenstore-exists /a", "", 1), ("xenstore-write /z \"$(head -c 3000 /dev/zero | tr '\\0' x)\"", "", 0),
                ("xenstore-read /z | wc -c", "3001\n", 0), ("xenstore write /m 1", "", 0), ("xenstore read /m", "1\n", 0),
            ]
            for (command, output, status) in steps {
                let result = run(command)
                #expect(result.output == output && result.status == status, "\(command): \(result)")
            }
            #expect(run("xenstore-read /none").status == 1)
            #expect(run("xenstore-read /none").output.contains("couldn't read path /none"))
            let listing = server.perform { store in store.listing().map { $0.path } }
            #expect(run("xenstore-ls -f").output.split(separator: "\n").map { String($0.prefix { $0 != " " }) } == listing)
        }
        #expect(!TestFiles.exists(path))
    }

    @Test(
        "xenstore-control checks the store, and shows and sets quotas",
        .enabled(if: controlProgram != nil, "there is no guests/xen-tools; scripts/guests fetches it"))
    func control() throws {
        let control = try #require(Self.controlProgram)
        try ServedStore.run(at: path) { server in
            #expect(run("\(control) check").output == "OK\n")
            #expect(run("\(control) quota").output.hasPrefix("nodes: 1000\nwatches: 128\n"))
            #expect(run("\(control) quota set nodes 500").output == "OK\n")
            #expect(run("\(control) quota 1").output.hasPrefix("nodes: 12 of 500\nwatches: 0 of 128\n"))
            #expect(run("\(control) help").output.contains("quota"))
            #expect(run("\(control) nonsense").status != 0)
        }
    }

    /// The program itself: the one in /usr/bin asks a running Xen for its version first.
    private static let controlProgram: String? = {
        let directory = TestFiles.inRepository("guests/xen-tools")
        guard TestFiles.exists("\(directory)/xenstore-control") else { return nil }
        return "env LD_LIBRARY_PATH=\(directory) \(directory)/xenstore-control"
    }()

    @Test("xenstore-watch hears of the special watches and of the removal of what it watches") func watches() throws {
        try ServedStore.run(at: path) { server in
            let result = script(
                "timeout 20 xenstore-watch -n 3 /w & sleep 1; xenstore-write /w/x 1; xenstore-rm /w; wait")
            #expect(result.output == "/w\n/w/x\n/w\n")
            let end = script("timeout 20 xenstore-watch -n 2 @releaseDomain & sleep 1; xenstore-write /go 1; wait") {
                guard eventually({ server.perform { store in store.text(at: "/go") } == "1" }) else { return }
                server.perform { store in store.announceShutdown() }
            }
            #expect(end.output == "@releaseDomain\n@releaseDomain\n")
        }
    }

    @Test("xenstore-watch misses none of many events") func manyEvents() throws {
        try ServedStore.run(at: path) { server in
            let result = script("timeout 60 xenstore-watch -n 5001 /many & sleep 1; xenstore-write /go 1; wait") {
                guard eventually({ server.perform { store in store.text(at: "/go") } == "1" }) else { return }
                for number in 0..<5000 {
                    server.perform { store in
                        do throws(StoreError) { try store.setText("x", at: "/many/\(number)") } catch { Issue.record(error) }
                    }
                }
            }
            #expect(result.output == "/many\n" + (0..<5000).map { "/many/\($0)\n" }.joined())
        }
    }

    @Test("a directory too long for a packet is listed in parts") func longDirectory() throws {
        try ServedStore.run(at: path) { server in
            let names = (0..<2000).map { "child-number-\(1000 + $0)" }
            try server.perform { store throws(StoreError) in for name in names { try store.setText("", at: "/long/" + name) } }
            #expect(run("xenstore-list /long").output == names.sorted().map { $0 + "\n" }.joined())
            #expect(run("xenstore-ls /long | wc -l").output == "2000\n")
        }
    }

    /// Runs a script while `body` works on another thread.
    private func script(_ commands: String, _ body: @escaping @Sendable () -> Void) -> (output: String, status: Int32) {
        do {
            let thread = try HostThread { body() }
            defer { thread.join() }
            return script(commands)
        } catch {
            return ("\(error)", -1)
        }
    }
}
