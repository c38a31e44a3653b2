import GuestMemory
import Synchronization
import XenABI

/// What an operator may do to a domain that runs.
extension Domain {
    /// Pages the guest may own, those of the hypervisor not counted.
    public var maximumPages: Int { memoryState.withLock { $0.maximumPages } }

    /// Frames of the map beyond the pages the guest owns: what its balloon still has to give back.
    public var demandPages: Int { memoryState.withLock { $0.demandPages } }

    /// Sets how many pages the guest may own from now on. A guest that owns more keeps what it has and gets none.
    ///
    /// - Precondition: positive, and no more than the pool has room for.
    public func setMaximumPages(_ count: Int) {
        precondition(count > 0 && count <= memory.poolPageCount, "a domain's pages come out of its pool")
        memoryState.withLock { $0.maximumPages = count }
    }

    /// Sets how many pages of RAM the guest is to own. More than it owns now counts at once, as far as its map has frames without
    /// pages; everything else is the work of its balloon.
    public func raiseTarget(ramPages: Int) {
        let pages = ramPages + DomainConfiguration.otherPages(configuration.memoryMap)
        memoryState.withLock { $0.raiseTarget(to: pages, memory) }
    }

    /// Ends a guest that touches more pages than it owns, as Xen does.
    func watchStock() {
        memory.whenStockIsEmpty { [weak self] gfn in self?.outOfStock(gfn) }
    }

    private func outOfStock(_ gfn: GuestFrameNumber) {
        guard shutdownReason == nil else { return }
        let map = DomainConfiguration.ramPages(configuration.memoryMap)
        crash(
            "out of memory at \(gfn): it has touched all it is to own (memory=) of the \(map / 256) MiB its map shows (maxmem=), and its "
                + "balloon driver has not given the rest back; raise memory=, lower maxmem=, or start a kernel with a balloon driver")
    }

    /// Sends a non-maskable interrupt to a vCPU, as the button of a machine does. One that is pending already stays one.
    public func sendNMI(to vcpu: Int) { vcpus[vcpu].raiseNMI() }
}
