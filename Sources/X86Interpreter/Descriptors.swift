internal import X86
internal import X86Decoder

/// A segment or gate descriptor as it stands in the GDT, an LDT or the IDT (SDM vol. 3A, 3.4.5 and 6.11).
struct Descriptor {
    var raw: UInt64
    /// Linear address it was read from.
    var address: UInt64
    /// The second eight bytes of system descriptors in long mode.
    var upper: UInt64 = 0

    /// In the layout of ``Segment/attributes``.
    var attributes: UInt16 { UInt16(truncatingIfNeeded: (raw &>> 40) & 0xff | (raw &>> 44) & 0xf00) }
    /// Type with the S bit as bit 4.
    var type: UInt16 { UInt16(truncatingIfNeeded: raw &>> 40) & 0x1f }
    var privilege: UInt8 { UInt8(truncatingIfNeeded: raw &>> 45) & 3 }
    var isPresent: Bool { raw & (1 &<< 47) != 0 }
    var base: UInt64 { (raw &>> 16) & 0xff_ffff | (raw &>> 32) & 0xff00_0000 | upper &<< 32 }

    var limit: UInt32 {
        let limit = UInt32(truncatingIfNeeded: raw & 0xffff | (raw &>> 32) & 0xf_0000)
        return raw & (1 &<< 55) != 0 ? limit &<< 12 | 0xfff : limit
    }

    var isSystem: Bool { type & 0x10 == 0 }
    var isCode: Bool { type & 0x18 == 0x18 }
    var isConforming: Bool { type & 0x1c == 0x1c }
    var isWritableData: Bool { type & 0x1a == 0x12 }
    var isReadable: Bool { type & 0x18 == 0x10 || type & 0x1a == 0x1a }
    var isLong: Bool { raw & (1 &<< 53) != 0 }
    var isBig: Bool { raw & (1 &<< 54) != 0 }

    // Gates.
    var gateSelector: UInt16 { UInt16(truncatingIfNeeded: raw &>> 16) }
    var gateOffset: UInt64 { raw & 0xffff | (raw &>> 32) & 0xffff_0000 | upper &<< 32 }
    var gateStack: Int { Int(truncatingIfNeeded: raw &>> 32) & 7 }
    var gateParameterCount: Int { Int(truncatingIfNeeded: raw &>> 32) & 31 }

    func segment(_ selector: UInt16) -> Segment {
        Segment(selector: selector, base: base, limit: limit, attributes: attributes)
    }
}

/// Values of ``Descriptor/type`` of system descriptors (SDM vol. 3A, table 3-2).
enum SystemType {
    static let availableTSS16: UInt16 = 1
    static let ldt: UInt16 = 2
    static let busyTSS16: UInt16 = 3
    static let callGate16: UInt16 = 4
    static let taskGate: UInt16 = 5
    static let interruptGate16: UInt16 = 6
    static let trapGate16: UInt16 = 7
    static let availableTSS: UInt16 = 9
    static let busyTSS: UInt16 = 0xb
    static let callGate: UInt16 = 0xc
    static let interruptGate: UInt16 = 0xe
    static let trapGate: UInt16 = 0xf
}

/// Reading descriptor tables.
extension Core {
    static func isNull(_ selector: UInt16) -> Bool { selector & 0xfffc == 0 }

    /// An error code that names a selector.
    static func code(_ selector: UInt16, _ external: UInt32 = 0) -> UInt32 { UInt32(selector & 0xfffc) | external }

    /// Reads a system structure; through the TLB where its rules are those of such accesses.
    @inline(__always)
    func loadTable<T: BitwiseCopyable>(_ address: UInt64, as: T.Type) throws(GuestFault) -> T {
        if s.tlbMode == .supervisor { return try load(address, as: T.self) }
        return try loadSystem(address, as: T.self)
    }

    func wrapTable(_ address: UInt64) -> UInt64 { isLongMode ? address : address & 0xffff_ffff }

    /// Address of the descriptor a selector names; nil beyond the table.
    private func descriptorAddress(_ selector: UInt16, byteCount: UInt32) -> UInt64? {
        let base: UInt64
        let limit: UInt32
        if selector & 4 == 0 {
            base = s.gdtr.base
            limit = UInt32(s.gdtr.limit)
        } else {
            let table = segment(Core.ldtr)
            guard table.isPresent else { return nil }
            base = table.base
            limit = table.limit
        }
        guard UInt32(selector & 0xfff8) &+ byteCount &- 1 <= limit else { return nil }
        return wrapTable(base &+ UInt64(selector & 0xfff8))
    }

    /// - Throws: `vector` (#GP, or #TS for stacks) with the selector beyond the table's limit; #PF.
    func readDescriptor(
        _ selector: UInt16, vector: UInt8 = ExceptionVector.generalProtection, external: UInt32 = 0
    ) throws(GuestFault) -> Descriptor {
        guard let address = descriptorAddress(selector, byteCount: 8) else {
            throw GuestFault(vector, errorCode: Core.code(selector, external))
        }
        return Descriptor(raw: try loadTable(address, as: UInt64.self), address: address)
    }

    /// Reads the second half of a system descriptor in long mode; elsewhere does nothing.
    ///
    /// - Throws: #GP(selector) when the table ends before it or its type field is not zero.
    func readUpperHalf(_ selector: UInt16, _ descriptor: inout Descriptor) throws(GuestFault) {
        guard isLongMode else { return }
        guard descriptorAddress(selector, byteCount: 16) != nil else { throw .generalProtection(Core.code(selector)) }
        descriptor.upper = try loadTable(descriptor.address &+ 8, as: UInt64.self)
        guard descriptor.upper & 0x1f00_0000_0000 == 0 else { throw .generalProtection(Core.code(selector)) }
        descriptor.upper &= 0xffff_ffff
    }

    /// The descriptor for LAR, LSL, VERR and VERW; nil where those clear ZF for the selector alone.
    func descriptorIfAny(_ selector: UInt16) throws(GuestFault) -> Descriptor? {
        guard !Core.isNull(selector), let address = descriptorAddress(selector, byteCount: 8) else { return nil }
        return Descriptor(raw: try loadTable(address, as: UInt64.self), address: address)
    }

    /// Sets the accessed bit of a code or data descriptor in its table.
    func markAccessed(_ descriptor: inout Descriptor) throws(GuestFault) {
        guard descriptor.raw & (1 &<< 40) == 0 else { return }
        descriptor.raw |= 1 &<< 40
        try storeSystem(descriptor.address &+ 5, UInt8(truncatingIfNeeded: descriptor.raw &>> 40))
    }

    /// Whether `byteCount` bytes at `offset` lie in a stack segment.
    func holds(_ segment: Segment, _ offset: UInt64, byteCount: Int) -> Bool {
        let last = offset &+ UInt64(truncatingIfNeeded: byteCount &- 1)
        if isProtected && !isVirtual8086 && segment.type & 0xc == 4 {
            return offset > UInt64(segment.limit) && last <= (segment.isBig ? 0xffff_ffff : 0xffff)
        }
        return last <= UInt64(segment.limit)
    }
}
