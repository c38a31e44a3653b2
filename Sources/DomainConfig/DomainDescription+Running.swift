extension DomainDescription {
    /// The configuration as libxl keeps it of a running guest: what was made up at the creation is in it, so that a restart gives the same
    /// guest.
    ///
    /// - Parameters:
    ///   - uuid: the guest's.
    ///   - macs: the addresses of the interfaces, in their order.
    public func asRunning(uuid: String, macs: [String]) -> DomainDescription {
        var running = self
        running.uuid = uuid
        running.vcpus = effectiveVCPUs
        running.maxVCPUs = effectiveMaxVCPUs
        running.memoryKiB = effectiveMemoryKiB
        running.maxMemoryKiB = effectiveMaxMemoryKiB
        running.msrRelaxed = msrRelaxed ?? false
        for (index, mac) in macs.enumerated() where running.networks.indices.contains(index) {
            running.networks[index].device.mac = mac
            running.networks[index].device.kind = networks[index].device.kind ?? .vif
        }
        for index in running.disks.indices { running.disks[index].device.isRestoredReplica = false }
        // libxl writes the domain ID as it was before the creation: none.
        running.inert.creation["domid"] = .number(Int64(UInt32.max))
        running.inert.build["video_memkb"] = inert.build["video_memkb"] ?? .number(0)
        let scheduling: [String: JSONText] = ["sched": .string("credit2"), "weight": .number(256), "cap": .number(0)]
        running.inert.scheduling.merge(scheduling) { given, _ in given }
        return running
    }
}
