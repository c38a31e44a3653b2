internal import Glibc
internal import HostIO

/// One step of a transfer, as the host carries it out.
enum BlockStep: Equatable {
    case read, write
    /// Everything written before is on the disk when it is done.
    case flush
    case discard
}

/// How many bytes were moved, or the `errno` of what went wrong.
typealias BlockOutcome = Int

/// Carries out steps of transfers without waiting for them. One thread uses it at a time.
///
/// A transfer that was submitted belongs to the implementation until ``collect(_:)`` returns it.
protocol BlockIO: AnyObject {
    /// How many transfers may be under way at once.
    var depth: Int { get }

    /// Takes the transfer's first remaining step.
    func submit(_ transfer: BlockTransfer)

    /// Makes the host begin with what was submitted.
    func push()

    /// What to wait for: whether something is ready to be collected.
    func interest() -> (descriptor: Descriptor, readiness: Readiness)

    /// Calls back for each step that is done, with the bytes moved or a negative `errno`. Never waits.
    func collect(_ done: (BlockTransfer, BlockOutcome) -> Void)
}

/// The blocks of one device.
protocol BlockImage: AnyObject, Sendable {
    /// Bytes, as of the last look.
    var byteCount: UInt64 { get }
    /// Bytes that are read and written at least, 512 or more.
    var sectorByteCount: Int { get }
    var physicalSectorByteCount: Int { get }
    /// Bytes that can be discarded together; nil where nothing can.
    var discardGranularity: Int? { get }
    /// Major and minor number of a block device.
    var deviceNumbers: (major: UInt32, minor: UInt32)? { get }

    /// False once nothing can be read or written any more.
    var isUsable: Bool { get }

    /// Looks at the size again.
    ///
    /// - Throws: ``BlockFailure`` where that is not possible; the size stays as it was.
    func refreshSize() throws(BlockFailure)

    /// - Parameter reports: gets a line when something happens an operator should know of.
    /// - Throws: ``BlockFailure`` when the host refuses.
    func makeIO(reports: @escaping @Sendable (String) -> Void) throws(BlockFailure) -> any BlockIO

    /// Nobody uses the image any more.
    func close()
}
