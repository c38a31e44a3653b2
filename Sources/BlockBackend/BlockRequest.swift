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
