internal import GuestMemory
internal import PVRing
internal import XenABI

/// One ring of a connection. The service's thread alone uses it.
@safe
final class BlockQueue {
    let port: UInt32
    let abi: BlockABI
    var grants: GrantCache
    private var ring: BackRing
    private let guest: any GuestAccess
    private let entry: UnsafeMutableRawBufferPointer
    /// The guest broke the ring's indices: it is served no more.
    private(set) var isBroken = false

    /// - Throws: ``GrantStatus`` for a page that is not granted to be written; nothing is in use then.
    init(_ guest: any GuestAccess, _ queue: BlockConnection.Queue, _ connection: BlockConnection) throws(GrantStatus) {
        var pages: [GrantedPage] = []
        for reference in queue.references { pages.append(try GrantedPage(guest, reference, readOnly: false)) }
        self.guest = guest
        port = queue.port
        abi = connection.abi
        grants = GrantCache(guest, isPersistent: connection.isPersistent)
        ring = BackRing(pages: pages, entryByteCount: abi.entryByteCount)
        unsafe entry = .allocate(byteCount: BlockABI.x86_64.entryByteCount, alignment: 8)
        unsafe entry.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { unsafe entry.deallocate() }

    /// Takes the next request out of the ring.
    ///
    /// - Returns: nil when none waits or the ring is broken.
    func takeRequest() -> BlockRequest? {
        guard !isBroken else { return nil }
        do throws(BrokenRing) {
            guard unsafe try ring.takeRequest(into: entry) else { return nil }
            return unsafe BlockRequest(UnsafeRawBufferPointer(entry), abi)
        } catch {
            isBroken = true
            return nil
        }
    }

    /// Asks for an event with the next request.
    ///
    /// - Returns: whether one waits already.
    func awaitRequests() -> Bool {
        guard !isBroken else { return false }
        do throws(BrokenRing) {
            return try ring.awaitRequests()
        } catch {
            isBroken = true
            return false
        }
    }

    func put(_ response: BlockResponse) {
        unsafe withUnsafeTemporaryAllocation(byteCount: abi.responseByteCount, alignment: 8) { bytes in
            unsafe response.encode(into: bytes)
            unsafe ring.putResponse(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Shows the guest its responses, with an event if it wants one.
    func publish() { if ring.publishResponses() { guest.notify(port) } }

    /// The segments that the pages of an indirect request hold, each page read once.
    ///
    /// - Throws: ``GrantStatus``.
    func indirectSegments(_ request: BlockRequest) throws(GrantStatus) -> [BlockSegment] {
        let perPage = GuestMemory.pageSize / BlockSegment.byteCount
        var segments: [BlockSegment] = []
        segments.reserveCapacity(request.segmentCount)
        for start in stride(from: 0, to: request.segmentCount, by: perPage) {
            let page = try grants.page(request.indirectReferences[start / perPage], writable: false)
            let count = min(perPage, request.segmentCount - start)
            unsafe withUnsafeTemporaryAllocation(byteCount: count * BlockSegment.byteCount, alignment: 8) { copy in
                // SAFETY: the page is in use and longer than the copy.
                unsafe copy.baseAddress!.copyMemory(from: page.memory.unsafePointer(page.frame), byteCount: copy.count)
                for index in 0..<count {
                    segments.append(unsafe BlockSegment(UnsafeRawBufferPointer(copy), at: index * BlockSegment.byteCount))
                }
            }
        }
        return segments
    }
}
