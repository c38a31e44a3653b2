package import GuestMemory
import PVRing
package import XenABI
package import XenBus
package import XenDomain
import XenStore
package import XenStoreServer

/// A domain's grants and ports, as backends use them.
package final class DomainAccess: GuestAccess {
    private let domain: Domain

    package init(_ domain: Domain) { self.domain = domain }

    package var domainID: UInt16 { domain.configuration.domainID }
    package var memory: GuestMemory { domain.memory }

    package func acquireGrant(_ reference: UInt32, readOnly: Bool) throws(GrantStatus) -> FrameIndex {
        try domain.acquireGrant(reference, readOnly: readOnly)
    }

    package func releaseGrant(_ reference: UInt32, frame: FrameIndex, readOnly: Bool) {
        domain.releaseGrant(reference, frame: frame, readOnly: readOnly)
    }

    package func bindEventChannel(_ port: UInt32, handler: @escaping @Sendable () -> Void) throws(XenError) {
        try domain.bindHost(port, replacesHandler: false, handler: handler)
    }

    package func unbindEventChannel(_ port: UInt32) { domain.unbindHost(port) }
    package func notify(_ port: UInt32) { domain.notify(port) }
}

/// A guest's xenstore, as the device bus uses it.
package struct GuestStore: StoreAccess {
    /// Levels below a device's directory that a snapshot holds: `queue-0/ring-ref` is the deepest node there is a use for.
    private static let deepestLevel = 2

    private let server: XenStoreServer

    package init(server: XenStoreServer) { self.server = server }

    package func value(_ path: String) -> String? {
        server.perform { $0.text(at: path) }.map(Self.withoutEnd)
    }

    package func snapshot(_ directory: String) -> DeviceNodes? {
        server.perform { store -> DeviceNodes? in
            guard store.text(at: directory) != nil else { return nil }
            var nodes = DeviceNodes()
            Self.collect(directory, prefix: "", level: 1, &store, &nodes)
            return nodes
        }
    }

    private static func collect(_ directory: String, prefix: String, level: Int, _ store: inout Store, _ nodes: inout DeviceNodes) {
        // A node that stands in the tree has children, if only none.
        guard let path = try? StorePath(directory), let names = try? store.directory(path, by: store.local).names else { return }
        for name in names {
            guard let text = store.text(at: "\(directory)/\(name)") else { continue }
            nodes[prefix + name] = withoutEnd(text)
            if level < deepestLevel { collect("\(directory)/\(name)", prefix: "\(prefix)\(name)/", level: level + 1, &store, &nodes) }
        }
    }

    /// Some drivers write the zero at the end of a C string along.
    private static func withoutEnd(_ text: String) -> String { text.utf8.last == 0 ? String(text.dropLast()) : text }

    package func update(_ changes: [StoreChange]) throws(DeviceFailure) {
        do throws(StoreError) {
            try server.perform { (store) throws(StoreError) in
                let transaction = try store.startTransaction(by: store.local)
                do throws(StoreError) {
                    for change in changes { try Self.apply(change, to: &store, in: transaction) }
                } catch {
                    try store.endTransaction(transaction, commits: false, by: store.local)
                    throw error
                }
                // Nobody gets in between: the store is ours alone until this returns.
                try store.endTransaction(transaction, commits: true, by: store.local)
            }
        } catch {
            throw DeviceFailure("the xenstore refuses: \(error.rawValue)")
        }
    }

    private static func apply(_ change: StoreChange, to store: inout Store, in transaction: UInt32) throws(StoreError) {
        switch change {
        case .write(let path, let value): try store.setText(value, at: path, in: transaction)
        case .setPermissions(let path, let owner, let readers):
            let permissions = Permissions(owner: owner, readers.map { (domain: $0, access: .read) })
            try store.setPermissions(permissions, of: StorePath(path), in: transaction, by: store.local)
        case .remove(let path):
            do throws(StoreError) {
                try store.remove(StorePath(path), in: transaction, by: store.local)
            } catch {
                // Not even its parent is there.
                guard error == .noSuchEntry else { throw error }
            }
        }
    }

    package func watch(_ path: String, _ callback: @escaping @Sendable () -> Void) throws(DeviceFailure) -> UInt64 {
        do throws(StoreError) {
            return try server.watch(path) { _ in callback() }
        } catch {
            throw DeviceFailure("\(path) cannot be watched: \(error.rawValue)")
        }
    }

    package func unwatch(_ number: UInt64) { server.unwatch(number) }
}
