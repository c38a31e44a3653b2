internal import PVRing
internal import XenABI

extension BlockStatus: Error {}

/// Checks requests against the disk and turns them into steps.
struct BlockPlanner {
    let image: any BlockImage
    let isReadOnly: Bool

    /// Fills a transfer with what a request asks for. No steps means that nothing has to be done.
    ///
    /// - Throws: the status to answer with; pages taken until then are in the transfer.
    func plan(_ request: BlockRequest, _ queue: BlockQueue, into transfer: BlockTransfer) throws(BlockStatus) {
        switch request.operation {
        case .read:
            transfer.statistic = .read
            try takePages(request, queue, into: transfer)
            transfer.steps.append(.read)
        case .write:
            try planWrite(request, queue, into: transfer)
            transfer.steps.append(.write)
        // What was written before comes first, and what comes with it is on the disk with the answer.
        case .flush, .writeBarrier:
            transfer.statistic = .write
            transfer.isBarrier = request.operation == .writeBarrier
            transfer.steps.append(.flush)
            // Where an empty one says it is means nothing, and need not be a place on any disk.
            guard request.segmentCount > 0 else { return transfer.position = 0 }
            try planWrite(request, queue, into: transfer)
            transfer.steps += [.write, .flush]
        case .discard: try planDiscard(request, into: transfer)
        case .indirect, nil: throw request.isIndirect ? .error : .notSupported
        }
    }

    private func planWrite(_ request: BlockRequest, _ queue: BlockQueue, into transfer: BlockTransfer) throws(BlockStatus) {
        transfer.statistic = .write
        guard !isReadOnly else { throw .error }
        try takePages(request, queue, into: transfer)
    }

    private func planDiscard(_ request: BlockRequest, into transfer: BlockTransfer) throws(BlockStatus) {
        transfer.statistic = .discard
        guard !isReadOnly else { throw .error }
        guard image.discardGranularity != nil, !request.wantsSecureDiscard else { throw .notSupported }
        try check(request.sector, request.discardSectorCount)
        guard request.discardSectorCount > 0 else { return }
        transfer.remaining = Int(request.discardSectorCount << 9)
        transfer.steps.append(.discard)
    }

    private func takePages(_ request: BlockRequest, _ queue: BlockQueue, into transfer: BlockTransfer) throws(BlockStatus) {
        let limit = request.isIndirect ? BlockRequest.indirectSegmentLimit : BlockRequest.segmentLimit
        guard (1...limit).contains(request.segmentCount) else { throw .error }
        do throws(GrantStatus) {
            let segments = request.isIndirect ? try queue.indirectSegments(request) : request.segments
            guard areWhole(segments, at: request.sector) else { throw .badCopyArgument }
            for segment in segments {
                // A read of the disk writes the guest's page.
                let page = try queue.grants.page(segment.reference, writable: request.operation == .read)
                transfer.append(page, offset: Int(segment.first) << 9, byteCount: segment.sectorCount << 9)
            }
        } catch {
            throw .error
        }
        try check(request.sector, UInt64(transfer.byteCount >> 9))
    }

    /// Whether every segment lies in its page, and all is whole sectors of the disk.
    private func areWhole(_ segments: [BlockSegment], at sector: UInt64) -> Bool {
        let mask = (image.sectorByteCount >> 9) - 1
        guard sector & UInt64(mask) == 0 else { return false }
        return segments.allSatisfy { $0.isInPage && Int($0.first) & mask == 0 && $0.sectorCount & mask == 0 }
    }

    /// Whether sectors lie on the disk.
    private func check(_ sector: UInt64, _ count: UInt64) throws(BlockStatus) {
        let end = sector.addingReportingOverflow(count)
        guard !end.overflow, end.partialValue <= image.byteCount >> 9 else { throw .error }
    }
}
