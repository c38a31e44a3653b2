internal import CNBD
internal import Glibc
internal import HostIO

/// Steps carried out by an NBD server.
///
/// NBD takes one buffer per command: a transfer of several goes through one of ours.
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
    }

    /// A buffer of our own.
    @safe
    private final class Bounce {
        let start: UnsafeMutableRawPointer
        init(byteCount: Int) { unsafe start = .allocate(byteCount: byteCount, alignment: 4096) }
        deinit { unsafe start.deallocate() }
    }

    private let handle: OpaquePointer
    private let readiness: Descriptor
    /// Waited for when there is nobody to wait for.
    private let nothing: WakeUp
    private let serverDied: () -> Void
    private var underWay: [Command] = []
    private var failed: [BlockTransfer] = []
    private var isDead = false

    /// - Parameter serverDied: called once, when the connection breaks.
    init(_ handle: OpaquePointer, serverDied: @escaping () -> Void) throws(HostError) {
        unsafe self.handle = handle
        self.serverDied = serverDied
        nothing = try WakeUp()
        // A dead connection has no descriptor; its commands fail at once.
        readiness = Descriptor(unsafe fcntl(max(0, nbd_aio_get_fd(handle)), F_DUPFD_CLOEXEC, 0))
    }

    func submit(_ transfer: BlockTransfer) {
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
        case .flush: unsafe command.cookie = nbd_aio_flush(handle, none, 0)
        case .discard: unsafe command.cookie = nbd_aio_trim(handle, UInt64(count), position, none, 0)
        }
        if command.cookie > 0 { underWay.append(command) } else { failed.append(transfer) }
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
        let direction = unsafe isDead ? 0 : nbd_aio_get_direction(handle)
        guard direction != 0 else { return (nothing.descriptor, .readable) }
        var interest: Readiness = []
        if direction & UInt32(LIBNBD_AIO_DIRECTION_READ) != 0 { interest.insert(.readable) }
        if direction & UInt32(LIBNBD_AIO_DIRECTION_WRITE) != 0 { interest.insert(.writable) }
        return (readiness, interest)
    }

    func collect(_ done: (BlockTransfer, BlockOutcome) -> Void) {
        // A fair share of what the connection has for us; the rest is found ready again.
        for _ in 0..<256 where !isDead { if unsafe nbd_poll(handle, 0) != 1 { break } }
        noteDeath()
        let commands = underWay
        underWay = []
        for command in commands {
            switch unsafe nbd_aio_command_completed(handle, UInt64(command.cookie)) {
            case 0 where !isDead: underWay.append(command)
            case 1: finish(command, done)
            default:
                let code = nbd_get_errno()
                done(command.transfer, -Int(code > 0 && !isDead ? code : EIO))
            }
        }
        let failed = failed
        self.failed = []
        for transfer in failed { done(transfer, -Int(EIO)) }
    }

    private func finish(_ command: Command, _ done: (BlockTransfer, BlockOutcome) -> Void) {
        let transfer = command.transfer
        if let buffer = command.buffer, transfer.steps[0] == .read { unsafe transfer.scatter(from: buffer.start) }
        switch transfer.steps[0] {
        case .read, .write: done(transfer, command.byteCount)
        case .flush: done(transfer, 0)
        case .discard:
            transfer.position += UInt64(command.byteCount)
            transfer.remaining -= command.byteCount
            if transfer.remaining > 0 { submit(transfer) } else { done(transfer, 0) }
        }
    }

    private func noteDeath() {
        guard !isDead, unsafe nbd_aio_is_dead(handle) == 1 || nbd_aio_is_closed(handle) == 1 else { return }
        isDead = true
        serverDied()
    }
}
