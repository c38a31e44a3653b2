/// What a block request asks for.
///
/// Reference: Xen `public/io/blkif.h`, `BLKIF_OP_*`.
public enum BlockOperation: UInt8, Sendable {
    case read = 0
    case write = 1
    case writeBarrier = 2
    case flush = 3
    case discard = 5
    case indirect = 6
}

/// BLKIF_RSP_*: how a request ended.
public enum BlockStatus: Int16, Sendable {
    case okay = 0
    case error = -1
    case notSupported = -2
}

/// The two layouts of ring entries; 32-bit frontends align 64-bit fields to 4 bytes.
///
///     request    operation u8 0 | segment count u8 1 | handle u16 2 | id u64 8 (4) | sector u64 16 (12) | segments from 24 (20)
///     discard    operation u8 0 | flags u8 1 | id u64 8 (4) | sector u64 16 (12) | sector count u64 24 (20)
///     indirect   operation u8 0 | real operation u8 1 | segment count u16 2 | id u64 8 (4) | sector u64 16 (12) | references u32 x 8 from 28 (24)
///     segment    reference u32 0 | first sector u8 4 | last sector u8 5
///     response   id u64 0 | operation u8 8 | status i16 10
public enum BlockABI: String, Sendable {
    case x86_64 = "x86_64-abi"
    case x86_32 = "x86_32-abi"

    /// What precedes the identifier is padded to its alignment.
    private var padding: Int { self == .x86_64 ? 4 : 0 }
    var entryByteCount: Int { self == .x86_64 ? 112 : 108 }
    var responseByteCount: Int { self == .x86_64 ? 16 : 12 }
    var identifier: Int { 4 + padding }
    var sector: Int { 12 + padding }
    var segments: Int { 20 + padding }
    var discardSectorCount: Int { 20 + padding }
    var indirectReferences: Int { 24 + padding }
}

/// A part of one page: whole sectors of 512 bytes, `first` to `last`, which have not been checked.
struct BlockSegment: BitwiseCopyable, Equatable {
    static let byteCount = 8
    var reference: UInt32
    var first: UInt8
    var last: UInt8

    init(reference: UInt32, first: UInt8, last: UInt8) {
        self.reference = reference
        self.first = first
        self.last = last
    }

    /// Decodes the eight bytes at an offset of our own copy.
    init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        unsafe self.init(
            reference: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self), first: bytes[offset + 4], last: bytes[offset + 5])
    }

    var isInPage: Bool { first <= last && last < 8 }
    var sectorCount: Int { Int(last) - Int(first) + 1 }
}

/// One request as it stood in the ring: our own copy, taken apart and not checked.
struct BlockRequest: Equatable {
    static let segmentLimit = 11
    static let indirectReferenceLimit = 8
    /// Segments of an indirect request; what one page of them could hold is twice as much.
    static let indirectSegmentLimit = 256

    /// The operation's number as the response repeats it: for an indirect request the one inside.
    var code: UInt8
    /// For an indirect request the operation inside.
    var operation: BlockOperation?
    var isIndirect = false
    var id: UInt64
    var sector: UInt64
    /// As the request says, also where there is no room for so many.
    var segmentCount = 0
    /// The first eleven at most.
    var segments: [BlockSegment] = []
    var indirectReferences: [UInt32] = []
    var discardSectorCount: UInt64 = 0
    var wantsSecureDiscard = false

    /// - Parameter entry: a copy of a whole ring entry.
    init(_ entry: UnsafeRawBufferPointer, _ abi: BlockABI) {
        unsafe code = entry[0]
        unsafe id = entry.loadUnaligned(fromByteOffset: abi.identifier, as: UInt64.self)
        unsafe sector = entry.loadUnaligned(fromByteOffset: abi.sector, as: UInt64.self)
        operation = BlockOperation(rawValue: code)
        switch operation {
        case .indirect: unsafe readIndirect(entry, abi)
        case .discard:
            unsafe wantsSecureDiscard = entry[1] & 1 != 0
            unsafe discardSectorCount = entry.loadUnaligned(fromByteOffset: abi.discardSectorCount, as: UInt64.self)
        default:
            unsafe segmentCount = Int(entry[1])
            let kept = min(segmentCount, Self.segmentLimit)
            segments = (0..<kept).map { unsafe BlockSegment(entry, at: abi.segments + $0 * BlockSegment.byteCount) }
        }
    }

    private mutating func readIndirect(_ entry: UnsafeRawBufferPointer, _ abi: BlockABI) {
        isIndirect = true
        unsafe code = entry[1]
        let inner = BlockOperation(rawValue: code)
        // Nothing else may be indirect, least of all another indirect request.
        operation = inner == .read || inner == .write ? inner : nil
        unsafe segmentCount = Int(entry.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        indirectReferences = (0..<Self.indirectReferenceLimit).map {
            unsafe entry.loadUnaligned(fromByteOffset: abi.indirectReferences + $0 * 4, as: UInt32.self)
        }
    }
}

/// The answer to a request.
struct BlockResponse: Equatable {
    var id: UInt64
    var code: UInt8
    var status: BlockStatus

    /// Writes the entry's bytes; what lies between the fields is zero.
    func encode(into entry: UnsafeMutableRawBufferPointer) {
        unsafe entry.initializeMemory(as: UInt8.self, repeating: 0)
        unsafe entry.storeBytes(of: id, toByteOffset: 0, as: UInt64.self)
        unsafe entry.storeBytes(of: code, toByteOffset: 8, as: UInt8.self)
        unsafe entry.storeBytes(of: status.rawValue, toByteOffset: 10, as: Int16.self)
    }
}
