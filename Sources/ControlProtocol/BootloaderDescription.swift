/// A program of the host that finds kernel and RAM disk on the guest's disk (`bootloader=`).
///
/// It runs before every life of the guest. Until then the guest's `kernelPath`, `ramdiskPath` and `commandLine` are what it is told: names
/// on the disk, if any.
public struct BootloaderDescription: Codable, Equatable, Sendable {
    /// An absolute path.
    public var program: String
    /// `bootloader_args=`, which stand before the disk.
    public var arguments: [String]
    /// The guest's first disk, a file or device that holds its bytes as they are.
    public var diskPath: String
    /// The user whose rights it shall be content with; only where the guest's creator may give rights up.
    public var userID: UInt32?
    /// What it prints is appended here; nil: nowhere.
    public var logPath: String?
    /// What it found for the life that is being built; nil before it has run for it.
    public var found: BootloaderResult?

    public init(program: String, arguments: [String] = [], diskPath: String) {
        self.program = program
        self.arguments = arguments
        self.diskPath = diskPath
    }

    /// Files of the guest's runtime directory that hold what was found until the guest is built.
    public static let kernelName = "boot-kernel"
    public static let ramdiskName = "boot-ramdisk"
    /// The directory in it that the program writes to.
    public static let workName = "bootloader"
}

/// What a boot loader found.
public struct BootloaderResult: Codable, Equatable, Sendable {
    public var kernelPath: String
    public var ramdiskPath: String?
    public var commandLine: String?

    public init(kernelPath: String, ramdiskPath: String? = nil, commandLine: String? = nil) {
        self.kernelPath = kernelPath
        self.ramdiskPath = ramdiskPath
        self.commandLine = commandLine
    }
}

extension GuestDescription {
    /// What the next life boots: what the boot loader found, else what the configuration names.
    public var boot: BootloaderResult {
        guard let found = bootloader?.found else {
            return BootloaderResult(kernelPath: kernelPath, ramdiskPath: ramdiskPath, commandLine: commandLine)
        }
        return BootloaderResult(
            kernelPath: found.kernelPath, ramdiskPath: found.ramdiskPath, commandLine: found.commandLine ?? commandLine)
    }
}
