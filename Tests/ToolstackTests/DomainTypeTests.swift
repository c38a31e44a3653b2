import DomainConfig
import Testing

@testable import Toolstack

@Suite("The type of a domain") struct DomainTypeTests {
    private static let warning = "unable to get domain type for domid=7, assuming HVM"

    @Test(
        "is what its node says in a hardware container, HVM with a warning where that says nothing, PV outside one, and else unknown",
        arguments: [
            (true, "pvh", 3, nil), (true, "hvm", 1, nil), (true, nil, 1, warning), (true, "", 1, warning), (true, "PVH", 1, warning),
            (true, "pv", 1, warning), (false, nil, 2, nil), (false, "pvh", 2, nil), (nil, "pvh", -1, nil),
        ] as [(Bool?, String?, Int32, String?)])
    func lookup(isHVM: Bool?, node: String?, number: Int32, warning: String?) {
        let found = DomainTypeLookup(domainID: 7, isHVM: isHVM) { node }
        #expect(found.number == number)
        #expect(found.warning == warning)
    }

    @Test("the node is not read where it decides nothing", arguments: [false, nil] as [Bool?])
    func unread(isHVM: Bool?) {
        _ = DomainTypeLookup(domainID: 7, isHVM: isHVM) {
            Issue.record("read")
            return nil
        }
    }

    private func create(_ extra: String, in scratch: Scratch) throws {
        let kernel = scratch.write("kernel", "x")
        let text = "name='t'\ntype='pvh'\nkernel='\(kernel)'\nmemory=64\nmaxvcpus=2\nextra='\(extra)'\n"
        let created = try CommandRun.martlet(["create", scratch.write("t.cfg", text)], in: scratch)
        try #require(created.code == 0, "\(created.errors)")
    }

    @Test(
        "without the node, or with rubbish in it, vcpu-set refuses and shutdown warns", arguments: ["typeless", "odd-type"])
    func withoutNode(how: String) throws {
        let scratch = try Scratch()
        try create(how, in: scratch)
        let set = try CommandRun.martlet(["vcpu-set", "-i", "t", "2"], in: scratch)
        #expect(set.code == 1)
        #expect(set.errors.hasPrefix("unable to get domain type for domid=1, assuming HVM: setting its vCPUs needs a PVH guest\n  if"))
        let shutdown = try CommandRun.martlet(["shutdown", "-w", "t"], in: scratch)
        #expect(shutdown.code == 0, "\(shutdown.errors)")
        #expect(shutdown.errorLines.first == "warning: unable to get domain type for domid=1, assuming HVM")
    }

    @Test("with it nothing is said")
    func withNode() throws {
        let scratch = try Scratch()
        try create("", in: scratch)
        let set = try CommandRun.martlet(["vcpu-set", "-i", "t", "2"], in: scratch)
        #expect(set.code == 0 && set.errors.isEmpty)
        #expect(try scratch.registry().find("t").domainType() == DomainTypeLookup(domainID: 1, isHVM: true) { "pvh" })
    }

    @Test("called by the name of xl's predecessor, the program says what took its place")
    func predecessor() throws {
        let run = try CommandRun.martlet(["create", "x.cfg"], in: try Scratch(), name: "xm")
        #expect(run.code == 1 && run.errorLines.count == 2)
        #expect(run.errors.hasPrefix("xm is gone since Xen 4.5\n  martlet and xl take the same"))
    }
}
