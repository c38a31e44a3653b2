/// What a terminal shows: as much of ECMA-48 as a program needs that draws lines.
public struct TerminalScreen: Sendable {
    public private(set) var isAlternate = false
    public private(set) var hidesCursor = false
    private var cells: [[Character]]
    private var row = 0
    private var column = 0
    /// Bytes of a sequence whose end has not come yet.
    private var pending: [UInt8] = []

    public init(rows: Int, columns: Int) {
        cells = Array(repeating: Array(repeating: " ", count: columns), count: rows)
    }

    /// The lines without the blanks at their ends.
    public var lines: [String] {
        cells.map { line in String(line.prefix((line.lastIndex { $0 != " " } ?? -1) + 1)) }
    }

    public var text: String { lines.joined(separator: "\n") }

    mutating func take(_ bytes: ArraySlice<UInt8>) {
        for byte in bytes {
            if pending.isEmpty, byte != 0x1b { put(byte) } else { collect(byte) }
        }
    }

    private mutating func put(_ byte: UInt8) {
        switch byte {
        case 0x0d: column = 0
        case 0x0a: row = min(row + 1, cells.count - 1)
        case 0x20..<0x7f:
            if column < cells[row].count { cells[row][column] = Character(UnicodeScalar(byte)) }
            column += 1
        default: break
        }
    }

    private mutating func collect(_ byte: UInt8) {
        pending.append(byte)
        guard pending.count > 2, (0x40..<0x7f).contains(byte) else { return }
        let parameters = String(decoding: pending.dropFirst(2).dropLast(), as: UTF8.self)
        pending = []
        obey(UnicodeScalar(byte), parameters)
    }

    private mutating func obey(_ command: UnicodeScalar, _ parameters: String) {
        switch (command, parameters) {
        case ("H", _):
            let numbers = parameters.split(separator: ";").map { Int($0) ?? 1 }
            row = min(max(1, numbers.first ?? 1), cells.count) - 1
            column = max(1, numbers.count > 1 ? numbers[1] : 1) - 1
        case ("K", _): for place in cells[row].indices where place >= column { cells[row][place] = " " }
        case ("h", "?1049"): isAlternate = true
        case ("l", "?1049"): isAlternate = false
        case ("h", "?25"): hidesCursor = false
        case ("l", "?25"): hidesCursor = true
        default: break
        }
    }
}
