/// Why the store refused a request. The raw value is the word on the wire; a client maps it to its `errno`.
///
/// Reference: Xen `docs/misc/xenstore.txt` and `public/io/xs_wire.h` (`xsd_errors`).
public enum StoreError: String, Error, CaseIterable, Sendable {
    case invalidArgument = "EINVAL"
    case accessDenied = "EACCES"
    case alreadyExists = "EEXIST"
    case noSuchEntry = "ENOENT"
    /// A quota of the domain is used up.
    case noSpace = "ENOSPC"
    /// The transaction met a change of somebody else; run it again.
    case tryAgain = "EAGAIN"
    /// A transaction inside a transaction.
    case busy = "EBUSY"
    /// The reply does not fit into one packet, or the watch quota is used up.
    case tooBig = "E2BIG"
    case notPermitted = "EPERM"
    case notSupported = "ENOSYS"
}
