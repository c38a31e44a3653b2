/// Error numbers of the hypercall interface (`public/errno.h`). A hypercall returns them negated.
public enum XenError: Int32, Error, Sendable, CaseIterable {
    case notPermitted = 1
    case noEntry = 2
    case noSuchDomain = 3
    case interrupted = 4
    case inputOutput = 5
    case noSuchAddress = 6
    case tooBig = 7
    case notExecutable = 8
    case badDescriptor = 9
    case tryAgain = 11
    case noMemory = 12
    case accessDenied = 13
    case badAddress = 14
    case busy = 16
    case exists = 17
    case crossDevice = 18
    case noDevice = 19
    case isDirectory = 21
    case invalidArgument = 22
    case noSpace = 28
    case readOnly = 30
    case domain = 33
    case outOfRange = 34
    case deadlock = 35
    case notImplemented = 38
    case notEmpty = 39
    case noData = 61
    case timer = 62
    case overflow = 75
    case illegalSequence = 84
    case restart = 85
    case notSupported = 95
    case addressInUse = 98
    case noBuffers = 105
    case isConnected = 106
    case notConnected = 107
    case timedOut = 110
    case connectionRefused = 111

    /// The value a hypercall leaves in its result register.
    @inlinable public var result: Int64 { -Int64(rawValue) }
}
