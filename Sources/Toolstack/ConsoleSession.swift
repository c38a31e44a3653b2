public import ControlProtocol
internal import Glibc

/// Stands between the operator's terminal (or pipes) and a guest: carries the console both ways and waits for the guest's end.
public struct ConsoleSession: ~Copyable {
    /// Why a session ended.
    public enum Ending: Equatable, Sendable {
        /// The operator typed the escape character, or nobody takes the output any more.
        case detached
        /// The guest has come to its end; all it wrote has been shown.
        case ended(GuestEnd)
        /// The guest's process is gone without a word.
        case lost
        /// A signal asks this program to end.
        case signalled(Int32)
        /// The deadline has passed.
        case deadline
    }

    private var control: ControlClient
    private var console: FileDescriptor?
    private let input: Int32
    private let output: Int32
    private var controlIsOpen: Bool
    private var inputIsOpen: Bool
    private var pendingInput: [UInt8] = []
    private var end: GuestEnd?
    private var deadline: Int64?

    private let escape: UInt8

    /// Ctrl-].
    public static let defaultEscape: UInt8 = 0x1d
    /// How long after the guest's end its last output may take.
    private static let drainMilliseconds: Int64 = 5000

    /// Connects to a guest.
    ///
    /// - Parameters:
    ///   - withConsole: whether to carry the console, or only to wait for the guest's end.
    ///   - input: where the operator's typing comes from; at its end the session goes on without.
    ///   - output: where the guest's output goes to.
    ///   - timeoutMilliseconds: ends the session with ``Ending/deadline``.
    ///   - escape: the character that ends the session when it is typed at a terminal.
    /// - Throws: an error when the guest's process does not answer.
    public static func connect(
        _ entry: GuestRegistry.Entry, withConsole: Bool, input: Int32 = 0, output: Int32 = 1, timeoutMilliseconds: Int64? = nil,
        escape: UInt8 = Self.defaultEscape
    ) throws(OperatorError) -> ConsoleSession {
        let control = try answered(entry) { () throws(SystemError) in try ControlClient(directory: entry.directory) }
        guard withConsole else {
            return ConsoleSession(
                control, console: nil, input: input, output: output, timeoutMilliseconds: timeoutMilliseconds, escape: escape)
        }
        let console = try answered(entry) { () throws(SystemError) in
            try UnixSocket.connect(directory: entry.directory, name: UnixSocket.consoleName)
        }
        return ConsoleSession(
            control, console: console, input: input, output: output, timeoutMilliseconds: timeoutMilliseconds, escape: escape)
    }

    private init(
        _ control: consuming ControlClient, console: consuming FileDescriptor?, input: Int32, output: Int32, timeoutMilliseconds: Int64?,
        escape: UInt8
    ) {
        let withConsole = console != nil
        if let number = console?.number { _ = fcntl(number, F_SETFL, O_NONBLOCK) }
        controlIsOpen = (try? control.send(.wait)) != nil
        self.control = control
        self.console = console
        self.input = input
        self.output = output
        self.escape = escape
        inputIsOpen = withConsole
        deadline = timeoutMilliseconds.map { Self.now() + $0 }
    }

    private static func answered<Value: ~Copyable>(
        _ entry: GuestRegistry.Entry, _ body: () throws(SystemError) -> Value
    ) throws(OperatorError) -> Value {
        do throws(SystemError) {
            return try body()
        } catch {
            throw OperatorError(
                "the guest \"\(entry.description.name)\" does not answer: \(error.sentence)",
                remedy: "`martlet list' shows whether it still exists")
        }
    }

    /// Carries bytes until the session ends. A terminal is in raw mode meanwhile, and restored on every way out.
    ///
    /// - Parameter whenAttached: called once, when nothing the guest writes can be missed any more.
    public mutating func run(whenAttached: () throws(OperatorError) -> Void = {}) throws(OperatorError) -> Ending {
        signal(SIGPIPE, SIG_IGN)
        guard let signals = SignalPipe() else {
            throw OperatorError("no pipe can be made: \(SystemError.text(errno))")
        }
        let terminal = inputIsOpen ? RawTerminal(input) : nil
        let isTerminal = terminal != nil
        defer { extendLifetime(terminal) }
        try whenAttached()
        while true {
            if let ending = step(signals, isTerminal: isTerminal) { return ending }
        }
    }

    /// One wait and everything it brings.
    private mutating func step(_ signals: borrowing SignalPipe, isTerminal: Bool) -> Ending? {
        if console == nil, let end { return .ended(end) }
        if console == nil, !controlIsOpen { return .lost }
        var polled = [pollfd(fd: signals.readEnd, events: Int16(POLLIN), revents: 0)]
        polled.append(pollfd(fd: controlIsOpen ? control.number : -1, events: Int16(POLLIN), revents: 0))
        let wantsToWrite = !pendingInput.isEmpty
        polled.append(pollfd(fd: console?.number ?? -1, events: Int16(POLLIN | (wantsToWrite ? POLLOUT : 0)), revents: 0))
        let readsInput = inputIsOpen && !wantsToWrite && console != nil
        polled.append(pollfd(fd: readsInput ? input : -1, events: Int16(POLLIN), revents: 0))
        let remaining = deadline.map { Int32(clamping: max(0, $0 - Self.now())) } ?? -1
        let ready = unsafe poll(&polled, nfds_t(polled.count), remaining)
        if ready == 0 { return atDeadline() }

        if polled[0].revents != 0, let number = signals.take() { return .signalled(number) }
        if polled[1].revents != 0 { receiveEvent() }
        if polled[2].revents != 0, !carryOutput(writable: polled[2].revents & Int16(POLLOUT) != 0) { return .detached }
        if polled[3].revents != 0, !readInput(isTerminal: isTerminal) { return .detached }
        return nil
    }

    private mutating func atDeadline() -> Ending? {
        if let end { return .ended(end) }
        return controlIsOpen ? .deadline : .lost
    }

    private mutating func receiveEvent() {
        do throws(ControlClientError) {
            if case .ended(let end) = try control.receive(timeoutMilliseconds: 0) {
                self.end = end
                controlIsOpen = false
            }
        } catch .timeout {
            return
        } catch {
            controlIsOpen = false
        }
        if !controlIsOpen { deadline = Self.now() + Self.drainMilliseconds }
    }

    /// - Returns: false when the output cannot be written.
    private mutating func carryOutput(writable: Bool) -> Bool {
        guard let number = console?.number else { return true }
        if writable { writeInput(number) }
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = unsafe read(number, &buffer, buffer.count)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return true }
        guard count > 0 else {
            console = nil
            return true
        }
        return (try? Files.writeAll(output, Array(buffer[..<count]), subject: "standard output")) != nil
    }

    private mutating func writeInput(_ number: Int32) {
        let count = unsafe pendingInput.withUnsafeBytes { bytes in
            unsafe send(number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
        if count > 0 { pendingInput.removeFirst(count) }
        if count < 0 && errno != EAGAIN && errno != EINTR { pendingInput = [] }
    }

    /// - Returns: false when the operator wants to leave.
    private mutating func readInput(isTerminal: Bool) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(input, &buffer, buffer.count)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return true }
        guard count > 0 else {
            inputIsOpen = false
            return true
        }
        let typed = buffer[..<count]
        if isTerminal, let position = typed.firstIndex(of: escape) {
            pendingInput = Array(typed[..<position])
            if let number = console?.number { writeInput(number) }
            return false
        }
        pendingInput = Array(typed)
        return true
    }

    private static func now() -> Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }
}
