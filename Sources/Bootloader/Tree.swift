internal import Glibc

/// Directories of the runtime directory that others wrote into.
enum Tree {
    /// Removes a file or a directory with everything in it. Links are removed, not followed.
    static func remove(_ path: String, depth: Int = 16) {
        if unsafe unlink(path) == 0 || errno == ENOENT || depth == 0 { return }
        if let stream = unsafe opendir(path) {
            var names: [String] = []
            while let entry = unsafe readdir(stream) {
                let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                    unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != "." && name != ".." { names.append(name) }
            }
            unsafe closedir(stream)
            for name in names { remove("\(path)/\(name)", depth: depth - 1) }
        }
        unsafe rmdir(path)
    }
}
