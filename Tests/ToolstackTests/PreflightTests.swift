import TestSupport
import Testing

@testable import Toolstack

/// What `martlet check` finds in the files a guest boots from, and around them.
@Suite("check") struct PreflightTests {
    let directory = TemporaryDirectory()

    /// A kernel of one segment that ends at 32 MiB.
    private func kernel() -> String {
        TestFiles.write(directory.path + "/kernel", ELFWriter.pvhKernel(memorySize: 0x1f0_0000).bytes())
        return directory.path + "/kernel"
    }

    private func findings(_ lines: String..., logs: String? = nil) -> [Preflight.Finding] {
        let text = (["name='x'", "type='pvh'", "kernel='\(kernel())'", "memory=64"] + lines).joined(separator: "\n") + "\n"
        let file = ConfigurationFile(content: Array(text.utf8), source: "x.cfg")
        let environment = Environment(
            variables: [
                "MARTLET_RUNTIME_DIR": directory.path + "/run", "MARTLET_LOG_DIR": logs ?? directory.path + "/log",
                "MARTLET_GUEST": "/bin/sh",
            ], userID: 1)
        return Preflight(file, options: CreationOptions(), environment: environment).findings.filter { $0.severity != .fine }
    }

    private func expect(
        _ findings: [Preflight.Finding], _ severity: Preflight.Severity, _ cause: String, _ remedy: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(findings.count == 1, sourceLocation: sourceLocation)
        #expect(findings.first?.severity == severity, sourceLocation: sourceLocation)
        #expect(findings.first?.cause.contains(cause) == true, "\(findings)", sourceLocation: sourceLocation)
        #expect(findings.first?.remedy.contains(remedy) == true, "\(findings)", sourceLocation: sourceLocation)
    }

    @Test("a guest that can be created has nothing against it, an empty drive included")
    func fine() {
        #expect(findings().isEmpty)
        #expect(findings("disk=['format=empty,vdev=xvdc,devtype=cdrom']").isEmpty)
        #expect(findings("disk=[',raw,xvdc,cdrom']").isEmpty)
    }

    @Test("memory that the kernel alone does not fit into")
    func memory() { expect(findings("memory=16"), .error, "x.cfg:5: memory=16: the kernel alone takes the first 32 MiB", "raise memory=") }

    @Test("a ramdisk that is empty, and one that is cut off")
    func ramdisk() {
        expect(findings("ramdisk='\(directory.write("empty", ""))'"), .error, "the file is empty", "leave ramdisk= out")
        let whole = directory.path + "/whole.gz"
        #expect(shell("seq 9999 | gzip >\(whole)").status == 0)
        #expect(findings("ramdisk='\(whole)'").isEmpty)
        TestFiles.write(directory.path + "/short.gz", Array((TestFiles.bytes(whole) ?? []).dropLast(100)))
        expect(findings("ramdisk='\(directory.path)/short.gz'"), .warning, "does not unpack", "gzip -t")
    }

    @Test("a hub in a directory that is not there")
    func hub() { expect(findings("vif=['bridge=hub:/nope/x/hub']"), .error, "vif 0: the hub /nope/x/hub: /nope/x/: No such", "directory") }

    @Test("logs that cannot be kept")
    func logs() { expect(findings(logs: "/proc/none/log"), .warning, "no logs are kept", "MARTLET_LOG_DIR") }
}
