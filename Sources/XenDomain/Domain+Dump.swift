import GuestMemory
import LocalAPIC
import Synchronization
import XenABI

/// The domain's state as lines for the hypervisor's log: what `xl debug-keys` prints. A snapshot, taken while the guest runs.
extension Domain {
    /// The domain, its memory and its vCPUs (Xen's key `q`).
    public func describeState() -> [String] {
        let pages = memoryState.withLock { ($0.totalPages, $0.maximumPages, $0.demandPages, $0.pins.count) }
        let reason = shutdownReason.map { "\($0.rawValue)" } ?? "none"
        return [
            "General information for domain \(configuration.domainID):",
            "    nr_pages=\(pages.0) max_pages=\(pages.1) demand_pages=\(pages.2) pinned_pages=\(pages.3)",
            "    PoD entries=\(memory.demand.frames) cachesize=\(memory.demand.stock)",
            "    paused=\(isPaused ? 1 : 0) shutdown=\(reason) abi=\(is32Bit ? 32 : 64)",
            "VCPU information for domain \(configuration.domainID):",
        ] + vcpus.flatMap { $0.describeState() }
    }

    /// Every port in use (Xen's key `e`).
    public func describeEvents() -> [String] {
        let (rows, kind) = events.withLock { events in
            let rows = events.channels.indices.compactMap { port -> String? in
                let channel = events.channels[port]
                guard let what = describe(channel.kind) else { return nil }
                let flags = "[\(isPending(port, events) ? 1 : 0)/\(isMasked(port, events) ? 1 : 0)]"
                return "    \(aligned(port, 5)) \(flags): vcpu=\(channel.vcpu) \(what)"
            }
            return (rows, events.isFIFO ? "FIFO" : "two-level")
        }
        return ["Event channel information for domain \(configuration.domainID) (\(kind) ABI):", "     port [p/m]"] + rows
    }

    private func describe(_ kind: EventChannel.Kind) -> String? {
        switch kind {
        case .free, .reserved: nil
        case .unbound(let remote): "unbound, for domain \(remote)"
        case .interdomain(let remote, let port): "domain \(remote) port \(port)"
        case .virq(let number): "virq \(number)"
        case .ipi: "ipi"
        }
    }

    /// The grant table and its entries in use (Xen's key `g`).
    public func describeGrants() -> [String] {
        memoryState.withLock { state in
            let grants = state.grants
            let head =
                "grant-table for domain \(configuration.domainID) (v1): \(grants.frames.count) frames (\(grants.maximumFrames) max), "
                + "\(grants.mappingCount) mappings of its own"
            let rows = grants.activeEntries.map { entry in
                let word = grants.entry(entry.reference, memory).map { ($0.load32(0), $0.load32(4)) } ?? (0, 0)
                return "[\(hex(UInt64(entry.reference), 3))] domain \(word.0 >> 16) gfn \(hex(UInt64(word.1), 6)) "
                    + "flags \(hex(UInt64(word.0 & 0xffff), 2)) readers \(entry.users.readers) writers \(entry.users.writers)"
            }
            return [head] + (rows.isEmpty ? ["no active grant table entries"] : rows)
        }
    }

    /// Every timer that is set (Xen's key `a`).
    public func describeTimers() -> [String] {
        let now = host.now()
        let watchdogs = control.withLock { control in (0..<2).compactMap { control.watchdogs[$0] } }
        return ["Timers of domain \(configuration.domainID), now \(now):"]
            + vcpus.flatMap { $0.describeTimers() }
            + watchdogs.map { "    watchdog ex=\($0)" }
    }
}

extension VCPU {
    fileprivate func describeState() -> [String] {
        let states = ["running", "runnable", "blocked", "offline"]
        let state = clock.withLock { states[Int($0.runstate.state & 3)] }
        let ports = polledPorts.withLock { $0.map(String.init).joined(separator: ",") }
        let apic = lapic.withLock { "apic=\($0.isX2APIC ? "x2" : "x")\($0.isEnabled ? "" : ", off")" }
        return [
            "    VCPU\(index): \(isOnline ? state : "down") poll=[\(ports)] upcall_pend=\(upcallIsPending ? 1 : 0) "
                + "nmi_pend=\(nmiIsPending ? 1 : 0) \(apic)"
        ]
    }

    fileprivate func describeTimers() -> [String] {
        let (clock, apic) = (clock.withLock { $0 }, lapic.withLock { $0.timerDeadline })
        let all = [
            ("singleshot", clock.singleshot), ("set_timer_op", clock.setTimer), ("periodic", clock.periodic), ("poll", clock.poll),
            ("apic", apic),
        ]
        return all.compactMap { name, time in time.map { "    VCPU\(index) \(name) ex=\($0)" } }
    }
}

private func aligned(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: " ", count: max(0, width - digits.count)) + digits
}

private func hex(_ number: UInt64, _ width: Int) -> String {
    let digits = String(number, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, width - digits.count)) + digits
}
