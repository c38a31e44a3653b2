internal import CLinux
internal import Glibc

/// Memory for translated code: one file without a name, seen through one view that is written and one that is executed.
@safe
final class CodeMemory {
    let writable: UnsafeMutableRawPointer
    let executable: UnsafeMutableRawPointer
    let byteCount: Int

    /// - Parameter byteCount: a multiple of 4096; pages cost memory once they are written.
    /// - Throws: ``TranslatorError/codeMemoryRefused(errno:)``; nothing stays behind then.
    init(byteCount: Int) throws(TranslatorError) {
        self.byteCount = byteCount
        let file = unsafe "martlet-code".withCString { unsafe martlet_memory_file($0) }
        guard file >= 0 else { throw .codeMemoryRefused(errno: errno) }
        defer { close(file) }
        guard ftruncate(file, off_t(byteCount)) == 0 else { throw .codeMemoryRefused(errno: errno) }
        guard let first = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0),
            unsafe first != MAP_FAILED
        else { throw .codeMemoryRefused(errno: errno) }
        guard let second = unsafe mmap(nil, byteCount, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_NORESERVE, file, 0),
            unsafe second != MAP_FAILED
        else {
            let code = errno
            unsafe munmap(first, byteCount)
            throw .codeMemoryRefused(errno: code)
        }
        unsafe writable = first
        unsafe executable = second
    }

    var executableAddress: Int { unsafe Int(bitPattern: executable) }

    /// Writes from `position` on.
    func assembler(at position: Int) -> Assembler { unsafe Assembler(base: writable, position: position) }

    deinit {
        unsafe munmap(writable, byteCount)
        unsafe munmap(executable, byteCount)
    }
}

/// Why no translator can run here.
public enum TranslatorError: Error, Equatable {
    /// The host is not x86-64.
    case otherArchitecture
    /// The host gave no memory that is written in one place and executed in another; the value is `errno`.
    case codeMemoryRefused(errno: Int32)
}
