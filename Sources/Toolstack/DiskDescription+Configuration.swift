public import ControlProtocol
public import DomainConfig
internal import Glibc

extension DiskDescription {
    /// Finds the image of a disk on this host.
    ///
    /// A relative target is below /dev, as xl has it; where nothing is there, it is below the working directory. Raw images and block
    /// devices are "phy" in the xenstore, as on Xen, images of other formats "qdisk", unless `backendtype=` says otherwise.
    ///
    /// - Throws: an error with the place in front when the specification cannot be met: exit code 6 for a missing image and a
    ///   name that stands for no device, 3 for an image of the wrong kind or without the right to use it.
    public init(_ disk: DiskSpecification, at place: ConfigPlace?) throws(OperatorError) {
        let subject = (place.map { "\($0): " } ?? "") + "disk \(disk.vdev)"
        for concern in disk.concerns where concern.severity == .refusal {
            throw OperatorError(
                "\(subject): \(concern.cause)", remedy: concern.remedy, code: ExitCode(rawValue: concern.exitCode) ?? .failure)
        }
        guard let number = disk.number else { throw OperatorError("\(subject): no such device", code: .invalid) }
        self.init(vdev: disk.vdev, deviceNumber: number.value, target: "")
        format = DiskFormat(rawValue: disk.format.rawValue) ?? .raw
        isReadOnly = !disk.isWritable
        isCDROM = disk.isCDROM
        allowsDiscard = disk.isWritable && disk.allowsDiscard ?? true
        isDirectIOSafe = disk.isDirectIOSafe
        isTrusted = disk.isTrusted ?? true
        script = disk.script
        backendType = disk.backend.map { $0 == .phy ? "phy" : "qdisk" } ?? (format == .raw ? "phy" : "qdisk")
        guard disk.format != .empty, let image = disk.target, !image.isEmpty else { return }
        target = try Self.locate(image, subject)
        try Self.check(target, isWritable: disk.isWritable, subject)
        guard backendType != "phy" || format == .raw else {
            throw OperatorError("\(subject): backendtype=phy serves raw images only", remedy: "remove backendtype=", code: .invalid)
        }
    }

    private static func locate(_ image: String, _ subject: String) throws(OperatorError) -> String {
        if image.hasPrefix("/") { return image }
        let candidates = ["/dev/" + image, Files.absolute(image)]
        if let found = candidates.first(where: { unsafe access($0, F_OK) == 0 }) { return found }
        throw OperatorError(
            "\(subject): \(image): neither \(candidates[0]) nor \(candidates[1]) exists", remedy: "name the image by its full path",
            code: .invalid)
    }

    private static func check(_ path: String, isWritable: Bool, _ subject: String) throws(OperatorError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            let error = errno
            throw OperatorError(
                "\(subject): \(path): \(SystemError.text(error))", remedy: "check the path in disk=",
                code: error == ENOENT ? .invalid : .creationFailed)
        }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG || kind == S_IFBLK else {
            throw OperatorError(
                "\(subject): \(path): neither a regular file nor a block device", remedy: "name an image file or a block device",
                code: .creationFailed)
        }
        guard unsafe access(path, isWritable ? R_OK | W_OK : R_OK) == 0 else {
            throw OperatorError(
                "\(subject): \(path): \(SystemError.text(errno))",
                remedy: isWritable ? "make it writable for this user, or give the guest access=ro" : "make it readable for this user",
                code: .creationFailed)
        }
    }
}
