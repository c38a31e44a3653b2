/// GNTTABOP_* commands (`public/grant_table.h`).
public enum GrantTableOp {
    public static let mapGrantRef: UInt64 = 0
    public static let unmapGrantRef: UInt64 = 1
    public static let setupTable: UInt64 = 2
    public static let copy: UInt64 = 5
    public static let querySize: UInt64 = 6
    public static let setVersion: UInt64 = 8
    public static let getVersion: UInt64 = 10
    public static let swapGrantRef: UInt64 = 11
}

/// GNTST_*: the status field of each grant operation.
public enum GrantStatus: Int16, Error, Sendable {
    case okay = 0
    case generalError = -1
    case badDomain = -2
    case badReference = -3
    case badHandle = -4
    case badVirtualAddress = -5
    case badDeviceAddress = -6
    case noDeviceSpace = -7
    case permissionDenied = -8
    case badPage = -9
    case badCopyArgument = -10
    case addressTooBig = -11
    case tryAgain = -12
    case noSpace = -13
}

/// A version 1 entry (8 bytes): flags u16, domid u16, frame u32.
public enum GrantEntry {
    public static let size = 8
    public static let perPage = 512
    public static let typeMask: UInt16 = 3
    public static let permitAccess: UInt16 = 1
    public static let readOnly: UInt16 = 1 << 2
    /// Set by the host side while the frame is mapped for reading.
    public static let reading: UInt16 = 1 << 3
    public static let writing: UInt16 = 1 << 4
    public static let subPage: UInt16 = 1 << 8
    /// References the builder may fill.
    public static let reservedCount = 8
    public static let consoleReference: UInt32 = 0
    public static let storeReference: UInt32 = 1
}

/// Flags of a grant mapping and of a grant copy.
public enum GrantFlags {
    public static let deviceMap: UInt32 = 1 << 0
    public static let hostMap: UInt32 = 1 << 1
    public static let readOnly: UInt32 = 1 << 2
    public static let applicationMap: UInt32 = 1 << 3
    public static let containsPTE: UInt32 = 1 << 4
    public static let copySourceReference: UInt16 = 1 << 0
    public static let copyDestinationReference: UInt16 = 1 << 1
}
