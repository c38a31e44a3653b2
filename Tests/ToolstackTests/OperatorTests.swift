import ControlProtocol
import Testing
import Toolstack

@Suite("Sizes and lists the operator writes") struct OperatorTextTests {
    @Test(
        "sizes of memory in every unit",
        arguments: [
            ("200", 204_800), ("200m", 204_800), ("200M", 204_800), ("1g", 1 << 20), ("2T", 2 << 30), ("4096k", 4096), ("8192b", 8),
            ("0x10", 16384), ("010", 8192), ("0", 0),
        ] as [(String, UInt64)])
    func sizes(text: String, kib: UInt64) throws { #expect(try MemorySize.kib(text) == kib) }

    @Test(
        "anything else is refused", arguments: ["", "m", "abc", "1.5g", "-1", "1mm", "1 g", "99999999999999999999", "99999999999t", "9x"])
    func noSize(text: String) {
        let error = #expect(throws: OperatorError.self) { try MemorySize.kib(text) }
        #expect(error?.cause == "\"\(text)\" is no size of memory")
    }

    private let topology = HostTopology(
        processors: (0..<8).map { HostTopology.Processor(number: $0, core: $0, socket: 0, node: $0 / 4) },
        nodes: [
            .init(number: 0, memoryMiB: 1, freeMiB: 1, distances: [10, 20]),
            .init(number: 1, memoryMiB: 1, freeMiB: 1, distances: [20, 10]),
        ])

    @Test(
        "lists of processors",
        arguments: [
            ("all", nil), ("0", [0]), ("0-3,5", [0, 1, 2, 3, 5]), ("0-3,^1", [0, 2, 3]), ("node:1", [4, 5, 6, 7]),
            ("nodes:0-1,^node:0", [4, 5, 6, 7]), ("6-99", [6, 7]), ("all,^0", [1, 2, 3, 4, 5, 6, 7]),
        ] as [(String, [Int]?)])
    func lists(text: String, numbers: [Int]?) throws { #expect(try CPUList.parse(text, topology: topology) == numbers) }

    @Test("lists that are none, or name nothing", arguments: ["", "x", "3-1", "0--1", "99", "0,^0", "node:7", "0-99999999999", "1,,2"])
    func noList(text: String) { #expect(throws: OperatorError.self) { try CPUList.parse(text, topology: topology) } }

    @Test("lists in words", arguments: [([0, 1, 2, 5], "0-2,5"), ([0, 1, 2, 3], "all"), ([], "none"), ([3], "3")] as [([Int], String)])
    func words(numbers: [Int], text: String) { #expect(CPUList.text(numbers, of: [0, 1, 2, 3]) == text) }
}

@Suite("top") struct TopTests {
    private func sample(_ nanoseconds: UInt64, _ cpu: UInt64) -> TopSample {
        var disk = DeviceStatus(kind: "vbd", id: 51712, state: 4, backendPath: "")
        disk.requestsIn = 7
        disk.bytesOut = 1024
        var network = DeviceStatus(kind: "vif", id: 0, state: 4, backendPath: "")
        network.bytesOut = 3072
        let vcpu = VCPUStatus(online: true, running: true, blocked: false, processor: 0, timeNanoseconds: cpu)
        let guest = TopSample.Row(
            domainID: 1, name: "a-long-name-it-is", state: GuestState(running: true), cpuNanoseconds: cpu, memoryKiB: 262_144,
            maxMemoryKiB: 524_288, vcpus: [vcpu], devices: [disk, network])
        let crashed = TopSample.Row(
            domainID: 2, name: "b", state: GuestState(shutdownReason: .crash), cpuNanoseconds: 0, memoryKiB: 1024, maxMemoryKiB: nil,
            vcpus: [], devices: [])
        return TopSample(
            nanoseconds: nanoseconds, clock: "10:09:08", xenVersion: "4.20.0", totalMemoryKiB: 1 << 20, freeMemoryKiB: 1 << 19,
            processorCount: 2, megahertz: "2596", rows: [guest, crashed])
    }

    @Test("heading, columns and the share of a processor since the last picture")
    func picture() {
        let lines = TopView().lines(sample(3_000_000_000, 2_500_000_000), since: sample(1_000_000_000, 1_000_000_000))
        #expect(
            lines == [
                "martlet top - 10:09:08   Xen 4.20.0",
                "2 domains: 1 running, 0 blocked, 0 paused, 1 crashed, 0 dying, 0 shutdown",
                "Mem: 1048576k total, 524288k used, 524288k free    CPUs: 2 @ 2596MHz",
                "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS NETTX(k) NETRX(k) VBDS   VBD_RD   VBD_WR "
                    + " VBD_RSECT  VBD_WSECT",
                "a-long-nam -----r          2   75.0     262144   25.0     524288      50.0     1    1        3        0    1        7        0 "
                    + "         0          2",
                "         b ----c-          0    0.0       1024    0.1   no limit       n/a     0    0        0        0    0        0        0 "
                    + "         0          0",
            ])
    }

    @Test("what the keys show and how they sort")
    func keys() {
        var view = TopView()
        view.showsDisks = true
        view.showsNetworks = true
        view.showsVCPUs = true
        view.showsFullNames = true
        view.order = .name
        let lines = view.lines(sample(2, 5_000_000_000), since: nil)
        #expect(lines[5] == "VCPUs(sec):   0: 5s")
        #expect(lines[6].hasPrefix("Net0  RX: 0bytes") && lines[6].contains("TX: 3072bytes"))
        #expect(lines[7] == "VBD 51712  RD: 7  WR: 0  RSECT: 0  WSECT: 2  0err")
        #expect(lines[4].hasPrefix("a-long-name-it-is "))
        view.order = .memory
        #expect(view.lines(sample(2, 0), since: nil)[4].contains("a-long-name"))
        #expect(TopView.Order.memory.next == .domainID)
    }
}
