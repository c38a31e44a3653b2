internal import Glibc
internal import HostIO

/// One connection of a hub: frames in messages, each behind a word that says what is left to do for it.
///
///     message: ``Offload/word`` u32 0 | frame
///
/// A frame that the socket has no room for waits in a queue of bounded size.
@safe
final class HubPort {
    static let headerByteCount = 4
    static let backlogByteCount = 1 << 20
    /// Messages read in one round.
    static let framesPerRound = 128

    let descriptor: Descriptor
    /// The other end is gone, or does not keep to the format.
    private(set) var hasEnded = false
    private let backlog = FrameQueue(byteCount: HubPort.backlogByteCount)
    private var number: Int?

    init(_ descriptor: Descriptor) { self.descriptor = descriptor }

    /// - Returns: false when the frame had to be dropped.
    func send(_ frame: Frame) -> Bool {
        if backlog.isEmpty {
            switch transmit(frame) {
            case .bytes: return true
            case .ended: return false
            case .wouldBlock: break
            }
        }
        return !hasEnded && backlog.push(frame, now: 0)
    }

    private func transmit(_ frame: Frame) -> Transfer {
        var word = frame.offload.word
        let count = unsafe withUnsafeMutableBytes(of: &word) { header in
            unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { parts in
                unsafe parts[0] = iovec(iov_base: header.baseAddress, iov_len: Self.headerByteCount)
                unsafe parts[1] = iovec(iov_base: UnsafeMutableRawPointer(mutating: frame.bytes.baseAddress), iov_len: frame.count)
                var message = unsafe msghdr()
                unsafe message.msg_iov = parts.baseAddress
                unsafe message.msg_iovlen = 2
                return unsafe sendmsg(descriptor.rawValue, &message, Int32(MSG_NOSIGNAL))
            }
        }
        if count >= 0 { return .bytes(count) }
        if errno == EAGAIN || errno == EINTR || errno == ENOBUFS { return .wouldBlock }
        hasEnded = true
        return .ended(errno)
    }

    func prepare(_ poll: PollSet, wantsFrames: Bool) {
        let events = (wantsFrames ? POLLIN : 0) | (backlog.isEmpty ? 0 : POLLOUT)
        number = poll.add(descriptor.rawValue, events)
    }

    /// Sends what waits and hands on what came.
    func serve(_ poll: PollSet, _ buffer: FrameBuffer, _ body: (Frame) -> Void) {
        let events = number.map { poll.events($0) } ?? 0
        if events & POLLOUT != 0 { drain() }
        if events & POLLIN != 0 { receive(buffer, body) } else if events & (POLLHUP | POLLERR) != 0 { hasEnded = true }
    }

    private func drain() {
        while let (frame, _) = backlog.first {
            guard case .bytes = transmit(frame) else { return }
            backlog.removeFirst()
        }
    }

    private func receive(_ buffer: FrameBuffer, _ body: (Frame) -> Void) {
        for _ in 0..<Self.framesPerRound {
            let size = Self.headerByteCount + Frame.maximumByteCount
            let count = unsafe recv(descriptor.rawValue, buffer.start, size, Int32(MSG_TRUNC))
            if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
            guard count >= Self.headerByteCount + Frame.headerByteCount, count <= size else {
                hasEnded = true
                return
            }
            let offload = unsafe Offload(word: buffer.start.load(as: UInt32.self))
            body(buffer.frame(count - Self.headerByteCount, offload))
        }
    }
}
