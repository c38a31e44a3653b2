internal import Glibc
internal import HostIO

/// A CD-ROM drive without a medium: a disk of no sectors, as QEMU shows one to a guest of Xen. Every request is beyond its end.
final class EmptyDrive: BlockImage {
    let byteCount: UInt64 = 0
    let sectorByteCount = 512
    let physicalSectorByteCount = 512
    let discardGranularity: Int? = nil
    let deviceNumbers: (major: UInt32, minor: UInt32)? = nil

    let isUsable = true

    func refreshSize() {}

    /// Threads for requests that never come: what the size does not allow is answered before.
    func makeIO(reports: @escaping @Sendable (String) -> Void) throws(BlockFailure) -> any BlockIO {
        let raw = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { throw BlockFailure("an empty drive: /dev/null: \(unsafe String(cString: strerror(errno)))", remedy: "") }
        do throws(HostError) {
            return try ThreadPoolIO(Descriptor(raw))
        } catch {
            throw BlockFailure("an empty drive: the host has no threads left: \(error)", remedy: "raise ulimit -n and -u")
        }
    }

    func close() {}
}
