/// A disk as a configuration asks for it: one string of `disk=[ ]`, or the words of `block-attach`. Nothing is known of the host yet.
///
/// Reference: xl-disk-configuration(5).
public struct DiskSpecification: Equatable, Sendable {
    /// A path, or what a script understands; nil when none is given, which only a removable drive may do.
    public var target: String?
    /// The name as written: "xvda", "hdc1", "51712".
    public var vdev: String
    public var format = Format.raw
    public var backend: Backend?
    /// The domain that is to serve the disk, as written.
    public var backendDomain: String?
    public var script: String?
    public var isWritable = true
    public var isRemovable = false
    public var isCDROM = false
    public var isDirectIOSafe = false
    /// nil: not said; a writable disk then takes discards.
    public var allowsDiscard: Bool?
    public var isTrusted: Bool?
    public var protocolName: ProtocolName?
    public var usesGrants: Bool?
    /// `colo` and what goes with it, unstable in xl: shown, never obeyed.
    public var isReplicated: Bool?
    public var replication: [String: String] = [:]
    /// What libxl notes of a running guest: whether the disk is the copy at the other end.
    public var isRestoredReplica: Bool?

    public init(target: String?, vdev: String) {
        self.target = target
        self.vdev = vdev
    }

    public enum Format: String, CaseIterable, Sendable { case raw, qcow, qcow2, vhd, qed, empty }
    public enum Backend: String, CaseIterable, Sendable { case phy, tap, qdisk, standalone }
    /// `specification=`: how guest and host speak about the disk.
    public enum ProtocolName: String, CaseIterable, Sendable { case xen, virtio }

    /// The device's number, or nil when the name stands for none.
    public var number: VirtualDeviceNumber? { VirtualDeviceNumber(vdev: vdev) }

    /// What a guest cannot have, and what is obeyed only in part.
    public var concerns: [SpecificationConcern] {
        var concerns: [SpecificationConcern] = []
        if number == nil {
            concerns.append(
                .refusal(
                    "vdev=\(vdev) names no virtual disk", remedy: "write xvda, xvdb, … or a number", exitCode: ConfigDiagnostic.invalid))
        }
        if format == .empty, !isCDROM {
            concerns.append(
                .refusal(
                    "only a CD-ROM drive can be empty", remedy: "add cdrom, or name an image and its format",
                    exitCode: ConfigDiagnostic.invalid))
        } else if target ?? "" == "", format != .empty, !isRemovable {
            concerns.append(.refusal("no image is named", remedy: "write target=/path/to/image", exitCode: ConfigDiagnostic.invalid))
        }
        return concerns + hostConcerns
    }

    private var hostConcerns: [SpecificationConcern] {
        var concerns: [SpecificationConcern] = []
        if let domain = backendDomain, !["0", "Domain-0"].contains(domain) {
            concerns.append(.refusal("backend=\(domain): no other domain can serve a disk", remedy: "remove backend="))
        }
        if let script, script != "block" {
            concerns.append(
                .refusal(
                    "script=\(script): disks are opened without scripts",
                    remedy: "connect the device on the host first, and name it as target"))
        }
        if protocolName == .virtio {
            concerns.append(.refusal("specification=virtio: virtio disks are not supported", remedy: "remove specification="))
        }
        if backend == .standalone {
            concerns.append(
                .refusal("backendtype=standalone: nobody but the guest's process serves a disk", remedy: "remove backendtype="))
        }
        if isReplicated == true || !replication.isEmpty {
            concerns.append(.refusal("colo: replicated disks are not supported", remedy: "remove colo and what goes with it"))
        }
        if backend == .tap {
            concerns.append(.warning("backendtype=tap is treated as qdisk", remedy: "remove backendtype="))
        }
        return concerns
    }
}
