internal import GuestMemory
internal import Synchronization
internal import X86

/// What an access wants from a translation.
struct AccessKind: OptionSet {
    let rawValue: UInt32
    /// The bits are those of a page fault's error code where it has them.
    static let write = AccessKind(rawValue: 2)
    static let user = AccessKind(rawValue: 4)
    static let execute = AccessKind(rawValue: 16)
    /// A supervisor access made by the processor itself (descriptor tables, TSS): SMAP applies whatever RFLAGS.AC says.
    static let implicit = AccessKind(rawValue: 1 << 16)
    /// A look from outside (hypercall arguments, a debugger): no SMAP, no SMEP, no accessed or dirty bits, no fault state.
    static let peek = AccessKind(rawValue: 1 << 17)
}

/// Where a linear address leads.
struct Translation {
    var physical: UInt64
    /// The page may be written under the same rules (its dirty bit is set).
    var isWritable: Bool
    var isGlobal: Bool
    /// Filled from a page that user mode may touch.
    var isUser: Bool
    /// The page has 1 << shift bytes: 12 for the usual ones, 21, 22 or 30.
    var shift: UInt64 = 12
}

/// Page tables (SDM vol. 3A, chapter 4): none, 32-bit, PAE and 4-level, with NX, WP, SMEP, SMAP, and accessed and dirty bits.
extension Core {
    private static let present: UInt64 = 1
    private static let writable: UInt64 = 2
    private static let userPage: UInt64 = 4
    private static let accessed: UInt64 = 0x20
    private static let dirty: UInt64 = 0x40
    private static let large: UInt64 = 0x80
    private static let global: UInt64 = 0x100
    private static let noExecute: UInt64 = 1 << 63
    private static let addressMask: UInt64 = ((1 << UInt64(GuestMemory.physicalAddressBits)) - 1) & ~0xfff
    /// Physical address bits that must be zero in 64-bit entries.
    private static let reservedAddress: UInt64 = 0x000f_ffff_ffff_f000 & ~addressMask

    /// Rights gathered on the way down.
    private struct Rights {
        var writable = true
        var user = true
        var executable = true

        mutating func narrow(_ entry: UInt64) {
            if entry & Core.writable == 0 { writable = false }
            if entry & Core.userPage == 0 { user = false }
            if entry & Core.noExecute != 0 { executable = false }
        }
    }

    /// Walks the page tables for one access.
    ///
    /// - Throws: #PF with its error code. Nothing has changed then but accessed bits of upper levels.
    func translate(_ address: UInt64, _ kind: AccessKind) throws(GuestFault) -> Translation {
        if s.cr0 & CR0.paging == 0 {
            return Translation(physical: address & 0xffff_ffff, isWritable: true, isGlobal: false, isUser: true)
        }
        if s.cr4 & CR4.physicalAddressExtension == 0 { return try walk32(address, kind) }
        return try walk64(address, kind)
    }

    private func fault(_ address: UInt64, _ kind: AccessKind, present: Bool, reserved: Bool = false) -> GuestFault {
        var code = kind.rawValue & 6 | (present ? 1 : 0) | (reserved ? 8 : 0)
        // The fetch bit exists only where fetches can be refused (SDM vol. 3A, 4.7).
        let refusable = s.cr4 & CR4.smep != 0 || (s.cr4 & CR4.physicalAddressExtension != 0 && s.efer & EFER.noExecute != 0)
        if kind.contains(.execute) && refusable { code |= 16 }
        return .pageFault(address, code)
    }

    /// 4-level paging and PAE: 64-bit entries.
    private func walk64(_ address: UInt64, _ kind: AccessKind) throws(GuestFault) -> Translation {
        var rights = Rights()
        var table: UInt64
        var shift: UInt64
        let noExecuteReserved = s.efer & EFER.noExecute == 0 ? Core.noExecute : 0
        if isLongMode {
            table = s.cr3 & Core.addressMask
            shift = 39
        } else {
            let pointer = directoryPointer(address)
            guard pointer & Core.present != 0 else { throw fault(address, kind, present: false) }
            table = pointer & Core.addressMask
            shift = 21
        }
        while true {
            let slot = table &+ ((address &>> shift) & 511) &* 8
            let entry = readTableEntry(slot)
            guard entry & Core.present != 0 else { throw fault(address, kind, present: false) }
            let isLeaf = shift == 12 || (entry & Core.large != 0 && shift <= 30)
            var reserved = Core.reservedAddress | noExecuteReserved
            if !isLongMode { reserved |= 0x7ff0_0000_0000_0000 }
            if shift == 39 { reserved |= Core.large }
            if isLeaf && shift > 12 { reserved |= ((1 &<< shift) &- 1) & ~0x1fff }
            guard entry & reserved == 0 else { throw fault(address, kind, present: true, reserved: true) }
            rights.narrow(entry)
            if isLeaf {
                let physical = (entry & Core.addressMask & ~((1 &<< shift) &- 1)) | (address & ((1 &<< shift) &- 1))
                return try finish(address, kind, rights, slot, entry, physical, shift)
            }
            if entry & Core.accessed == 0 && !kind.contains(.peek) { setTableBits(slot, Core.accessed) }
            table = entry & Core.addressMask
            shift &-= 9
        }
    }

    private func directoryPointer(_ address: UInt64) -> UInt64 {
        switch (address &>> 30) & 3 {
        case 0: s.pdpte0
        case 1: s.pdpte1
        case 2: s.pdpte2
        default: s.pdpte3
        }
    }

    /// 32-bit paging with 4 KiB and 4 MiB pages (PSE, PSE-36).
    private func walk32(_ address: UInt64, _ kind: AccessKind) throws(GuestFault) -> Translation {
        var rights = Rights()
        let directorySlot = (s.cr3 & 0xffff_f000) &+ ((address &>> 22) & 1023) &* 4
        let directory = UInt64(readTableEntry32(directorySlot))
        guard directory & Core.present != 0 else { throw fault(address, kind, present: false) }
        rights.narrow(directory)
        if directory & Core.large != 0 && s.cr4 & CR4.pageSizeExtensions != 0 {
            // PSE-36: bits 20-13 are address bits 39-32; with 40 physical bits none is reserved but bit 21.
            guard directory & (1 &<< 21) == 0 else { throw fault(address, kind, present: true, reserved: true) }
            let physical = (directory & 0xffc0_0000) | ((directory & 0x1f_e000) &<< 19) | (address & 0x3f_ffff)
            return try finish(address, kind, rights, directorySlot, directory, physical, 22)
        }
        if directory & Core.accessed == 0 && !kind.contains(.peek) { setTableBits(directorySlot, Core.accessed) }
        let slot = (directory & 0xffff_f000) &+ ((address &>> 12) & 1023) &* 4
        let entry = UInt64(readTableEntry32(slot))
        guard entry & Core.present != 0 else { throw fault(address, kind, present: false) }
        rights.narrow(entry)
        return try finish(address, kind, rights, slot, entry, (entry & 0xffff_f000) | (address & 0xfff), 12)
    }

    /// Checks the rights of a leaf, sets accessed and dirty, and says what was found.
    private func finish(
        _ address: UInt64, _ kind: AccessKind, _ rights: Rights, _ slot: UInt64, _ entry: UInt64, _ physical: UInt64,
        _ shift: UInt64
    ) throws(GuestFault) -> Translation {
        let protectsSupervisor = s.cr0 & CR0.writeProtect != 0
        if !kind.contains(.peek) {
            guard permits(rights, kind, protectsSupervisor) else { throw fault(address, kind, present: true) }
        } else if kind.contains(.write) && !rights.writable {
            throw fault(address, kind, present: true)
        }
        var bits = entry & Core.accessed == 0 ? Core.accessed : 0
        if kind.contains(.write) && entry & Core.dirty == 0 { bits |= Core.dirty }
        if bits != 0 && !kind.contains(.peek) { setTableBits(slot, bits) }
        let mayWrite = rights.writable || (!kind.contains(.user) && !protectsSupervisor)
        return Translation(
            physical: physical, isWritable: mayWrite && (entry | bits) & Core.dirty != 0,
            isGlobal: entry & Core.global != 0 && s.cr4 & CR4.pageGlobal != 0, isUser: rights.user, shift: shift)
    }

    @inline(__always)
    private func permits(_ rights: Rights, _ kind: AccessKind, _ protectsSupervisor: Bool) -> Bool {
        if kind.contains(.user) {
            if !rights.user { return false }
            if kind.contains(.write) && !rights.writable { return false }
        } else {
            if kind.contains(.write) && !rights.writable && protectsSupervisor { return false }
            if rights.user {
                if kind.contains(.execute) {
                    if s.cr4 & CR4.smep != 0 { return false }
                } else if s.cr4 & CR4.smap != 0 {
                    if kind.contains(.implicit) || s.systemFlags & RFLAGS.alignmentCheck == 0 { return false }
                }
            }
        }
        return !kind.contains(.execute) || rights.executable
    }

    // MARK: - table entries

    /// Reads of tables that lie in no RAM give ones, as any such read: a present entry with reserved bits set.
    private func readTableEntry(_ physical: UInt64) -> UInt64 {
        guard let pointer = unsafe tablePointer(physical) else { return ~0 }
        return unsafe pointer.load(as: UInt64.self)
    }

    private func readTableEntry32(_ physical: UInt64) -> UInt32 {
        guard let pointer = unsafe tablePointer(physical) else { return ~0 }
        return unsafe pointer.load(as: UInt32.self)
    }

    private func tablePointer(_ physical: UInt64) -> UnsafeMutableRawPointer? {
        let address = GuestPhysicalAddress(physical)
        guard let (frame, _) = shared.memory.lookup(address.frame) else { return nil }
        return unsafe shared.memory.unsafePointer(frame) + address.pageOffset
    }

    /// Sets accessed or dirty bits as the processor does: atomically, and only in RAM the guest may write.
    private func setTableBits(_ physical: UInt64, _ bits: UInt64) {
        let address = GuestPhysicalAddress(physical)
        guard let (frame, isWritable) = shared.memory.lookup(address.frame), isWritable else { return }
        // The bits lie in the entry's low byte, whatever its width.
        let pointer = unsafe shared.memory.unsafePointer(frame) + address.pageOffset
        unsafe _ = pointer.assumingMemoryBound(to: Atomic<UInt8>.self).pointee
            .bitwiseOr(UInt8(truncatingIfNeeded: bits), ordering: .relaxed)
    }
}
