internal import XenABI

/// Domains coming and going, their features and quotas. Requests for these are for domain 0 only.
extension Store {
    /// Makes a domain known; who watches `@introduceDomain` hears of it the first time.
    public mutating func introduce(domain: UInt16) {
        guard introduced.insert(domain).inserted else { return }
        fire(Change(path: .introduceDomain, isRemoval: false))
    }

    /// Forgets a domain; who watches `@releaseDomain` hears of it.
    ///
    /// - Throws: ``StoreError/noSuchEntry`` if it was not introduced, ``StoreError/invalidArgument`` for domain 0.
    public mutating func release(domain: UInt16) throws(StoreError) {
        guard domain != 0 else { throw .invalidArgument }
        guard introduced.remove(domain) != nil else { throw .noSuchEntry }
        targets[domain] = nil
        domainQuotas[domain] = nil
        domainFeatures[domain] = nil
        fire(Change(path: .releaseDomain, isRemoval: false))
    }

    /// Tells who watches `@releaseDomain` that a domain has shut down or died; it stays introduced.
    public mutating func announceShutdown() {
        fire(Change(path: .releaseDomain, isRemoval: false))
    }

    public func isIntroduced(domain: UInt16) -> Bool { introduced.contains(domain) }

    /// What this store can do, as the ring page and GET_FEATURE show it.
    public static let features = XenStoreRing.Feature.reconnection | XenStoreRing.Feature.errorField
}
