/// Where a device's nodes lie, and the changes that make and remove them.
///
/// Reference: Xen `docs/misc/xenstore-paths.pandoc`, "Frontend device paths", "Backend device paths".
struct DevicePaths: Sendable {
    let domain: UInt16
    let kind: String
    let id: UInt32

    var frontendKind: String { "/local/domain/\(domain)/device/\(kind)" }
    /// The store has one guest, so the backends of a kind are all its.
    var backendKind: String { "/local/domain/0/backend/\(kind)" }
    var copyKind: String { "/libxl/\(domain)/device/\(kind)" }
    var frontend: String { "\(frontendKind)/\(id)" }
    var backend: String { "\(backendKind)/\(domain)/\(id)" }
    /// What the toolstack remembers, out of the guest's reach.
    var copy: String { "\(copyKind)/\(id)" }

    /// The device's directories as the toolstack writes them, both states at 1. What was there before goes.
    func creation(of device: any DeviceBackend) -> [StoreChange] {
        let link = [("frontend", frontend), ("backend", backend)]
        let shared = [("frontend-id", "\(domain)"), ("online", "1"), ("state", "1")] + device.backendNodes.map { ($0.name, $0.value) }
        return [.remove(path: copy)] + writes(link, copy)
            + [.remove(path: frontend), .write(path: frontend, value: "")]
            + [.setPermissions(path: frontend, owner: domain, readers: [0])]
            + writes([("backend", backend), ("backend-id", "0"), ("state", "1")], frontend)
            + writes(device.frontendNodes, frontend)
            + device.guardedFrontendNodes.flatMap { name, value -> [StoreChange] in
                let path = "\(frontend)/\(name)"
                return [.write(path: path, value: value), .setPermissions(path: path, owner: 0, readers: [domain])]
            }
            + [.remove(path: backend), .write(path: backend, value: "")]
            + [.setPermissions(path: backend, owner: 0, readers: [domain])]
            + writes([("frontend", frontend)] + shared, backend) + writes(shared, copy)
    }

    /// - Parameter isLast: whether no device of this kind is left; the kind's own directories go with it then.
    func removal(isLast: Bool) -> [StoreChange] {
        let places = isLast ? [frontendKind, backendKind, copyKind] : [frontend, backend, copy]
        return places.map { .remove(path: $0) }
    }

    /// New values in the backend's directory, its state last.
    func announcement(_ nodes: [(name: String, value: String)], _ state: XenbusState) -> [StoreChange] {
        writes(nodes, backend) + [.write(path: "\(backend)/state", value: "\(state.rawValue)")]
    }

    private func writes(_ nodes: [(name: String, value: String)], _ directory: String) -> [StoreChange] {
        nodes.map { .write(path: "\(directory)/\($0.name)", value: $0.value) }
    }
}
