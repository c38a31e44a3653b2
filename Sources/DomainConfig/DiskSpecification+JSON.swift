extension DiskSpecification {
    /// The disk as libxl's `libxl_device_disk`.
    var json: JSONText {
        var members = JSONMembers()
        members.add("backend_domname", backendDomain)
        members.add("pdev_path", target)
        members.add("vdev", vdev)
        members.add("backend", backend?.rawValue)
        members.add("format", format.rawValue)
        members.add("script", script)
        members.add("removable", isRemovable ? 1 : nil as Int64?)
        members.add("readwrite", isWritable ? 1 : nil as Int64?)
        members.add("is_cdrom", isCDROM ? 1 : nil as Int64?)
        if isDirectIOSafe { members.add("direct_io_safe", .literal(true)) }
        members.add("discard_enable", allowsDiscard)
        members.add("specification", protocolName?.rawValue)
        members.add("colo_enable", isReplicated)
        members.add("colo_restore_enable", isRestoredReplica)
        for (name, member) in Self.replicationMembers {
            guard let text = replication[name] else { continue }
            if name == "colo-port", case .value(let port) = CInteger.parse(text) {
                members.add(member, port)
            } else {
                members.add(member, text)
            }
        }
        members.add("trusted", isTrusted)
        members.add("grant_usage", usesGrants)
        return .object(members.all)
    }

    static let replicationMembers = [
        ("colo-host", "colo_host"), ("colo-port", "colo_port"), ("colo-export", "colo_export"), ("active-disk", "active_disk"),
        ("hidden-disk", "hidden_disk"),
    ]
}
