public import ControlProtocol
internal import Glibc

/// `martlet top`: samples at intervals, on a terminal with keys, or one below the other.
public struct TopSession: Sendable {
    private let registry: GuestRegistry
    public var view = TopView()
    /// Time between two pictures.
    public var intervalMilliseconds: Int64 = 3000

    public init(registry: GuestRegistry) { self.registry = registry }

    /// Prints so many pictures, one below the other; without end if `count` is nil.
    ///
    /// - Throws: an error when the output cannot be written any more, or the guests cannot be found.
    public func runBatch(count: Int?, output: Int32 = 1) throws(OperatorError) {
        var earlier: TopSample?
        var left = count
        while left != 0 {
            let sample = try TopSample.take(registry)
            try Self.print(view.lines(sample, since: earlier).joined(separator: "\n") + "\n", to: output)
            earlier = sample
            left = left.map { $0 - 1 }
            if left != 0 { usleep(UInt32(clamping: intervalMilliseconds * 1000)) }
        }
    }

    /// Shows pictures on a terminal until somebody types q, so many are shown, or a signal comes. The terminal is restored in any case.
    ///
    /// - Returns: the signal that ended it, if one did.
    /// - Throws: an error when `input` is no terminal.
    public mutating func runInteractive(count: Int?, input: Int32 = 0, output: Int32 = 1) throws(OperatorError) -> Int32? {
        guard let signals = SignalPipe(), let terminal = RawTerminal(input) else {
            throw OperatorError("top shows a live picture on a terminal, and standard input is none", remedy: "use -b for a listing")
        }
        defer { extendLifetime(terminal) }
        try Self.print("\u{1b}[?1049h\u{1b}[?25l", to: output)
        defer { try? Self.print("\u{1b}[?25h\u{1b}[?1049l", to: output) }
        var earlier: TopSample?
        var left = count
        while left != 0 {
            let sample = try TopSample.take(registry)
            try show(view.lines(sample, since: earlier), output)
            switch wait(signals, input) {
            case .quit: return nil
            case .signal(let number): return number
            case .redraw: continue
            case .timePassed:
                earlier = sample
                left = left.map { $0 - 1 }
            }
        }
        return nil
    }

    private enum Event { case quit, redraw, timePassed, signal(Int32) }

    private mutating func wait(_ signals: borrowing SignalPipe, _ input: Int32) -> Event {
        var polled = [
            pollfd(fd: input, events: Int16(POLLIN), revents: 0), pollfd(fd: signals.readEnd, events: Int16(POLLIN), revents: 0),
        ]
        let ready = unsafe poll(&polled, nfds_t(polled.count), Int32(clamping: intervalMilliseconds))
        if ready == 0 { return .timePassed }
        if polled[1].revents != 0, let number = signals.take() { return .signal(number) }
        guard polled[0].revents != 0 else { return .redraw }
        var key: UInt8 = 0
        guard unsafe read(input, &key, 1) == 1 else { return .quit }
        return handle(UnicodeScalar(key))
    }

    private mutating func handle(_ key: UnicodeScalar) -> Event {
        switch key {
        case "q", "Q", "\u{3}", "\u{4}": return .quit
        case "n": view.showsNetworks.toggle()
        case "b": view.showsDisks.toggle()
        case "v": view.showsVCPUs.toggle()
        case "s": view.order = view.order.next
        // Steps instead of a question: no key is ever swallowed by a prompt.
        case "d": intervalMilliseconds = intervalMilliseconds >= 10_000 ? 1000 : intervalMilliseconds + 1000
        default: break
        }
        return .redraw
    }

    private func show(_ lines: [String], _ output: Int32) throws(OperatorError) {
        var size = winsize()
        let known = unsafe ioctl(output, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 1
        let (rows, columns) = known ? (Int(size.ws_row), Int(size.ws_col)) : (24, 80)
        let help = "q quit  d every \(intervalMilliseconds / 1000) s  n networks  b disks  v vCPUs  s by \(view.order.rawValue)"
        let body = lines.prefix(rows - 1).map { String($0.prefix(columns)) + "\u{1b}[K" }
        let text = "\u{1b}[H" + body.joined(separator: "\r\n") + "\r\n\u{1b}[J\u{1b}[\(rows);1H" + String(help.prefix(columns)) + "\u{1b}[K"
        try Self.print(text, to: output)
    }

    private static func print(_ text: String, to output: Int32) throws(OperatorError) {
        do throws(SystemError) {
            try Files.writeAll(output, Array(text.utf8), subject: "standard output")
        } catch {
            throw OperatorError(error.sentence)
        }
    }
}
