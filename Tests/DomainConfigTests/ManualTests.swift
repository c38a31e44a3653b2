import DomainConfig
import Glibc
import Testing

@Suite("The manual page martlet.cfg(5)") struct ManualTests {
    private var path: String {
        var root = #filePath
        root.removeLast("Tests/DomainConfigTests/ManualTests.swift".count)
        return root + "docs/man/martlet.cfg.5"
    }

    /// After a change of the table: `MARTLET_GOLDEN=write swift test --filter ManualTests`.
    @Test("is the one the table of keys makes")
    func current() {
        if let word = unsafe getenv("MARTLET_GOLDEN"), unsafe String(cString: word) == "write" {
            guard let file = unsafe fopen(path, "w") else {
                Issue.record("\(path) cannot be written")
                return
            }
            unsafe fputs(KeyManual.page, file)
            unsafe fclose(file)
        }
        guard let file = unsafe fopen(path, "r") else {
            Issue.record("there is no \(path)")
            return
        }
        defer { unsafe fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let count = unsafe fread(&buffer, 1, buffer.count, file)
        #expect(String(decoding: buffer[..<count], as: UTF8.self) == KeyManual.page, "write it anew with MARTLET_GOLDEN=write")
    }

    @Test("names every key once, with its sentence")
    func complete() {
        let page = KeyManual.page
        for key in KnownKey.all { #expect(page.components(separatedBy: ".It Ic \(key.name) No = ").count == 2, "\(key.name)") }
    }

    @Test("has no fault a formatter finds", .enabled(if: unsafe access("/usr/bin/mandoc", X_OK) == 0, "mandoc is not installed"))
    func lint() {
        let status = unsafe system("/usr/bin/mandoc -T lint -W warning '\(path)'")
        #expect(status == 0)
    }
}
