/// The guest's xenstore as the bus uses it: as the control domain, whole changes at once.
///
/// All members may be called from any thread, but not from inside `update`.
public protocol StoreAccess: Sendable {
    /// The value of one node; nil when there is none.
    func value(_ path: String) -> String?

    /// Everything below a directory, by relative path, read at one moment; nil when there is no such node.
    func snapshot(_ directory: String) -> DeviceNodes?

    /// Carries out changes in one transaction.
    ///
    /// - Throws: ``DeviceFailure`` when the store refuses one; nothing has changed then.
    func update(_ changes: [StoreChange]) throws(DeviceFailure)

    /// Calls back at once and after every change at or below a path, on the store's thread.
    ///
    /// - Returns: a number for ``unwatch(_:)``.
    func watch(_ path: String, _ callback: @escaping @Sendable () -> Void) throws(DeviceFailure) -> UInt64

    /// Ends a watch; a callback that is under way may still finish.
    func unwatch(_ number: UInt64)
}

extension StoreAccess {
    public func value(_ path: String) -> String? {
        let cut = path.lastIndex(of: "/") ?? path.startIndex
        return snapshot(String(path[..<cut]))?[String(path[cut...].dropFirst())]
    }
}

/// One change of ``StoreAccess/update(_:)``.
public enum StoreChange: Hashable, Sendable {
    case write(path: String, value: String)
    /// The owner's domain and who else may read.
    case setPermissions(path: String, owner: UInt16, readers: [UInt16])
    /// Removes a node and all below it; a missing one is fine.
    case remove(path: String)
}
