/// One virtual block device as its guest is to have it.
public struct BlockConfiguration: Hashable, Sendable {
    /// What the configuration calls it, for instance "xvda".
    public var name: String
    /// The number xenstore knows it by.
    public var deviceNumber: UInt32
    /// Absolute path of the image or block device; empty for a CD-ROM drive without a medium.
    public var path: String
    public var format = BlockFormat.raw
    /// What xenstore's `type` says.
    public var backendType = "qdisk"
    public var script: String?
    public var isReadOnly = false
    public var isCDROM = false
    public var allowsDiscard = true
    /// The operator vouches that writing around the host's page cache is safe: it is bypassed then.
    public var isDirectIOSafe = false
    public var isTrusted = true
    /// Rings the frontend may use, 1 and up.
    public var queueLimit = 1
    public var method = BlockIOMethod.automatic
    /// Bytes of a sector; nil for what the host says, 512 for files.
    public var sectorByteCount: Int?
    /// Where a socket may lie for a moment, in a directory that only this user may enter; at most 107 bytes. For formats beside raw.
    public var socketPath = ""

    public init(name: String, deviceNumber: UInt32, path: String) {
        self.name = name
        self.deviceNumber = deviceNumber
        self.path = path
    }
}

/// How the host reads and writes.
public enum BlockIOMethod: Sendable {
    /// The ring, or threads where the host has none.
    case automatic
    /// io_uring.
    case ring
    case threads
}

/// What an image's blocks are packed in.
public enum BlockFormat: String, CaseIterable, Sendable {
    case raw, qcow, qcow2, vhd, qed

    /// As `qemu-nbd --format` names it.
    var driver: String { self == .vhd ? "vpc" : rawValue }
    /// As xenstore's `params` names it.
    var label: String { self == .raw ? "aio" : rawValue }
}

/// Why an image cannot be used, for the operator.
public struct BlockFailure: Error, Hashable, Sendable {
    /// One line that names the file.
    public var cause: String
    public var remedy: String

    public init(_ cause: String, remedy: String) {
        self.cause = cause
        self.remedy = remedy
    }
}
