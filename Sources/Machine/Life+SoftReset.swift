import ControlProtocol
import GuestMemory
import HostIO
import XenABI
import XenBus
import XenDomain
import XenStoreServer

/// What a kernel started by kexec finds.
extension Life {
    /// Lets a domain that shut down go on with its memory and its vCPUs, as a kernel started by kexec expects it: a new xenstore and
    /// new devices, rings and ports as at the start.
    ///
    /// - Throws: an error for the operator; ``halt()`` and ``close()`` are still to be called then.
    func softReset(_ around: Surroundings) throws(OperatorError) {
        for thread in threads { thread.join() }
        devices.close()
        console.disconnect()
        store.stop()
        do throws(DomainError) { try domain.softReset() } catch {
            throw OperatorError("the guest's memory has no room for a soft reset: \(error)", code: .noMemory)
        }
        try clearRings()
        store = try Self.makeStore(around, domain, frames)
        devices = try Devices(description, domain: domain, store: store, around)
        renewEngines(around)
        try connect()
        do throws(HostError) {
            try store.start()
            try devices.start()
            try startVCPUs()
        } catch {
            throw OperatorError("the guest's threads cannot be started: \(error)", remedy: "raise ulimit -u", code: .creationFailed)
        }
    }

    /// What engines have decoded of the old kernel is of no use to the new one, and would only make its stores slow.
    private func renewEngines(_ around: Surroundings) {
        earlierInstructions = instructionCount
        memory.removeObservers()
        threads = threads.map { $0.successor(with: Self.makeEngine($0.vcpu, $0.registerState, around)) }
    }

    private func clearRings() throws(OperatorError) {
        for frame in [frames.store, frames.console] {
            do throws(GuestMemoryError) {
                try memory.write(GuestPhysicalAddress(GuestFrameNumber(frame)), bytes: [UInt8](repeating: 0, count: GuestMemory.pageSize))
            } catch {
                throw OperatorError("the guest has given up the page of a ring (\(GuestFrameNumber(frame)))", code: .creationFailed)
            }
        }
    }
}
