internal import PVRing
internal import XenABI

/// The pages of one ring's requests. With persistent grants those used last stay in use, since their frontend uses them again.
///
/// Reference: Xen `public/io/blkif.h`, "feature-persistent".
struct GrantCache {
    /// Pages kept in use at most: 32 requests of 32 pages and some.
    static let limit = 1056

    private struct Entry {
        var page: GrantedPage
        var lastUse: UInt64
    }

    private let guest: any GuestAccess
    private let isPersistent: Bool
    private var entries: [UInt32: Entry] = [:]
    private var clock: UInt64 = 0

    init(_ guest: any GuestAccess, isPersistent: Bool) {
        self.guest = guest
        self.isPersistent = isPersistent
    }

    /// Pages kept in use.
    var count: Int { entries.count }

    /// The page of a reference, in use as long as the result or this cache holds it.
    ///
    /// - Parameter writable: whether the page's content will be changed.
    /// - Throws: ``GrantStatus``; nothing is in use then.
    mutating func page(_ reference: UInt32, writable: Bool) throws(GrantStatus) -> GrantedPage {
        guard isPersistent else { return try GrantedPage(guest, reference, readOnly: !writable) }
        clock += 1
        if let entry = entries[reference] {
            entries[reference]!.lastUse = clock
            return entry.page
        }
        do throws(GrantStatus) {
            let page = try GrantedPage(guest, reference, readOnly: false)
            if entries.count >= Self.limit { evict() }
            entries[reference] = Entry(page: page, lastUse: clock)
            return page
        } catch {
            // A page that may only be read cannot serve later reads of the disk, so it is not kept.
            guard !writable else { throw error }
            return try GrantedPage(guest, reference, readOnly: true)
        }
    }

    /// Lets go of the eighth that was used longest ago.
    private mutating func evict() {
        let oldest = entries.values.map(\.lastUse).sorted()[entries.count / 8]
        entries = entries.filter { $0.value.lastUse > oldest }
    }
}
