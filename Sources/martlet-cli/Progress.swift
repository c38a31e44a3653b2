import Glibc
import Synchronization

/// A sign on the terminal that long work goes on: what it is and how long it has taken. Nothing where no terminal is, and nothing for
/// work that is done in half a second.
enum Progress {
    /// Does `work`; meanwhile one line on standard error tells of it, and is taken away afterwards.
    ///
    /// - Parameters:
    ///   - what: what is being done, such as "Waiting for web to shut down".
    ///   - detail: asked for each time the line is written, such as how much of a file there is; called on another thread.
    ///   - work: must not write to standard error itself.
    static func during<Result, Failure: Error>(
        _ what: String, detail: @escaping @Sendable () -> String = { "" }, isShown: Bool = Palette.isTerminal(2),
        work: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard isShown, let sign = ProgressSign(what, detail) else { return try work() }
        defer { sign.stop() }
        return try work()
    }
}

/// The thread that writes the line.
private final class ProgressSign: Sendable {
    private static let frames = ["|", "/", "-", "\\"]
    private static let delayMicroseconds: UInt32 = 100_000
    /// Before this many turns nothing is shown.
    private static let patience = 5

    private let what: String
    private let detail: @Sendable () -> String
    private let isOver = Atomic(false)
    private let thread = Mutex<pthread_t?>(nil)

    init?(_ what: String, _ detail: @escaping @Sendable () -> String) {
        self.what = what
        self.detail = detail
        let context = unsafe Unmanaged.passRetained(self)
        var handle = pthread_t()
        let code = unsafe pthread_create(
            &handle, nil,
            { context in
                unsafe Unmanaged<ProgressSign>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            unsafe context.release()
            return nil
        }
        thread.withLock { $0 = handle }
    }

    private func run() {
        var turn = 0
        while !isOver.load(ordering: .acquiring) {
            usleep(Self.delayMicroseconds)
            turn += 1
            guard turn >= Self.patience else { continue }
            let more = detail()
            let seconds = turn * Int(Self.delayMicroseconds) / 1_000_000
            put("\r\(Self.frames[turn % Self.frames.count]) \(what)\(more.isEmpty ? "" : ", \(more)") (\(seconds) s)\u{1b}[K")
        }
        if turn >= Self.patience { put("\r\u{1b}[K") }
    }

    func stop() {
        isOver.store(true, ordering: .releasing)
        guard let handle = thread.withLock({ $0 }) else { return }
        pthread_join(handle, nil)
    }

    private func put(_ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe write(2, bytes, bytes.count)
    }
}
