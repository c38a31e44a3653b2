internal import CNBD
internal import Glibc
internal import HostIO

/// Steps carried out by an NBD server.
///
/// NBD takes one buffer per command: a transfer of several goes through one of ours. When the server dies, another one is told what may
/// be missing on the disk, and then the commands that were under way.
@safe
final class NBDIO: BlockIO {
    let depth = 64
    /// NBD counts in 32 bits.
    private static let longestTrim = 1 << 30

    private struct Command {
        var transfer: BlockTransfer
        var cookie: Int64
        var buffer: Bounce?
        var byteCount: Int
        /// Of a flush: what it covers.
        var mark = 0
    }

    /// A buffer of our own.
    @safe
    private final class Bounce {
        let start: UnsafeMutableRawPointer
        init(byteCount: Int) { unsafe start = .allocate(byteCount: byteCount, alignment: 4096) }
        deinit { unsafe start.deallocate() }
    }

    private let image: NBDImage
    private let reports: (String) -> Void
    /// Nil when the server is gone for good.
    private var handle: OpaquePointer?
    private var readiness: Descriptor
    /// Waited for when there is nobody to wait for.
    private let nothing: WakeUp
    private var underWay: [Command] = []
    /// What the library did not take.
    private var refused: [BlockTransfer] = []

    init(_ image: NBDImage, reports: @escaping (String) -> Void) throws(HostError) {
        self.image = image
        self.reports = reports
        nothing = try WakeUp()
        unsafe handle = image.handle
        readiness = unsafe Self.descriptor(of: image.handle) ?? nothing.descriptor
    }

    /// A dead connection has no descriptor; its commands fail at once.
    private static func descriptor(of handle: OpaquePointer?) -> Descriptor? {
        guard let handle = unsafe handle else { return nil }
        let copy = fcntl(unsafe nbd_aio_get_fd(handle), F_DUPFD_CLOEXEC, 0)
        return copy >= 0 ? Descriptor(copy) : nil
    }

    func submit(_ transfer: BlockTransfer) {
        guard let handle = unsafe handle else { return refused.append(transfer) }
        let none = unsafe nbd_completion_callback()
        let count = transfer.steps[0] == .discard ? min(transfer.remaining, Self.longestTrim) : transfer.remaining
        var command = Command(transfer: transfer, cookie: -1, buffer: nil, byteCount: count)
        let position = transfer.position
        switch transfer.steps[0] {
        case .read:
            let target = unsafe target(of: &command)
            unsafe command.cookie = nbd_aio_pread(handle, target, count, position, none, 0)
        case .write:
            let source = unsafe target(of: &command)
            if command.buffer != nil { unsafe transfer.gather(into: source) }
            unsafe command.cookie = nbd_aio_pwrite(handle, source, count, position, none, 0)
        case .flush:
            command.mark = image.journal.mark
            unsafe command.cookie = nbd_aio_flush(handle, none, 0)
        case .discard: unsafe command.cookie = nbd_aio_trim(handle, UInt64(count), position, none, 0)
        }
        if command.cookie > 0 { underWay.append(command) } else { refused.append(transfer) }
    }

    /// The transfer's only buffer, or one of ours.
    private func target(of command: inout Command) -> UnsafeMutableRawPointer {
        let pending = unsafe command.transfer.pending
        if unsafe pending.count == 1 { return unsafe pending.start.pointee.iov_base }
        let buffer = Bounce(byteCount: command.byteCount)
        command.buffer = buffer
        return unsafe buffer.start
    }

    func push() {}

    func interest() -> (descriptor: Descriptor, readiness: Readiness) {
        let direction = unsafe handle.map { unsafe nbd_aio_get_direction($0) } ?? 0
        guard direction != 0 else { return (nothing.descriptor, .readable) }
        var interest: Readiness = []
        if direction & UInt32(LIBNBD_AIO_DIRECTION_READ) != 0 { interest.insert(.readable) }
        if direction & UInt32(LIBNBD_AIO_DIRECTION_WRITE) != 0 { interest.insert(.writable) }
        return (readiness, interest)
    }

    func collect(_ done: (BlockTransfer, BlockOutcome) -> Void) {
        // A fair share of what the connection has for us; the rest is found ready again.
        if let handle = unsafe handle { for _ in 0..<256 { if unsafe nbd_poll(handle, 0) != 1 { break } } }
        takeAnswers(done)
        if isServerGone { replace() }
        fail(done)
    }

    /// Hands out what is answered; what is not stays under way.
    private func takeAnswers(_ done: (BlockTransfer, BlockOutcome) -> Void) {
        guard let handle = unsafe handle else { return }
        let isGone = isServerGone
        let commands = underWay
        underWay = []
        for command in commands {
            switch unsafe nbd_aio_command_completed(handle, UInt64(command.cookie)) {
            case 1: finish(command, done)
            case -1 where !isGone:
                let code = nbd_get_errno()
                done(command.transfer, -Int(code > 0 ? code : EIO))
            default: underWay.append(command)
            }
        }
    }

    private func finish(_ command: Command, _ done: (BlockTransfer, BlockOutcome) -> Void) {
        let transfer = command.transfer
        switch transfer.steps[0] {
        case .read:
            if let buffer = command.buffer { unsafe transfer.scatter(from: buffer.start) }
            done(transfer, command.byteCount)
        case .write:
            image.journal.note(.write(position: transfer.position, bytes(of: command)))
            done(transfer, command.byteCount)
        case .flush:
            image.journal.flushed(at: command.mark)
            done(transfer, 0)
        case .discard:
            image.journal.note(.discard(position: transfer.position, byteCount: command.byteCount))
            transfer.position += UInt64(command.byteCount)
            transfer.remaining -= command.byteCount
            if transfer.remaining > 0 { submit(transfer) } else { done(transfer, 0) }
        }
    }

    private func bytes(of command: Command) -> [UInt8] {
        let start = unsafe command.buffer?.start ?? command.transfer.pending.start.pointee.iov_base!
        return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: command.byteCount))
    }

    // MARK: - a server that is gone

    private var isServerGone: Bool {
        guard let handle = unsafe handle else { return false }
        return unsafe nbd_aio_is_dead(handle) == 1 || nbd_aio_is_closed(handle) == 1
    }

    /// Has another server go on with everything that is under way; without one all of it fails.
    private func replace() {
        let transfers = underWay.map(\.transfer) + refused
        underWay = []
        refused = []
        unsafe handle = nil
        let message = image.lastWords
        if !image.journal.isComplete {
            image.abandon()
            reports("qemu-nbd is gone, and with it writes that were not flushed: \(message)")
        } else if let new = unsafe image.revive(), let descriptor = unsafe Self.descriptor(of: new) {
            reports("qemu-nbd is gone: \(message); another one goes on, with \(transfers.count) requests that were under way")
            readiness = descriptor
            unsafe handle = new
        } else {
            image.abandon()
            reports("qemu-nbd is gone, and with it the image: \(message)")
        }
        for transfer in transfers { submit(transfer) }
    }

    private func fail(_ done: (BlockTransfer, BlockOutcome) -> Void) {
        let transfers = refused
        refused = []
        for transfer in transfers { done(transfer, -Int(EIO)) }
    }
}
