import GuestMemory
import LocalAPIC
import Synchronization
import XenABI

/// A domain that goes on after it shut down: what a kernel started by kexec finds.
extension Domain {
    /// Takes back everything the guest has agreed upon with the hypervisor, and lets it run again. Memory, the vCPUs' registers and
    /// their APICs stay; event channels, grants, timers, registered areas, upcalls and mapped pages of the hypervisor are as in a new
    /// domain. ``storePort`` and ``consolePort`` are new.
    ///
    /// No vCPU runs, and every backend has let go of its grants and ports.
    ///
    /// - Throws: ``DomainError/noMemory`` when the pool has no page to put where a page of the hypervisor was mapped; the domain stays shut down.
    ///
    /// Reference: Xen `public/sched.h`, `SHUTDOWN_soft_reset`.
    public func softReset() throws(DomainError) {
        resetEvents()
        for vcpu in vcpus { vcpu.softReset() }
        do throws(XenError) {
            try memoryState.withLock { (state) throws(XenError) in try state.softReset(memory) }
        } catch { throw .noMemory }
        sharedInfo.clear()
        control.withLock { control in
            control.latchedShutdownCode = nil
            for index in 0..<2 { control.watchdogs[index] = nil }
            control.parameters[HVMParameter.callbackIRQ] = 0
        }
        bindBuilderPorts()
        fillReservedGrants()
        writeWallClock()
        for vcpu in vcpus { vcpu.updateTime() }
        flushTLBs()
        revive()
    }
}

extension MemoryState {
    /// Empties the grant table and takes the hypervisor's pages out of the guest's map; RAM comes in their place, as in Xen.
    mutating func softReset(_ memory: GuestMemory) throws(XenError) {
        for handle in 0..<UInt32(grants.mappingCapacity) {
            guard let mapping = grants.mapping(handle) else { continue }
            grants.removeMapping(handle)
            memory.unmap(mapping.gfn)
            unpin(mapping.frame, memory)
        }
        for (frame, page) in special {
            guard let gfn = page.gfn else { continue }
            memory.unmap(gfn)
            special[frame] = SpecialPage()
            if totalPages < maximumPages { try populate(gfn, memory) }
        }
        for frame in grants.frames.dropFirst() {
            special[frame] = nil
            if pins[frame] != nil { abandoned.insert(frame) } else { memory.freeFrame(frame) }
        }
        SharedPlace(memory, grants.frames[0]).clear()
        grants = GrantTable(firstFrame: grants.frames[0], maximumFrames: grants.maximumFrames)
    }
}

extension VCPU {
    /// Forgets timers, areas and upcalls. A vCPU that waited goes on.
    func softReset() {
        let areas = clock.withLock { clock -> [VCPUClock.GuestArea] in
            defer { clock = VCPUClock(state: clock.runstate.state, now: domain.host.now()) }
            return [clock.runstateArea, clock.timeArea]
        }
        for case .place(let place) in areas { domain.unpin(place.frame) }
        if hasRegisteredInfo { domain.unpin(info.frame) }
        forgetGuestPlaces()
        if wait.exchange(.none, ordering: .sequentiallyConsistent) == .polling { endPoll() }
        _ = consumeNMI()
        clearLeave()
    }
}
