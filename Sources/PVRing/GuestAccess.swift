public import GuestMemory
public import XenABI

/// The grants and event channels of one guest, as a driver domain reaches them. Backends know a guest by this alone.
///
/// All members may be called from any thread and never block for long.
public protocol GuestAccess: AnyObject, Sendable {
    var domainID: UInt16 { get }
    var memory: GuestMemory { get }

    /// Takes a grant into use for the control domain; the page stays in memory until ``releaseGrant(_:frame:readOnly:)``.
    ///
    /// - Throws: ``GrantStatus``; the guest's entry is unchanged then.
    func acquireGrant(_ reference: UInt32, readOnly: Bool) throws(GrantStatus) -> FrameIndex

    /// Ends one use of a grant, with the arguments and the result of the acquisition.
    func releaseGrant(_ reference: UInt32, frame: FrameIndex, readOnly: Bool)

    /// Binds to a port that the guest left unbound for the control domain. The handler is called once at once, and then for each
    /// event, on the sending vCPU's thread; it must not block.
    ///
    /// - Throws: ``XenError/invalidArgument`` when the port is not the control domain's to bind; nothing has changed then.
    func bindEventChannel(_ port: UInt32, handler: @escaping @Sendable () -> Void) throws(XenError)

    /// Ends a binding; the guest's port becomes unbound. Ports that are not bound stay as they are.
    func unbindEventChannel(_ port: UInt32)

    /// Raises the guest's port; a port that the guest closed is ignored.
    func notify(_ port: UInt32)
}

/// One use of a grant, ended when the last reference goes.
@safe
public final class GrantedPage: Sendable {
    public let reference: UInt32
    public let frame: FrameIndex
    public let isReadOnly: Bool
    private let guest: any GuestAccess

    /// - Throws: ``GrantStatus``; nothing is in use then.
    public init(_ guest: any GuestAccess, _ reference: UInt32, readOnly: Bool) throws(GrantStatus) {
        frame = try guest.acquireGrant(reference, readOnly: readOnly)
        self.guest = guest
        self.reference = reference
        isReadOnly = readOnly
    }

    deinit { guest.releaseGrant(reference, frame: frame, readOnly: isReadOnly) }

    public var memory: GuestMemory { guest.memory }
}
