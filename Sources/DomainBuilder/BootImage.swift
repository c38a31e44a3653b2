public import X86

/// A guest as it stands before its first instruction.
public struct BootImage: Sendable {
    /// A piece of guest memory to fill.
    public struct Chunk: Sendable {
        public enum Content: Sendable {
            /// Shares storage with the kernel or module it came from; nothing is copied until somebody writes to it.
            case bytes(ArraySlice<UInt8>)
            /// So many zero bytes: may be skipped where memory is fresh.
            case zeros(UInt64)
        }

        /// Guest-physical address.
        public var address: UInt64
        public var content: Content

        public var byteCount: UInt64 {
            switch content {
            case .bytes(let bytes): UInt64(bytes.count)
            case .zeros(let count): count
            }
        }

        init(_ address: UInt64, _ bytes: [UInt8]) {
            self.init(address, .bytes(bytes[...]))
        }

        init(_ address: UInt64, _ content: Content) {
            self.address = address
            self.content = content
        }
    }

    /// Whole pages, by number.
    public struct PageRange: Equatable, Sendable {
        public var start: UInt64
        public var count: UInt64

        public init(start: UInt64, count: UInt64) {
            self.start = start
            self.count = count
        }
    }

    /// A version 1 grant entry set before the guest runs.
    public struct GrantEntry: Equatable, Sendable {
        public var reference: UInt32
        /// GTF_permit_access: 1.
        public var flags: UInt16
        /// Who may map it: the control domain, 0.
        public var domain: UInt16
        public var frame: UInt32
    }

    /// In the order to write them: a later chunk overwrites an earlier one. All lie in `ramRegions`, `specialPages` or `acpiPages`.
    public var chunks: [Chunk]
    /// The guest's RAM: from page 0, and from 4 GiB on when there is more than fits below the hole.
    public var ramRegions: [PageRange]
    /// Rings and the identity page directory, backed by memory beyond the guest's RAM.
    public var specialPages: PageRange
    /// ACPI info page, tables and (unless in low memory) RSDP, backed by memory beyond the guest's RAM.
    public var acpiPages: PageRange
    /// The same entries in the start info and for XENMEM_memory_map.
    public var memoryMap: [MemoryMapEntry]
    public var entryState: RegisterState
    public var startInfoAddress: UInt64
    /// Frame numbers, for the HVM parameters and the backends.
    public var xenstoreGFN: UInt64
    public var consoleGFN: UInt64
    public var identityPageDirectoryGFN: UInt64
    public var rsdpAddress: UInt64
    public var madtAddress: UInt64
    /// Reference 0 for the console, 1 for the xenstore.
    public var grantEntries: [GrantEntry]
}
