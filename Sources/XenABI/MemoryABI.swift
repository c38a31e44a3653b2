/// XENMEM_* commands (`public/memory.h`).
public enum MemoryOp {
    public static let increaseReservation = 0
    public static let decreaseReservation = 1
    public static let maximumRAMPage = 2
    public static let currentReservation = 3
    public static let maximumReservation = 4
    public static let machphysMFNList = 5
    public static let populatePhysmap = 6
    public static let addToPhysmap = 7
    public static let memoryMap = 9
    public static let machineMemoryMap = 10
    public static let exchange = 11
    public static let machphysMapping = 12
    public static let setMemoryMap = 13
    public static let maximumGPFN = 14
    public static let removeFromPhysmap = 15
    public static let setPoDTarget = 16
    public static let getPoDTarget = 17
    public static let getSharingFreedPages = 18
    public static let getSharingSharedPages = 19
    public static let accessOp = 21
    public static let addToPhysmapBatch = 23
    public static let machphysCompatMFNList = 25
    public static let getVNUMAInfo = 26
    public static let reservedDeviceMemoryMap = 27
    public static let acquireResource = 28

    /// The low bits of the command name the operation, the rest how far a continued one got.
    public static let commandBits: UInt64 = 6
    /// Largest `extent_order` an unprivileged domain may ask for.
    public static let maximumExtentOrder: UInt32 = 9
}

/// XENMAPSPACE_*: what `add_to_physmap` maps.
public enum PhysmapSpace {
    public static let sharedInfo: UInt32 = 0
    public static let grantTable: UInt32 = 1
    public static let gmfn: UInt32 = 2
    public static let gmfnRange: UInt32 = 3
    public static let gmfnForeign: UInt32 = 4
    public static let deviceMMIO: UInt32 = 5
    /// Set in a grant-table index that means a status frame.
    public static let grantStatusFlag: UInt64 = 1 << 31
}

/// One entry of the memory map that a guest is told (20 bytes, packed).
public struct MemoryMapEntry: Equatable, Sendable {
    public static let wireSize = 20

    public var address: UInt64
    /// In bytes.
    public var size: UInt64
    public var type: Kind

    public enum Kind: UInt32, Sendable {
        case ram = 1
        case reserved = 2
        case acpi = 3
        case nvs = 4
        case unusable = 5
        case disabled = 6
        case persistent = 7
    }

    public init(address: UInt64, size: UInt64, type: Kind) {
        self.address = address
        self.size = size
        self.type = type
    }
}
