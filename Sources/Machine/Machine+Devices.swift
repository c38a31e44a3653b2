import ControlProtocol

/// Devices that come and go while the guest runs; a restart has those that are there.
extension Machine {
    func attach(_ disk: DiskDescription) throws(OperatorError) -> Answer {
        let devices = try runningLife().devices
        return inBackground { (_) throws(OperatorError) in
            try devices.attach(disk)
            return .ok
        } completion: { [self] reply in
            keep(reply) { $0.disks.append(disk) }
        }
    }

    func attach(_ network: NetworkDescription) throws(OperatorError) -> Answer {
        throw OperatorError("this version does not attach network interfaces", code: .invalid)
    }

    func detach(kind: String, id: UInt32, forced: Bool) throws(OperatorError) -> Answer {
        let devices = try runningLife().devices
        return inBackground { (_) throws(OperatorError) in
            try devices.detach(kind: kind, id: id, forced: forced)
            return .ok
        } completion: { [self] reply in
            keep(reply) { new in
                if kind == "vbd" { new.disks.removeAll { $0.deviceNumber == id } }
                if kind == "vif" { new.networks.removeAll { $0.handle == id } }
            }
        }
    }

    func resizeDisk(_ id: UInt32) throws(OperatorError) -> Answer {
        let devices = try runningLife().devices
        return inBackground { (_) throws(OperatorError) in
            try devices.resizeDisk(id: id)
            return .ok
        }
    }

    /// Notes what has happened for a restart. The device is there or gone in any case: what cannot be written is logged.
    private func keep(_ reply: ControlReply, _ change: (inout GuestDescription) -> Void) {
        guard reply == .ok else { return }
        var new = description
        change(&new)
        do throws(OperatorError) { try save(new) } catch { log.write("a restart will not know of this change: \(error.cause)") }
    }
}
