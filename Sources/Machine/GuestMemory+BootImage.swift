import ControlProtocol
import DomainBuilder
import GuestMemory
import Glibc

extension GuestMemory {
    /// Reserves the pool of a guest.
    ///
    /// - Parameters:
    ///   - pageCount: what the guest needs.
    ///   - wish: room to raise its limit later; a host that has no address space for that gives the guest what it needs.
    /// - Throws: an error when the host has no address space for it; nothing stays reserved.
    static func reserve(pageCount: Int, wish: Int) throws(OperatorError) -> GuestMemory {
        if wish > pageCount, let memory = try? GuestMemory(poolPageCount: min(wish, 1 << 30 - 1)) { return memory }
        do {
            return try GuestMemory(poolPageCount: pageCount)
        } catch {
            let why = if case .hostRefused(let code) = error { SystemError.text(code) } else { "\(error)" }
            throw OperatorError(
                "the host gives no address space for a guest of \(pageCount / 256) MiB: \(why)",
                remedy: "lower memory= and maxmem=, or raise the limit of the process (ulimit -v)", code: .noMemory)
        }
    }

    /// Populates the guest's pages and writes what they hold at the start.
    ///
    /// - Parameter ownedPages: pages of RAM the guest is to own. When its map shows more, it gets each with the first touch, and no more than these.
    /// - Throws: an error when the image and the pool do not fit each other.
    func fill(from image: BootImage, ownedPages: Int) throws(OperatorError) {
        do throws(GuestMemoryError) {
            try layOut(image.ramRegions, ownedPages: ownedPages)
            for pages in [image.specialPages, image.acpiPages] {
                try populate(GuestFrameNumber(pages.start), count: Int(pages.count))
            }
            for (index, chunk) in image.chunks.enumerated() { try write(chunk, after: image.chunks[..<index]) }
        } catch {
            throw OperatorError("the guest's memory cannot be filled: \(error)", code: .creationFailed)
        }
    }

    private func layOut(_ regions: [BootImage.PageRange], ownedPages: Int) throws(GuestMemoryError) {
        guard ownedPages < regions.reduce(0, { $0 + Int($1.count) }) else {
            for pages in regions { try populate(GuestFrameNumber(pages.start), count: Int(pages.count)) }
            return
        }
        for pages in regions { try populateOnDemand(GuestFrameNumber(pages.start), count: Int(pages.count), stock: 0) }
        addToStock(ownedPages)
    }

    /// Fresh memory is zero: only what earlier chunks wrote has to be cleared.
    private func write(_ chunk: BootImage.Chunk, after earlier: ArraySlice<BootImage.Chunk>) throws(GuestMemoryError) {
        switch chunk.content {
        case .bytes(let bytes): try write(chunk.address, bytes)
        case .zeros(let count):
            let end = chunk.address + count
            for other in earlier {
                let start = max(chunk.address, other.address)
                let stop = min(end, other.address + other.byteCount)
                if start < stop { try write(start, [UInt8](repeating: 0, count: Int(stop - start))[...]) }
            }
        }
    }

    private func write(_ address: UInt64, _ bytes: ArraySlice<UInt8>) throws(GuestMemoryError) {
        var failure: GuestMemoryError?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(GuestMemoryError) { unsafe try write(GuestPhysicalAddress(address), from: buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
