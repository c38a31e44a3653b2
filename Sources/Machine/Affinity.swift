import CLinux
import Glibc

/// Where threads of this process may run on the host.
enum Affinity {
    /// Processors this machine is configured with, online or not.
    static var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_CONF))) }

    /// Lets a thread run on some of the host's processors only.
    ///
    /// - Parameters:
    ///   - processors: numbers from 0; nil for all.
    ///   - thread: as `martlet_thread_id` gives it; 0 for the caller.
    /// - Returns: 0, or the `errno`; `EINVAL` when the process may use none of them. The thread stays where it was then.
    static func apply(_ processors: [Int]?, to thread: Int32) -> Int32 {
        let count = processorCount
        var mask = [UInt64](repeating: 0, count: count / 64 + 1)
        for processor in processors ?? Array(0..<count) where (0..<count).contains(processor) {
            mask[processor / 64] |= 1 << UInt64(processor % 64)
        }
        let result = unsafe mask.withUnsafeBytes { unsafe martlet_set_affinity(thread, $0.baseAddress, UInt($0.count)) }
        return result == 0 ? 0 : errno
    }

    /// The processor a thread of this process ran on last (`proc(5)`, field 39 of `stat`); nil when the thread is gone.
    static func processor(of thread: Int32) -> Int? {
        let number = unsafe open("/proc/self/task/\(thread)/stat", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        defer { close(number) }
        var buffer = [UInt8](repeating: 0, count: 1024)
        let count = unsafe read(number, &buffer, buffer.count)
        // The name stands in parentheses and may hold anything; what follows its last one does not.
        guard count > 0, let end = buffer[..<count].lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = buffer[(end + 1)..<count].split(separator: UInt8(ascii: " "))
        return fields.count > 36 ? Int(String(decoding: fields[36], as: UTF8.self)) : nil
    }
}
