import ControlProtocol
import Testing

@testable import Toolstack

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
                "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS NETTX(k) NETRX(k) VBDS   VBD_OO   VBD_RD "
                    + "  VBD_WR  VBD_RSECT  VBD_WSECT SSID",
                "a-long-nam -----r          2   75.0     262144   25.0     524288      50.0     1    1        3        0    1        0        7 "
                    + "       0          0          2    0",
                "         b ----c-          0    0.0       1024    0.1   no limit       n/a     0    0        0        0    0        0        0 "
                    + "       0          0          0    0",
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
        #expect(TopColumn.label.next == .domainID)
    }

    private static let sorted: [(TopColumn, [String])] = [
        (.domainID, ["a-long-nam", "b"]), (.name, ["a-long-nam", "b"]), (.state, ["b", "a-long-nam"]), (.maxMemory, ["b", "a-long-nam"]),
        (.diskReads, ["a-long-nam", "b"]), (.diskOutOfRequests, ["a-long-nam", "b"]),
    ]

    @Test("the lines are sorted by any column, and by domain ID where that is equal", arguments: sorted)
    func order(column: TopColumn, names: [String]) {
        var view = TopView()
        view.order = column
        #expect(view.lines(sample(2, 0), since: nil).dropFirst(4).map { String($0.drop { $0 == " " }.prefix { $0 != " " }) } == names)
    }

    @Test("the names of the columns are repeated where that is wanted, and every name is as long as the longest")
    func repeated() {
        var view = TopView()
        view.repeatsColumns = true
        view.showsFullNames = true
        let lines = view.lines(sample(2, 0), since: nil)
        #expect(lines.count == 7 && lines[3] == lines[5] && lines[3].hasPrefix("             NAME  STATE"))
        #expect(Set(lines.dropFirst(3).map(\.count)).count == 1)
    }
}

/// The window on the picture, and its keys.
@Suite("top on a screen") struct TopScreenTests {
    private func sample(guests: Int) -> TopSample {
        let rows = (0..<guests).map {
            TopSample.Row(
                domainID: UInt16($0), name: "g\($0)", state: GuestState(), cpuNanoseconds: 0, memoryKiB: 1024, maxMemoryKiB: 2048,
                vcpus: [],
                devices: [])
        }
        return TopSample(
            nanoseconds: 1, clock: "10:09:08", xenVersion: "4.20.0", totalMemoryKiB: 1 << 20, freeMemoryKiB: 1 << 19, processorCount: 2,
            megahertz: "2596", rows: rows)
    }

    private func names(_ screen: inout TopScreen, guests: Int = 50, rows: Int = 24) -> [String] {
        screen.lines(sample(guests: guests), since: nil, rows: rows, columns: 80).dropFirst(4).dropLast()
            .map { String($0.text.drop { $0 == " " }.prefix { $0 != " " }) }.filter { !$0.isEmpty }
    }

    @Test("there are as many lines as the terminal has, none longer than it is wide", arguments: [(24, 80), (5, 20), (2, 1), (60, 300)])
    func size(rows: Int, columns: Int) {
        var screen = TopScreen()
        let lines = screen.lines(sample(guests: 30), since: nil, rows: rows, columns: columns)
        #expect(lines.count == rows && lines.allSatisfy { $0.text.count <= columns })
    }

    @Test("arrows and page keys move over the guests, and stop at their ends")
    func moves() {
        var screen = TopScreen()
        let table: [(keys: String, first: String)] = [
            ("", "g0"), ("\u{1b}[B", "g1"), ("\u{1b}OB\u{1b}[6~", "g10"), ("\u{1b}[A", "g9"), ("\u{1b}[F\u{1b}[B", "g49"),
            ("\u{1b}[5~", "g41"),
            ("\u{1b}[1~", "g0"), ("\u{1b}[A", "g0"),
        ]
        for (keys, first) in table {
            for key in TerminalKey.keys(Array(keys.utf8)) { #expect(screen.handle(key) == .redraw) }
            #expect(names(&screen).first == first, "\(keys.debugDescription)")
        }
        #expect(names(&screen).count == 19, "the terminal is full")
        #expect(names(&screen, guests: 3, rows: 7) == ["g0", "g1"], "one line is that of the keys")
    }

    @Test("left and right show the columns that do not fit, the heading stays")
    func sideways() {
        var screen = TopScreen()
        func columns() -> String { screen.lines(sample(guests: 2), since: nil, rows: 24, columns: 80)[3].text }
        #expect(!columns().contains("SSID"))
        for _ in 0..<30 { _ = screen.handle(.right) }
        #expect(columns().hasPrefix("      NAME ") && columns().hasSuffix("SSID"))
        #expect(screen.lines(sample(guests: 2), since: nil, rows: 24, columns: 80)[0].text.hasPrefix("martlet top"))
        for _ in 0..<30 { _ = screen.handle(.left) }
        #expect(columns().hasPrefix("      NAME  STATE   CPU"))
    }

    static let delays: [(typed: String, milliseconds: Int64, last: String)] = [
        ("d5\r", 5000, "Delay 5 s"), ("D0.5\r", 500, "Delay 0.5 s"), ("d12\u{7f}\r", 1000, "Delay 1 s"), ("d\r", 3000, "Delay 3 s"),
        ("d7\u{1b}", 3000, "Delay 3 s"), ("d0\r", 3000, "0 is no delay"), ("d1.2.3\r", 3000, "1.2.3 is no delay"),
        ("d4", 3000, "pictures: 4"),
        ("dq9\r", 9000, "Delay 9 s"), ("d0\rv", 3000, "Delay 3 s"), ("d99999999999\r", 3000, "99999999 is no delay"),
    ]

    @Test("the delay is asked for", arguments: delays)
    func delay(typed: String, milliseconds: Int64, last: String) {
        var screen = TopScreen()
        for key in TerminalKey.keys(Array(typed.utf8)) { #expect(screen.handle(key) == .redraw) }
        #expect(screen.intervalMilliseconds == milliseconds)
        #expect(screen.lines(sample(guests: 2), since: nil, rows: 24, columns: 80).last?.text.contains(last) == true)
    }

    @Test("letters in both cases; q, Q, Ctrl-C and Ctrl-D leave")
    func letters() {
        var screen = TopScreen()
        for letter in "nBvRs".unicodeScalars { #expect(screen.handle(.character(letter)) == .redraw) }
        #expect(screen.view.showsNetworks && screen.view.showsDisks && screen.view.showsVCPUs && screen.view.repeatsColumns)
        #expect(screen.view.order == .name)
        for letter in "qQ\u{3}\u{4}".unicodeScalars { #expect(screen.handle(.character(letter)) == .quit) }
        _ = screen.handle(.character("d"))
        #expect(screen.handle(.character("\u{3}")) == .quit, "even while a delay is asked for")
    }

    static let sequences: [(String, [TerminalKey])] = [
        ("\u{1b}", [.escape]), ("\u{1b}\u{1b}[A", [.escape, .up]), ("\u{1b}[", [.other]), ("\u{1b}[1;5A", [.other]),
        ("\u{1b}[3~x", [.other, .character("x")]),
        ("\u{1b}[H\u{1b}[4~", [.home, .end]), ("é", [.other, .other]), ("\u{1b}[999999999999", [.other]),
    ]

    @Test("sequences of keys, whole, cut off and unknown", arguments: sequences)
    func keys(typed: String, keys: [TerminalKey]) { #expect(TerminalKey.keys(Array(typed.utf8)) == keys) }
}
