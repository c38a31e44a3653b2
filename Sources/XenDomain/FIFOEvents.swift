import XenABI

/// The FIFO ABI's state: the guest's event array and one control block with 16 queues per vCPU.
struct FIFOState: Sendable {
    struct ControlBlock: Sendable {
        var place: SharedPlace
        /// Last port of each queue; 0 when the guest has taken everything.
        var tails = InlineArray<16, UInt32>(repeating: 0)
    }

    var pages: [SharedPlace] = []
    /// nil until the vCPU has called init_control.
    var blocks: [ControlBlock?]

    init(vcpuCount: Int) { blocks = Array(repeating: nil, count: vcpuCount) }

    /// The event word of a port; nil while its array page is missing.
    func word(_ port: Int) -> SharedPlace? {
        let page = port / FIFOEvent.wordsPerPage
        guard page < pages.count else { return nil }
        return pages[page].advanced(by: (port % FIFOEvent.wordsPerPage) * 4)
    }

    /// Makes the word of `tail` point to `port` while the guest still has it linked.
    ///
    /// - Returns: False when the guest has unlinked the tail, so that the queue is empty.
    func link(after tail: UInt32, to port: Int) -> Bool {
        guard let word = word(Int(tail)) else { return false }
        var current = word.load32(0)
        // The guest can change its word at any time; it is given a bounded number of chances to disturb only itself.
        for attempt in 0..<32 {
            guard current & FIFOEvent.linked != 0 else { return false }
            let busy = attempt > 4 ? FIFOEvent.busy : 0
            let desired = (current & ~(FIFOEvent.busy | FIFOEvent.linkMask)) | UInt32(port) & FIFOEvent.linkMask
            guard let found = word.replace32(0, current, with: desired) else { return true }
            current = busy == 0 ? found : word.or32(0, busy) | busy
        }
        _ = word.and32(0, ~FIFOEvent.busy)
        return false
    }
}

extension Domain {
    /// Makes an event pending and links it into its vCPU's queue unless it is masked or linked already.
    func raiseFIFO(_ port: Int, _ events: inout EventChannels) {
        guard let word = events.fifo.word(port) else {
            events.channels[port].isHeldPending = true
            return
        }
        let before = word.or32(0, FIFOEvent.pending)
        if before & (FIFOEvent.masked | FIFOEvent.linked) == 0 { enqueue(port, word, &events) }
        if before & FIFOEvent.pending == 0 { wakePollers(of: port) }
    }

    private func enqueue(_ port: Int, _ word: SharedPlace, _ events: inout EventChannels) {
        let channel = events.channels[port]
        let queue = Int(channel.priority & 15)
        guard events.fifo.blocks[channel.vcpu] != nil, word.or32(0, FIFOEvent.linked) & FIFOEvent.linked == 0 else { return }
        // A port that was the tail of another queue must not be appended to there once more.
        let old = (vcpu: channel.lastVCPU, queue: Int(channel.lastPriority & 15))
        if old.vcpu != channel.vcpu || old.queue != queue, events.fifo.blocks[old.vcpu]?.tails[old.queue] == UInt32(port) {
            events.fifo.blocks[old.vcpu]!.tails[old.queue] = 0
        }
        events.channels[port].lastVCPU = channel.vcpu
        events.channels[port].lastPriority = channel.priority
        // The word of this port starts with an empty link.
        clearLink(word)
        let tail = events.fifo.blocks[channel.vcpu]!.tails[queue]
        let appended = tail != 0 && tail != UInt32(port) && events.fifo.link(after: tail, to: port)
        events.fifo.blocks[channel.vcpu]!.tails[queue] = UInt32(port)
        guard !appended else { return }
        let block = events.fifo.blocks[channel.vcpu]!.place
        block.store32(FIFOEvent.controlBlockHeads + queue * 4, UInt32(port))
        let ready = UInt32(1) << UInt32(queue)
        if block.or32(FIFOEvent.controlBlockReady, ready) & ready == 0 { vcpus[channel.vcpu].markEventsPending() }
    }

    private func clearLink(_ word: SharedPlace) { _ = word.and32(0, ~FIFOEvent.linkMask) }

    /// EVTCHNOP_init_control with a checked control block; the first one moves the whole domain to the FIFO ABI.
    func initialiseControl(_ place: SharedPlace, vcpu: Int, _ events: inout EventChannels) throws(XenError) {
        if !events.isFIFO {
            for port in events.channels.indices { events.channels[port].isHeldPending = isPending(port, events) }
            events.isFIFO = true
        }
        guard events.fifo.blocks[vcpu] == nil else { throw .invalidArgument }
        events.fifo.blocks[vcpu] = FIFOState.ControlBlock(place: place)
    }

    /// EVTCHNOP_expand_array with a checked page; raises what was held pending for lack of it.
    func expandArray(_ page: SharedPlace, _ events: inout EventChannels) throws(XenError) {
        guard events.isFIFO else { throw .notSupported }
        guard events.fifo.pages.count < FIFOEvent.pageLimit else { throw .noSpace }
        let first = events.fifo.pages.count * FIFOEvent.wordsPerPage
        events.fifo.pages.append(page)
        let last = min(events.channels.count, first + FIFOEvent.wordsPerPage)
        for port in stride(from: first, to: last, by: 1) {
            guard events.channels[port].isHeldPending else { continue }
            events.channels[port].isHeldPending = false
            raise(port, &events)
        }
    }
}
