internal import CLinux
internal import CURing
internal import Glibc
internal import HostIO

/// Steps carried out by the host's kernel while we do something else (io_uring).
///
/// Reference: liburing's manual pages; Linux `include/uapi/linux/io_uring.h`.
@safe
final class URingIO: BlockIO {
    let depth = 64
    private let file: Descriptor
    private let ring: UnsafeMutablePointer<io_uring>
    /// The ring's own descriptor, which is readable while completions wait.
    private let readiness: Descriptor
    /// Transfers under way by number, which is what the kernel hands back.
    private var underWay: [BlockTransfer?]
    private var free: [Int]
    private var hasUnsubmitted = false

    /// - Throws: ``HostError`` where the host does not have io_uring, or not all of what is used here (Linux 5.6).
    init(_ file: Descriptor) throws(HostError) {
        self.file = file
        underWay = Array(repeating: nil, count: depth)
        free = Array((0..<depth).reversed())
        unsafe ring = .allocate(capacity: 1)
        unsafe ring.initialize(to: io_uring())
        let code = unsafe io_uring_queue_init(UInt32(depth), ring, 0)
        guard code == 0 else {
            unsafe ring.deallocate()
            throw HostError("io_uring_setup", -code)
        }
        let copy = unsafe fcntl(ring.pointee.ring_fd, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0, unsafe Self.isComplete(ring) else {
            let code = copy < 0 ? errno : ENOSYS
            if copy >= 0 { Glibc.close(copy) }
            unsafe io_uring_queue_exit(ring)
            unsafe ring.deallocate()
            throw HostError("io_uring", code)
        }
        readiness = Descriptor(copy)
    }

    deinit {
        unsafe io_uring_queue_exit(ring)
        unsafe ring.deallocate()
    }

    private static func isComplete(_ ring: UnsafeMutablePointer<io_uring>) -> Bool {
        guard let probe = unsafe io_uring_get_probe_ring(ring) else { return false }
        defer { unsafe io_uring_free_probe(probe) }
        let needed = [IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_FALLOCATE]
        return needed.allSatisfy { unsafe io_uring_opcode_supported(probe, Int32($0.rawValue)) != 0 }
    }

    func submit(_ transfer: BlockTransfer) {
        guard let number = free.popLast() else { preconditionFailure("no more than `depth` transfers are under way") }
        underWay[number] = transfer
        var entry = unsafe io_uring_get_sqe(ring)
        while unsafe entry == nil {
            push()
            unsafe entry = io_uring_get_sqe(ring)
        }
        let pending = unsafe transfer.pending
        let (file, position) = (file.rawValue, transfer.position)
        switch transfer.steps[0] {
        case .read: unsafe io_uring_prep_readv(entry, file, pending.start, UInt32(pending.count), position)
        case .write: unsafe io_uring_prep_writev(entry, file, pending.start, UInt32(pending.count), position)
        case .flush: unsafe io_uring_prep_fsync(entry, file, UInt32(IORING_FSYNC_DATASYNC))
        case .discard: unsafe io_uring_prep_fallocate(entry, file, martlet_punch_hole_mode, off_t(position), off_t(transfer.remaining))
        }
        unsafe io_uring_sqe_set_data64(entry, UInt64(number))
        hasUnsubmitted = true
    }

    func push() {
        guard hasUnsubmitted else { return }
        // The kernel says no only when it is short of memory for a moment.
        while unsafe io_uring_submit(ring) < 0 { usleep(100) }
        hasUnsubmitted = unsafe io_uring_sq_ready(ring) > 0
    }

    func interest() -> (descriptor: Descriptor, readiness: Readiness) { (readiness, .readable) }

    func collect(_ done: (BlockTransfer, BlockOutcome) -> Void) {
        var completion: UnsafeMutablePointer<io_uring_cqe>?
        while unsafe io_uring_peek_cqe(ring, &completion) == 0, let entry = unsafe completion {
            let (number, outcome) = unsafe (Int(entry.pointee.user_data), Int(entry.pointee.res))
            unsafe io_uring_cqe_seen(ring, entry)
            guard let transfer = underWay[number] else { continue }
            underWay[number] = nil
            free.append(number)
            done(transfer, outcome)
        }
    }
}
