import Glibc

/// Lets other threads and processes go on for a moment.
public func breathe() { usleep(300) }

/// Waits until `condition` holds; false after many seconds, so that a test fails instead of hanging.
public func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<50_000 {
        if try condition() { return true }
        breathe()
    }
    return false
}
