internal import X86
internal import X86Decoder

/// A stack being pushed to before it becomes the current one.
struct StackFrame {
    var segment: Segment
    var pointer: UInt64
    /// Bytes per push: 2, 4 or 8.
    var size: UInt64
    /// The stack has no segment: long mode.
    var isLong: Bool
    /// Error code of #SS when the limit is passed.
    var errorCode: UInt32 = 0
}

/// Stacks that a privilege change leads to.
extension Core {
    /// Pushes with the rights of `s.cpl`, which is already that of the stack's owner.
    func push(_ value: UInt64, _ frame: inout StackFrame) throws(GuestFault) {
        let top = frame.pointer &- frame.size
        if frame.isLong {
            if frame.size == 8 {
                try store(top, value, 2)
            } else if frame.size == 4 {
                try store(top, UInt32(truncatingIfNeeded: value), 2)
            } else {
                try store(top, UInt16(truncatingIfNeeded: value), 2)
            }
            frame.pointer = top
            return
        }
        let mask: UInt64 = frame.segment.isBig ? 0xffff_ffff : 0xffff
        guard holds(frame.segment, top & mask, byteCount: Int(truncatingIfNeeded: frame.size)) else { throw .stackFault(frame.errorCode) }
        let address = (frame.segment.base &+ (top & mask)) & 0xffff_ffff
        if frame.size == 4 {
            try store(address, UInt32(truncatingIfNeeded: value), 2)
        } else {
            try store(address, UInt16(truncatingIfNeeded: value), 2)
        }
        frame.pointer = (frame.pointer & ~mask | top & mask) & 0xffff_ffff
    }

    /// The stack for privilege level `cpl` (0 to 2) from the TSS, outside of long mode.
    ///
    /// - Throws: #TS with the TSS's or the stack's selector, #SS when the stack is not present.
    func innerStack(_ cpl: UInt8, external: UInt32) throws(GuestFault) -> (segment: Segment, pointer: UInt64) {
        let task = segment(Core.tr)
        let is32 = task.type & 8 != 0
        let offset = is32 ? UInt64(cpl) &* 8 &+ 4 : UInt64(cpl) &* 4 &+ 2
        let last = offset &+ (is32 ? 5 : 3)
        guard task.isPresent, last <= UInt64(task.limit) else { throw .invalidTSS(Core.code(task.selector, external)) }
        let at = task.base &+ offset
        let pointer =
            is32
            ? UInt64(try loadTable(wrapTable(at), as: UInt32.self)) : UInt64(try loadTable(wrapTable(at), as: UInt16.self))
        let selector = try loadTable(wrapTable(at &+ (is32 ? 4 : 2)), as: UInt16.self)
        guard !Core.isNull(selector) else { throw .invalidTSS(external) }
        let stack = try stackSegment(selector, privilege: cpl, vector: ExceptionVector.invalidTSS, external: external)
        return (stack, pointer)
    }

    /// A stack pointer of the 64-bit TSS: RSP0-2 at 4, IST1-7 at 36.
    ///
    /// - Throws: #TS with the TSS's selector beyond its limit; #SS(0) for a pointer that is not canonical.
    func longStack(at offset: UInt64, external: UInt32) throws(GuestFault) -> UInt64 {
        let task = segment(Core.tr)
        guard offset &+ 7 <= UInt64(task.limit) else { throw .invalidTSS(Core.code(task.selector, external)) }
        let pointer = try loadTable(task.base &+ offset, as: UInt64.self)
        guard Core.isCanonical(pointer) else { throw .stackFault(external) }
        return pointer
    }
}
