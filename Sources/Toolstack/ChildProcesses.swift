internal import Glibc
internal import Synchronization

/// The guests' processes that this program has started. A command ends before them; a program that goes on has to ask for their exit
/// status, or they stay in the process table.
enum ChildProcesses {
    private static let running = Mutex<Set<Int32>>([])

    static func add(_ processID: Int32) { _ = running.withLock { $0.insert(processID) } }

    /// Takes the exit status of those that have ended, without waiting for others.
    static func collect() {
        running.withLock { processes in
            processes = processes.filter { waitpid($0, nil, WNOHANG) == 0 }
        }
    }
}
