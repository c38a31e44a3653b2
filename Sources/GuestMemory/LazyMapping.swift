internal import Glibc

/// An anonymous host mapping that costs memory only for the pages touched; unmapped when the value goes.
/// A page without access follows it: what runs over its end stops there, and /proc shows each mapping by itself.
@safe
struct LazyMapping: ~Copyable {
    let base: UnsafeMutableRawPointer
    let byteCount: Int

    /// - Throws: ``GuestMemoryError/hostRefused(errno:)``.
    init(byteCount: Int) throws(GuestMemoryError) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let usable = (byteCount + 4095) & ~4095
        guard let mapping = unsafe mmap(nil, usable + 4096, PROT_NONE, flags, -1, 0), unsafe mapping != MAP_FAILED else {
            throw .hostRefused(errno: errno)
        }
        guard unsafe mprotect(mapping, usable, PROT_READ | PROT_WRITE) == 0 else {
            let cause = errno
            unsafe munmap(mapping, usable + 4096)
            throw .hostRefused(errno: cause)
        }
        unsafe base = mapping
        self.byteCount = usable
    }

    deinit { unsafe munmap(base, byteCount + 4096) }
}
