/// The types of xenstore messages. Number 20 (RESTRICT) is no longer in use.
///
/// Reference: Xen `public/io/xs_wire.h`, `enum xsd_sockmsg_type`.
public enum MessageType: UInt32, CaseIterable, Sendable {
    case control = 0
    case directory = 1
    case read = 2
    case getPermissions = 3
    case watch = 4
    case unwatch = 5
    case transactionStart = 6
    case transactionEnd = 7
    case introduce = 8
    case release = 9
    case getDomainPath = 10
    case write = 11
    case makeDirectory = 12
    case remove = 13
    case setPermissions = 14
    case watchEvent = 15
    case error = 16
    case isDomainIntroduced = 17
    case resume = 18
    case setTarget = 19
    case resetWatches = 21
    case directoryPart = 22
    case getFeature = 23
    case setFeature = 24
    case getQuota = 25
    case setQuota = 26
}
