/// The nodes that a toolstack keeps for one PVH domain: its home, `/vm`, `/libxl` and the console's backend.
///
/// Names, values and permissions are those of Xen's own toolstack; a fixture holds them against a capture.
///
/// Reference: Xen `docs/misc/xenstore-paths.pandoc`.
public struct DomainTree: Sendable {
    public var domain: UInt16
    /// 36 characters, lower case.
    public var uuid: String
    public var name: String
    /// Kibibytes.
    public var maximumMemory: UInt64
    /// Kibibytes.
    public var targetMemory: UInt64
    public var maximumVCPUs: Int
    public var onlineVCPUs: Int
    public var storePort: UInt32
    public var storeFrame: UInt64
    public var consolePort: UInt32
    public var consoleFrame: UInt64
    /// Where a person reaches the console: a terminal device, or our socket.
    public var consoleTerminal: String
    /// Seconds since 1970 with two decimals.
    public var startTime: String

    public init(
        domain: UInt16, uuid: String, name: String, maximumMemory: UInt64, targetMemory: UInt64, maximumVCPUs: Int, onlineVCPUs: Int,
        storePort: UInt32, storeFrame: UInt64, consolePort: UInt32, consoleFrame: UInt64, consoleTerminal: String, startTime: String
    ) {
        self.domain = domain
        self.uuid = uuid
        self.name = name
        self.maximumMemory = maximumMemory
        self.targetMemory = targetMemory
        self.maximumVCPUs = maximumVCPUs
        self.onlineVCPUs = onlineVCPUs
        self.storePort = storePort
        self.storeFrame = storeFrame
        self.consolePort = consolePort
        self.consoleFrame = consoleFrame
        self.consoleTerminal = consoleTerminal
        self.startTime = startTime
    }

    var home: String { "/local/domain/\(domain)" }
    var vm: String { "/vm/\(uuid)" }
    var library: String { "/libxl/\(domain)" }
    var consoleBackend: String { "/local/domain/0/backend/console/\(domain)/0" }

    private var hostOnly: Permissions { Permissions(owner: 0) }
    private var guestReads: Permissions { Permissions(owner: 0, [(domain: domain, access: .read)]) }
    private var guestOwns: Permissions { Permissions(owner: domain) }
    private var guestOwnsHostReads: Permissions { Permissions(owner: domain, [(domain: 0, access: .read)]) }

    /// Writes all nodes in one transaction and introduces the domain. Where somebody else changes what the transaction relied on, it is run
    /// again, as Xen's toolstack does; not for ever.
    ///
    /// - Parameter beforeCommit: what others do meanwhile.
    /// - Throws: ``StoreError``; nothing is written then.
    public func create(in store: inout Store, beforeCommit: (inout Store) -> Void = { _ in }) throws(StoreError) {
        for attempt in 1... {
            do throws(StoreError) {
                try write(to: &store, beforeCommit)
                break
            } catch {
                guard error == .tryAgain, attempt < Self.attempts else { throw error }
            }
        }
        store.introduce(domain: domain)
    }

    private static let attempts = 100

    private func write(to store: inout Store, _ beforeCommit: (inout Store) -> Void) throws(StoreError) {
        let transaction = try store.startTransaction(by: store.local)
        do throws(StoreError) {
            for node in nodes {
                try store.setText(node.value, at: node.path, in: transaction)
                guard let permissions = node.permissions else { continue }
                try store.setPermissions(permissions, of: Store.known(node.path), in: transaction, by: store.local)
            }
        } catch {
            try store.endTransaction(transaction, commits: false, by: store.local)
            throw error
        }
        beforeCommit(&store)
        try store.endTransaction(transaction, commits: true, by: store.local)
    }

    /// Removes all nodes of the domain and forgets it.
    ///
    /// - Throws: ``StoreError``; the nodes that are left can be removed by another call.
    public func remove(from store: inout Store) throws(StoreError) {
        for path in [home, vm, library, "/local/domain/0/backend/console/\(domain)"] where store.text(at: path) != nil {
            try store.remove(Store.known(path), by: store.local)
        }
        if store.isIntroduced(domain: domain) { try store.release(domain: domain) }
    }

    private typealias Line = (path: String, value: String, permissions: Permissions?)

    /// Parents first; without permissions of its own a node has those of its parent.
    private var nodes: [Line] { skeletonNodes + builtNodes + consoleNodes }

    private var skeletonNodes: [Line] {
        let guestNodes = [
            "device/suspend/event-channel", "control/shutdown", "control/feature-poweroff", "control/feature-reboot",
            "control/feature-suspend", "control/sysrq", "data", "drivers", "feature", "attr", "error",
        ]
        let directories: [Line] = [
            (home, "", guestReads), (vm, "", guestReads), (library, "", hostOnly), (library + "/device", "", hostOnly),
            (home + "/vm", vm, nil), (home + "/name", name, nil),
            (home + "/cpu", "", guestReads), (home + "/memory", "", guestReads), (home + "/device", "", guestReads),
            (home + "/control", "", guestReads),
        ]
        let owned: [Line] = guestNodes.map { (home + "/" + $0, "", guestOwns) }
        let facts: [Line] = [
            (vm + "/uuid", uuid, nil), (vm + "/name", name, nil),
            (home + "/control/platform-feature-multiprocessor-suspend", "1", nil),
            (home + "/control/platform-feature-xs_reset_watches", "1", nil),
            (library + "/type", "pvh", nil), (library + "/dm-version", "qemu_xen", nil),
        ]
        return directories + owned + facts
    }

    private var builtNodes: [Line] {
        let facts: [Line] = [
            (home + "/memory/static-max", "\(maximumMemory)", nil), (home + "/memory/target", "\(targetMemory)", nil),
            (home + "/memory/videoram", "0", nil), (home + "/domid", "\(domain)", nil),
            (home + "/store/port", "\(storePort)", nil), (home + "/store/ring-ref", "\(storeFrame)", nil),
            (vm + "/start_time", startTime, nil),
        ]
        return facts + (0..<maximumVCPUs).map { (home + "/cpu/\($0)/availability", $0 < onlineVCPUs ? "online" : "offline", nil) }
    }

    private var consoleNodes: [Line] {
        let front = home + "/console"
        let copy = library + "/device/console/0"
        let shared = [("frontend", front), ("frontend-id", "\(domain)"), ("online", "1"), ("state", "1"), ("protocol", "vt100")]
        let ends: [Line] = [
            (front, "", guestReads), (front + "/backend", consoleBackend, nil), (front + "/backend-id", "0", guestOwnsHostReads),
            (front + "/limit", "1048576", nil), (front + "/type", "xenconsoled", nil), (front + "/output", "pty", nil),
            (front + "/tty", consoleTerminal, nil), (front + "/port", "\(consolePort)", nil),
            (front + "/ring-ref", "\(consoleFrame)", nil),
            (consoleBackend, "", guestReads), (copy + "/backend", consoleBackend, nil),
        ]
        return ends
            + shared.flatMap { name, value -> [Line] in
                [(consoleBackend + "/" + name, value, nil), (copy + "/" + name, value, nil)]
            }
    }
}

extension Store {
    /// A store with what stands in it before the first domain: the host's own name, pool and empty directories.
    ///
    /// - Parameter server: value of `/tool/xenstored`, where Xen names the path of its daemon.
    public static func forHost(server: String) -> Store {
        var store = Store()
        let nodes = [
            ("/libxl", ""), ("/vm", ""), ("/tool/xenstored", server), ("/local/domain/0/domid", "0"),
            ("/local/domain/0/name", "Domain-0"), ("/local/pool/0/name", "Pool-0"),
        ]
        for (path, value) in nodes {
            do { try store.setText(value, at: path) } catch { preconditionFailure("domain 0 may write everywhere") }
        }
        return store
    }
}
