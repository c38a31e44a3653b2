/// Exception vectors (SDM vol. 3A, table 6-1).
public enum ExceptionVector {
    public static let divideError: UInt8 = 0
    public static let debug: UInt8 = 1
    public static let nmi: UInt8 = 2
    public static let breakpoint: UInt8 = 3
    public static let overflow: UInt8 = 4
    public static let boundRange: UInt8 = 5
    public static let invalidOpcode: UInt8 = 6
    public static let deviceNotAvailable: UInt8 = 7
    public static let doubleFault: UInt8 = 8
    public static let invalidTSS: UInt8 = 10
    public static let segmentNotPresent: UInt8 = 11
    public static let stackFault: UInt8 = 12
    public static let generalProtection: UInt8 = 13
    public static let pageFault: UInt8 = 14
    public static let x87FloatingPoint: UInt8 = 16
    public static let alignmentCheck: UInt8 = 17
    public static let machineCheck: UInt8 = 18
    public static let simdFloatingPoint: UInt8 = 19
}

/// What stops a guest instruction before it completes: an exception to deliver, or a request of the engine to itself.
///
/// Thrown typed, so that a throw is a return with a register set; no state of the guest has changed when it is thrown,
/// except where the architecture says so (string instructions keep the iterations already done).
public struct GuestFault: Error, BitwiseCopyable, Equatable {
    /// What the engine has to do.
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// Deliver `vector` as a fault: the saved instruction pointer names the instruction itself.
        case fault
        /// Deliver `vector` as a trap: the saved instruction pointer names the next instruction.
        case trap
        /// The instruction writes bytes that were decoded: run it alone, dropping what was decoded first.
        case codeWrite
        /// The engine has to leave to its caller with the reason it stored; the instruction is not repeated.
        case leave
    }

    public var kind: Kind
    public var vector: UInt8
    public var hasErrorCode: Bool
    public var errorCode: UInt32
    /// The linear address for CR2 when `vector` is a page fault.
    public var address: UInt64

    @inlinable
    public init(_ vector: UInt8, kind: Kind = .fault, errorCode: UInt32? = nil, address: UInt64 = 0) {
        self.kind = kind
        self.vector = vector
        self.hasErrorCode = errorCode != nil
        self.errorCode = errorCode ?? 0
        self.address = address
    }

    public static let divideError = GuestFault(ExceptionVector.divideError)
    public static let invalidOpcode = GuestFault(ExceptionVector.invalidOpcode)
    public static let deviceNotAvailable = GuestFault(ExceptionVector.deviceNotAvailable)
    public static let x87FloatingPoint = GuestFault(ExceptionVector.x87FloatingPoint)
    public static let simdFloatingPoint = GuestFault(ExceptionVector.simdFloatingPoint)
    public static let alignmentCheck = GuestFault(ExceptionVector.alignmentCheck, errorCode: 0)
    public static let codeWrite = GuestFault(0, kind: .codeWrite)
    public static let leave = GuestFault(0, kind: .leave)

    @inlinable
    public static func generalProtection(_ code: UInt32 = 0) -> GuestFault {
        GuestFault(ExceptionVector.generalProtection, errorCode: code)
    }

    @inlinable
    public static func stackFault(_ code: UInt32 = 0) -> GuestFault {
        GuestFault(ExceptionVector.stackFault, errorCode: code)
    }

    @inlinable
    public static func invalidTSS(_ code: UInt32) -> GuestFault {
        GuestFault(ExceptionVector.invalidTSS, errorCode: code)
    }

    @inlinable
    public static func segmentNotPresent(_ code: UInt32) -> GuestFault {
        GuestFault(ExceptionVector.segmentNotPresent, errorCode: code)
    }

    /// A page fault; `code` is the architectural error code (P 1, W 2, U 4, RSVD 8, I 16).
    @inlinable
    public static func pageFault(_ address: UInt64, _ code: UInt32) -> GuestFault {
        GuestFault(ExceptionVector.pageFault, errorCode: code, address: address)
    }
}
