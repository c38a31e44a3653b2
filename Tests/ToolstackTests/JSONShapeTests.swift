import Foundation
import Testing

/// What scripts read: docs/json.md.
@Suite("--json") struct JSONShapeTests {
    private let config = "name=\"t\"\ntype=\"pvh\"\nkernel=\"/etc/passwd\"\nmemory=64\n"

    @Test(
        "every listing is JSON with the documented members, and every member is documented",
        arguments: [
            ("list", ["list", "--json"]), ("vm-list", ["vm-list", "--json"]), ("vcpu-list", ["vcpu-list", "--json", "t"]),
            ("uptime", ["uptime", "--json"]), ("block-list", ["block-list", "--json", "t"]), ("info", ["info", "--json"]),
            ("network-list", ["network-list", "--json", "t"]), ("cpupool-list", ["cpupool-list", "--json"]),
            ("domid", ["domid", "--json", "t"]),
            ("check", ["check", "--json", "CFG"]),
        ])
    func documented(name: String, words: [String]) throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", config)
        #expect(try CommandRun.martlet(["create", "-q", file], in: scratch).code == 0)
        let image = scratch.write("a.img", "x")
        #expect(try CommandRun.martlet(["block-attach", "t", "\(image),raw,xvda,w"], in: scratch).code == 0)
        #expect(try CommandRun.martlet(["network-attach", "t", "bridge=user"], in: scratch).code == 0)
        let run = try CommandRun.martlet(words.map { $0 == "CFG" ? file : $0 }, in: scratch)
        #expect(run.code == (name == "check" ? 1 : 0), "\(run.errors)")
        let value = try JSONSerialization.jsonObject(with: Data(run.output.utf8))
        let objects = try value as? [[String: Any]] ?? [#require(value as? [String: Any])]
        try #require(objects.count > 0)
        let documented = try documentation()
        for key in Set(objects.flatMap { memberNames($0) }) where name != "info" || key.contains("_info") || key.contains("topology") {
            #expect(documented.contains("`\(key)`"), "\(key) of \(name)")
        }
    }

    private func memberNames(_ value: Any) -> [String] {
        switch value {
        case let object as [String: Any]: object.flatMap { [$0.key] + memberNames($0.value) }
        case let array as [Any]: array.flatMap { memberNames($0) }
        default: []
        }
    }

    private func documentation() throws -> String {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: package.appendingPathComponent("docs/json.md"), encoding: .utf8)
    }
}
