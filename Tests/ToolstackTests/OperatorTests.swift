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
