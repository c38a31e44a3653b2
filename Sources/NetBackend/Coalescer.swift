/// Joins TCP segments that follow each other into large ones, which cost the guest's network stack one passage instead of dozens.
///
/// Only frames whose data is known to be right are joined, so that no checksum is lost on the way. Frames keep their order.
final class Coalescer {
    /// What the frame being made consists of.
    private struct Train {
        var layout: FrameLayout
        var count: Int
        var segmentByteCount: Int
        var segmentCount = 1
        var nextSequence: UInt32
        /// A short segment came: nothing may follow.
        var isEnded = false
        /// What was known of the first segment.
        var checksum: Offload.Checksum
    }

    private static let flagsOffset = 13
    private static let acknowledge: UInt8 = 0x10, push: UInt8 = 8

    private let buffer = FrameBuffer()
    private var train: Train?
    /// Which large segments the receiver takes.
    private let abilities: FrameAbilities

    init(for abilities: FrameAbilities) { self.abilities = abilities }

    /// Takes a frame; hands on what cannot grow any more.
    func push(_ frame: Frame, _ body: (Frame) -> Void) {
        guard frame.offload.checksum != .unchecked, frame.offload.segmentation == .none, let layout = FrameLayout(frame),
            canJoin(frame, layout)
        else {
            flush(body)
            return body(frame)
        }
        if append(frame, layout) {
            if isComplete { flush(body) }
            return
        }
        flush(body)
        start(frame, layout)
        if isComplete { flush(body) }
    }

    /// Hands on what there is.
    func flush(_ body: (Frame) -> Void) {
        guard let train else { return }
        self.train = nil
        body(finished(train))
    }

    /// A plain data segment: no flag but ACK and PSH, some payload, no padding.
    private func canJoin(_ frame: Frame, _ layout: FrameLayout) -> Bool {
        guard layout.transport == .tcp, abilities.takesSegments(layout), layout.end > layout.payload else { return false }
        let headerByteCount = layout.version == 4 ? 20 : 40
        guard layout.transportOffset == layout.network + headerByteCount else { return false }
        return frame.byte(layout.transportOffset + Self.flagsOffset) & ~Self.push == Self.acknowledge
            && frame.word(layout.transportOffset + 18) == 0
    }

    private func start(_ frame: Frame, _ layout: FrameLayout) {
        unsafe frame.copy(from: 0, count: layout.end, to: buffer.base)
        let size = layout.end - layout.payload
        train = Train(
            layout: layout, count: layout.end, segmentByteCount: size,
            nextSequence: frame.long(layout.transportOffset + 4) &+ UInt32(size), checksum: frame.offload.checksum)
    }

    private func append(_ frame: Frame, _ layout: FrameLayout) -> Bool {
        guard var train, follows(frame, layout, train) else { return false }
        let size = layout.end - layout.payload
        unsafe frame.copy(from: layout.payload, count: size, to: buffer.base + train.count)
        let flags = layout.transportOffset + Self.flagsOffset
        train.count += size
        train.segmentCount += 1
        train.nextSequence &+= UInt32(size)
        let whole = buffer.frame(train.count)
        whole.setByte(flags, whole.byte(flags) | frame.byte(flags))
        train.isEnded = size < train.segmentByteCount
        self.train = train
        return true
    }

    private func follows(_ frame: Frame, _ layout: FrameLayout, _ train: Train) -> Bool {
        let size = layout.end - layout.payload
        let first = buffer.frame(train.count)
        guard layout.payload == train.layout.payload, layout.network == train.layout.network, layout.version == train.layout.version,
            size <= train.segmentByteCount, train.segmentByteCount >= Int(Offload.smallestSegment),
            train.count + size - layout.network <= 65535,
            frame.long(layout.transportOffset + 4) == train.nextSequence
        else { return false }
        // Addresses, ports and acknowledgement, header lengths, window, options.
        let tcp = layout.transportOffset
        let isSameIP =
            layout.version == 4
            ? first.matches(frame, from: 0, count: layout.network + 2) && first.matches(frame, from: layout.network + 6, count: 4)
                && first.matches(frame, from: layout.network + 12, count: 8)
            : first.matches(frame, from: 0, count: layout.network + 4) && first.matches(frame, from: layout.network + 6, count: 34)
        return isSameIP && first.matches(frame, from: tcp, count: 4) && first.matches(frame, from: tcp + 8, count: 5)
            && first.matches(frame, from: tcp + 14, count: 2) && first.matches(frame, from: tcp + 20, count: layout.payload - tcp - 20)
    }

    /// Whether nothing may follow: pushed, ended by a short segment, or as long as it can be.
    private var isComplete: Bool {
        guard let train else { return false }
        let flags = buffer.frame(train.count).byte(train.layout.transportOffset + Self.flagsOffset)
        return flags & Self.push != 0 || train.isEnded
            || train.count + train.segmentByteCount - train.layout.network > 65535
    }

    private func finished(_ train: Train) -> Frame {
        let layout = train.layout
        var frame = buffer.frame(train.count)
        guard train.segmentCount > 1 else {
            frame.offload.checksum = train.checksum
            return frame
        }
        if layout.version == 4 {
            frame.setWord(layout.network + 2, UInt16(train.count - layout.network))
            frame.fillHeaderChecksum(layout)
        } else {
            frame.setWord(layout.network + 4, UInt16(train.count - layout.network - 40))
        }
        frame.offload = Offload(
            checksum: .blank, segmentation: layout.segmentation, segmentByteCount: UInt16(train.segmentByteCount))
        return frame
    }
}
