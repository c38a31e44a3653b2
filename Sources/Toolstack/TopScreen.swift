/// A window on the picture of `martlet top`: which part is shown, what its last line says, and what keys do. Knows no terminal.
struct TopScreen {
    var view = TopView()
    var intervalMilliseconds: Int64 = 3000
    /// The first guest that is shown, counted in lines of the list.
    private(set) var firstGuest = 0
    /// How many characters behind the names are left out.
    private(set) var firstCharacter = 0
    /// What has been typed of a new delay; nil while nobody is asked for one.
    private(set) var typedDelay: String?
    /// What the last line says instead of the keys, until the next key.
    private(set) var message: String?

    /// What has to happen after a key.
    enum Consequence { case quit, redraw }

    private static let step = 8
    static let delays = 0.1...3600

    mutating func handle(_ key: TerminalKey) -> Consequence {
        message = nil
        if let typed = typedDelay { return edit(typed, key) }
        switch key {
        case .character("q"), .character("Q"), .character("\u{3}"), .character("\u{4}"): return .quit
        case .character("n"), .character("N"): view.showsNetworks.toggle()
        case .character("b"), .character("B"): view.showsDisks.toggle()
        case .character("v"), .character("V"): view.showsVCPUs.toggle()
        case .character("r"), .character("R"): view.repeatsColumns.toggle()
        case .character("s"), .character("S"): view.order = view.order.next
        case .character("d"), .character("D"): typedDelay = ""
        case .up: firstGuest -= 1
        case .down: firstGuest += 1
        case .pageUp: firstGuest -= Self.step
        case .pageDown: firstGuest += Self.step
        case .home: (firstGuest, firstCharacter) = (0, 0)
        case .end: firstGuest = .max / 2
        case .left: firstCharacter = max(0, firstCharacter - Self.step)
        case .right: firstCharacter += Self.step
        default: break
        }
        return .redraw
    }

    /// The question for a delay has every key until Enter or Escape.
    private mutating func edit(_ typed: String, _ key: TerminalKey) -> Consequence {
        switch key {
        case .character("\u{3}"): return .quit
        case .character("\r"), .character("\n"):
            typedDelay = nil
            guard !typed.isEmpty else { break }
            guard let seconds = Double(typed), Self.delays.contains(seconds) else {
                message = "\(typed) is no delay: give 0.1 to 3600 seconds"
                break
            }
            intervalMilliseconds = Int64(seconds * 1000)
        case .character("\u{7f}"), .character("\u{8}"): typedDelay = String(typed.dropLast())
        case .character(let letter) where letter == "." || ("0"..."9").contains(letter):
            typedDelay = String((typed + String(letter)).prefix(8))
        case .escape: typedDelay = nil
        default: break
        }
        return .redraw
    }

    /// Exactly `rows` lines of at most `columns` characters, and which of them stand out.
    mutating func lines(_ sample: TopSample, since earlier: TopSample?, rows: Int, columns: Int) -> [(text: String, standsOut: Bool)] {
        let picture = view.picture(sample, since: earlier)
        firstGuest = max(0, min(firstGuest, picture.blocks.count - 1))
        firstCharacter = min(firstCharacter, max(0, (picture.columns.text.count - columns + Self.step - 1) / Self.step * Self.step))
        // The names stay where they are.
        let fixed = picture.nameWidth + 1
        func cut(_ text: String) -> String { String(text.prefix(fixed) + text.dropFirst(fixed + firstCharacter)) }
        var lines = picture.heading.map { (text: $0, standsOut: false) }
        lines += ([picture.columns] + picture.blocks.dropFirst(firstGuest).joined()).map { line in
            (line.kind == .details ? line.text : cut(line.text), line.kind == .columns)
        }
        let body = rows - 1
        lines =
            lines.prefix(body).map { (String($0.text.prefix(columns)), $0.standsOut) }
            + Array(repeating: ("", false), count: max(0, body - lines.count))
        return lines + [(String(lastLine.prefix(columns)), typedDelay == nil)]
    }

    private var lastLine: String {
        if let typedDelay { return "Seconds between two pictures: \(typedDelay)" }
        if let message { return message }
        let delay = Columns.tenths(Double(intervalMilliseconds) / 1000)
        return "Quit  Delay \(delay.hasSuffix(".0") ? String(delay.dropLast(2)) : delay) s  Networks  vBds  Vcpus  Repeat  "
            + "Sort \(view.order.rawValue)  Arrows"
    }
}
