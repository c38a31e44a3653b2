internal import Glibc

/// An anonymous host mapping that costs memory only for the pages touched; unmapped when the value goes.
@safe
struct LazyMapping: ~Copyable {
    let base: UnsafeMutableRawPointer
    let byteCount: Int

    /// - Throws: ``GuestMemoryError/hostRefused(errno:)``.
    init(byteCount: Int) throws(GuestMemoryError) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let mapping = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0), unsafe mapping != MAP_FAILED else {
            throw .hostRefused(errno: errno)
        }
        unsafe base = mapping
        self.byteCount = byteCount
    }

    deinit { unsafe munmap(base, byteCount) }
}
