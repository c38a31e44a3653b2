/// Does for a frame what its receiver does not: fills checksums, cuts large TCP segments. One per direction of a device.
final class FrameCompletion {
    /// Where segments are made.
    private let segment = FrameBuffer()

    /// Hands on the frame, or what it was cut into, one after the other.
    ///
    /// - Returns: false when the frame asks for what its headers do not allow; nothing was handed on then.
    @discardableResult
    func complete(_ frame: Frame, for abilities: FrameAbilities, _ body: (Frame) -> Void) -> Bool {
        guard frame.offload.segmentation != .none || frame.offload.checksum == .blank else {
            body(frame)
            return true
        }
        guard let layout = FrameLayout(frame) else { return false }
        var frame = frame
        guard frame.offload.segmentation != .none else {
            if !abilities.takesBlankChecksum(layout) { frame.fillChecksum(layout) }
            body(frame)
            return true
        }
        guard frame.offload.segmentation == layout.segmentation, frame.offload.segmentByteCount >= Offload.smallestSegment else {
            return false
        }
        // The sum that the guest left in a large segment is of no standard kind.
        if abilities.takesSegments(layout) {
            if abilities.takesBlankChecksum(layout) { frame.blankChecksum(layout) } else { frame.fillChecksum(layout) }
            body(frame)
        } else {
            cut(frame, layout, leavesBlank: abilities.takesBlankChecksum(layout), body)
        }
        return true
    }

    private func cut(_ frame: Frame, _ layout: FrameLayout, leavesBlank: Bool, _ body: (Frame) -> Void) {
        let size = Int(frame.offload.segmentByteCount)
        var offset = layout.payload
        var number: UInt16 = 0
        repeat {
            let count = min(size, layout.end - offset)
            unsafe frame.copy(from: 0, count: layout.payload, to: segment.base)
            unsafe frame.copy(from: offset, count: count, to: segment.base + layout.payload)
            var part = segment.frame(layout.payload + count)
            part.makeSegment(layout, number: number, position: offset - layout.payload, isLast: offset + count == layout.end)
            guard let partLayout = FrameLayout(part) else { return }
            if leavesBlank { part.blankChecksum(partLayout) } else { part.fillChecksum(partLayout) }
            body(part)
            offset += count
            number &+= 1
        } while offset < layout.end
    }
}

extension FrameAbilities {
    func takesBlankChecksum(_ layout: FrameLayout) -> Bool { contains(layout.version == 4 ? .blankChecksum4 : .blankChecksum6) }
    func takesSegments(_ layout: FrameLayout) -> Bool { contains(layout.version == 4 ? .tcp4 : .tcp6) }
}

extension Frame {
    private enum TCPFlag {
        static let fin: UInt8 = 1, push: UInt8 = 8, congestionWindowReduced: UInt8 = 0x80
    }

    /// Makes the copied headers those of one segment: lengths, IPv4 identification, sequence number, flags.
    fileprivate func makeSegment(_ whole: FrameLayout, number: UInt16, position: Int, isLast: Bool) {
        if whole.version == 4 {
            setWord(whole.network + 2, UInt16(truncatingIfNeeded: count - whole.network))
            setWord(whole.network + 4, word(whole.network + 4) &+ number)
            fillHeaderChecksum(whole)
        } else {
            setWord(whole.network + 4, UInt16(truncatingIfNeeded: count - whole.network - 40))
        }
        setLong(whole.transportOffset + 4, long(whole.transportOffset + 4) &+ UInt32(truncatingIfNeeded: position))
        var flags = byte(whole.transportOffset + 13)
        if !isLast { flags &= ~(TCPFlag.fin | TCPFlag.push) }
        if number > 0 { flags &= ~TCPFlag.congestionWindowReduced }
        setByte(whole.transportOffset + 13, flags)
    }
}
