internal import ControlProtocol
internal import DomainConfig
internal import Glibc

extension BootloaderDescription {
    /// What a configuration says of its boot loader, looked up on this host.
    ///
    /// - Throws: an error that names file and line: there is no such program, no disk to read, or no user.
    init(_ word: String, _ domain: DomainDescription, _ disks: [DiskDescription], _ environment: Environment) throws(OperatorError) {
        let subject = "\(domain.prefix("bootloader"))bootloader=\"\(word)\""
        guard let disk = disks.first(where: { !$0.target.isEmpty }) else {
            throw OperatorError(
                "\(subject): there is no disk to boot from", remedy: "add disk=, or name the kernel with kernel= alone",
                code: .creationFailed)
        }
        guard disk.format == .raw else {
            throw OperatorError(
                "\(subject): \(disk.vdev) is \(disk.format.rawValue), and a boot loader of the host reads raw disks only",
                remedy: "turn it into a raw one with qemu-img, or boot GRUB's PVH build with kernel=", code: .creationFailed)
        }
        guard let program = Self.path(of: word, environment) else {
            throw OperatorError("\(subject): there is no such program", remedy: Self.remedy, code: .creationFailed)
        }
        self.init(program: program, arguments: domain.bootloaderArguments, diskPath: disk.target)
        userID = try Self.user(domain, environment)
    }

    static let remedy = "install it (Debian: xen-utils), give its path, or boot GRUB's PVH build with kernel="

    /// Looks for a program: a path as it is; a name on the PATH, then where Xen's packages have it.
    static func path(of word: String, _ environment: Environment) -> String? {
        func runs(_ path: String) -> Bool { unsafe access(path, X_OK) == 0 && !isDirectory(path) }
        if word.contains("/"), runs(word) { return Files.absolute(word) }
        // Old configurations name /usr/bin/pygrub, where it is no more.
        let name = word.split(separator: "/").last.map(String.init) ?? word
        let versions = ((try? Files.names(in: "/usr/lib")) ?? []).filter { $0.hasPrefix("xen") }.sorted().reversed()
        let places = versions.map { "/usr/lib/\($0)/bin" } + ["/usr/libexec/xen/bin", "/usr/local/lib/xen/bin"]
        guard !word.contains("/") || word.hasPrefix("/usr/") && name == "pygrub" else { return nil }
        let path = environment.variables["PATH"] ?? "/usr/bin:/bin"
        let directories = path.split(separator: ":").map(String.init) + places
        return directories.map { "\($0)/\(name)" }.first(where: runs).map(Files.absolute)
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The user whose rights are enough; nil where there are none to give up.
    private static func user(_ domain: DomainDescription, _ environment: Environment) throws(OperatorError) -> UInt32? {
        guard environment.userID == 0, domain.restrictsBootloader ?? (domain.bootloaderUser != nil) else { return nil }
        guard let name = domain.bootloaderUser else {
            throw OperatorError(
                "\(domain.prefix("bootloader_restrict"))bootloader_restrict=1 names no user", remedy: "add bootloader_user=\"nobody\"",
                code: .creationFailed)
        }
        guard let entry = unsafe getpwnam(name) else {
            throw OperatorError(
                "\(domain.prefix("bootloader_user"))bootloader_user=\"\(name)\": there is no such user", remedy: "name one of this machine",
                code: .creationFailed)
        }
        return unsafe entry.pointee.pw_uid
    }
}
