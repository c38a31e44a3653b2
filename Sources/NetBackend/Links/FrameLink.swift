/// Gets what a link has for the guest.
public protocol FrameReceiver: AnyObject {
    /// Called on the device's thread. The frame is valid during the call; its memory may be changed.
    func receive(_ frame: Frame)
}

/// Where the frames of one device go and come from.
///
/// Once a device has it, a link belongs to that device's thread; only ``close()`` comes from elsewhere, when the thread is gone.
public protocol FrameLink: AnyObject {
    /// Gets the frames for the guest, from inside ``send(_:)`` or ``serve(_:)``. Not retained.
    var receiver: (any FrameReceiver)? { get set }

    /// What ``send(_:)`` takes as it is.
    var abilities: FrameAbilities { get }

    /// Takes a frame. Never blocks.
    ///
    /// - Returns: false when it had to be dropped.
    func send(_ frame: Frame) -> Bool

    /// Adds what to wait for.
    ///
    /// - Parameter wantsFrames: false while the guest does not keep up: what can wait where it is should.
    func prepare(_ poll: PollSet, wantsFrames: Bool)

    /// Does what has become possible since ``prepare(_:wantsFrames:)``. Never blocks, and ends after a bounded number of frames.
    func serve(_ poll: PollSet)

    /// Lets go of everything of the host's. No call follows.
    func close()
}
