import GuestMemory
import Synchronization
import XenABI

/// What an operator may do to a domain that runs.
extension Domain {
    /// Pages the guest may own, those of the hypervisor not counted.
    public var maximumPages: Int { memoryState.withLock { $0.maximumPages } }

    /// Pages of the map that the guest has not been given and has not given back yet.
    public var demandPages: Int { memoryState.withLock { $0.demandPages } }

    /// Sets how many pages the guest may own from now on. A guest that owns more keeps what it has and gets none.
    ///
    /// - Precondition: positive, and no more than the pool has room for.
    public func setMaximumPages(_ count: Int) {
        precondition(count > 0 && count <= memory.poolPageCount, "a domain's pages come out of its pool")
        memoryState.withLock { $0.maximumPages = count }
    }

    /// Sends a non-maskable interrupt to a vCPU, as the button of a machine does. One that is pending already stays one.
    public func sendNMI(to vcpu: Int) { vcpus[vcpu].raiseNMI() }
}
