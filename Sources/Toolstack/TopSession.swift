public import ControlProtocol
internal import Glibc

/// `martlet top`: samples at intervals, on a terminal with keys, or one below the other.
public struct TopSession: Sendable {
    private let registry: GuestRegistry
    private var screen = TopScreen()

    public init(registry: GuestRegistry) { self.registry = registry }

    public var view: TopView {
        get { screen.view }
        set { screen.view = newValue }
    }

    /// Time between two pictures.
    public var intervalMilliseconds: Int64 {
        get { screen.intervalMilliseconds }
        set { screen.intervalMilliseconds = newValue }
    }

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
    /// - Throws: an error when `input` or `output` is no terminal.
    public mutating func runInteractive(count: Int?, input: Int32 = 0, output: Int32 = 1) throws(OperatorError) -> Int32? {
        guard isatty(output) == 1 else { throw Self.needsTerminal("standard output") }
        guard let signals = SignalPipe(andAlso: [SIGWINCH]), let terminal = RawTerminal(input) else {
            throw Self.needsTerminal("standard input")
        }
        defer { extendLifetime(terminal) }
        try Self.print("\u{1b}[?1049h\u{1b}[?25l", to: output)
        defer { try? Self.print("\u{1b}[0m\u{1b}[?25h\u{1b}[?1049l", to: output) }
        var earlier: TopSample?
        var sample = try TopSample.take(registry)
        var left = count
        while left != 0 {
            let due = Self.now() + intervalMilliseconds
            while true {
                try show(sample, since: earlier, output)
                switch wait(signals, input, until: due) {
                case .quit: return nil
                case .signal(let number): return number
                case .redraw: continue
                case .timePassed: break
                }
                break
            }
            left = left.map { $0 - 1 }
            guard left != 0 else { break }
            (earlier, sample) = (sample, try TopSample.take(registry))
        }
        return nil
    }

    private static func needsTerminal(_ stream: String) -> OperatorError {
        OperatorError("top shows a live picture on a terminal, and \(stream) is none", remedy: "use -b for a listing")
    }

    private enum Event { case quit, redraw, timePassed, signal(Int32) }

    private mutating func wait(_ signals: borrowing SignalPipe, _ input: Int32, until due: Int64) -> Event {
        var polled = [
            pollfd(fd: input, events: Int16(POLLIN), revents: 0), pollfd(fd: signals.readEnd, events: Int16(POLLIN), revents: 0),
        ]
        let ready = unsafe poll(&polled, nfds_t(polled.count), Int32(clamping: max(0, due - Self.now())))
        if ready == 0 { return .timePassed }
        if polled[1].revents != 0, let number = signals.take() { return number == SIGWINCH ? .redraw : .signal(number) }
        guard polled[0].revents != 0 else { return .redraw }
        var typed = [UInt8](repeating: 0, count: 64)
        let count = unsafe read(input, &typed, typed.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return .redraw }
        guard count > 0 else { return .quit }
        for key in TerminalKey.keys(Array(typed[..<count])) where screen.handle(key) == .quit { return .quit }
        return .redraw
    }

    private mutating func show(_ sample: TopSample, since earlier: TopSample?, _ output: Int32) throws(OperatorError) {
        var size = winsize()
        let known = unsafe ioctl(output, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 1 && size.ws_col > 0
        let (rows, columns) = known ? (Int(size.ws_row), Int(size.ws_col)) : (24, 80)
        let lines = screen.lines(sample, since: earlier, rows: rows, columns: columns).enumerated().map { index, line in
            let text = line.standsOut ? "\u{1b}[7m\(line.text)\u{1b}[0m" : line.text
            // A line that fills the terminal leaves nothing behind itself that could be erased.
            return "\u{1b}[\(index + 1);1H" + text + (line.text.count < columns ? "\u{1b}[K" : "")
        }
        try Self.print(lines.joined(), to: output)
    }

    private static func now() -> Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    private static func print(_ text: String, to output: Int32) throws(OperatorError) {
        do throws(SystemError) {
            try Files.writeAll(output, Array(text.utf8), subject: "standard output")
        } catch {
            throw OperatorError(error.sentence)
        }
    }
}
