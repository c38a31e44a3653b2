import Testing

extension GuestTests {
    @Suite("Several vCPUs") struct SeveralVCPUsTests {
        @Test("The kernel brings all of them up, also more than the host has", arguments: [2, 5])
        func bringUp(count: Int) throws {
            let workshop = try Workshop()
            let typed = "dmesg | grep spinlocks; echo begin; nproc; echo end\npoweroff -f\n"
            let run = try workshop.martlet(
                "create", "-c", "--timeout=300", try workshop.configuration(), "vcpus=\(count)", input: typed)
            #expect(run.code == 0, "\(run.errors)\n\(run.output.suffix(2000))")
            #expect(run.output.contains("xen: PV spinlocks enabled"))
            #expect(run.output.contains("smp: Brought up 1 node, \(count) CPUs"))
            let lines = run.lines.map(String.init)
            let begin = try #require(lines.firstIndex(of: "begin"))
            #expect(lines[begin + 1] == "\(count)")
        }
    }
}
