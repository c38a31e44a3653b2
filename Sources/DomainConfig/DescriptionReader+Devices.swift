extension DescriptionReader {
    mutating func readDevices(_ description: inout DomainDescription) {
        readDisks(&description)
        readNetworks(&description)
    }

    private mutating func readDisks(_ description: inout DomainDescription) {
        for (text, place) in reader.strings("disk") {
            do throws(SpecificationError) {
                let disk = try DiskSpecification(parsing: text)
                report(disk.concerns, "disk", disk.vdev, at: place)
                description.disks.append(Placed(disk, at: place))
            } catch {
                reader.report(.error, at: place, "disk \"\(text)\": \(error.cause)", remedy: error.remedy)
            }
        }
        refuseTwins(description.disks)
    }

    /// One device number can stand for one disk only, and two writers of one image destroy it.
    private mutating func refuseTwins(_ disks: [Placed<DiskSpecification>]) {
        for (index, disk) in disks.enumerated() {
            guard let place = disk.place else { continue }
            let earlier = disks[..<index].map(\.device)
            if let number = disk.device.number, let twin = earlier.first(where: { $0.number == number }) {
                reader.report(
                    .refusal, at: place, "disk \(disk.device.vdev): another disk has this name already, \(twin.target ?? "an empty drive")",
                    remedy: "give each disk a vdev of its own", exitCode: ConfigDiagnostic.creationFailed)
            }
            if let target = disk.device.target, !target.isEmpty,
                earlier.contains(where: { $0.target == target && ($0.isWritable || disk.device.isWritable) })
            {
                reader.report(
                    .refusal, at: place, "disk \(disk.device.vdev): \(target) is given twice, and not only for reading",
                    remedy: "give the guest one disk of it, or make all of them read-only", exitCode: ConfigDiagnostic.creationFailed)
            }
        }
    }

    private mutating func readNetworks(_ description: inout DomainDescription) {
        for (index, (text, place)) in reader.strings("vif").enumerated() {
            do throws(SpecificationError) {
                let (network, warnings) = try NetworkSpecification.parse(text, deviceID: UInt32(index))
                report(warnings + network.concerns, "vif", "\(network.deviceID)", at: place)
                if description.networks.contains(where: { $0.device.deviceID == network.deviceID }) {
                    reader.report(
                        .error, at: place, "vif \"\(text)\": another interface is number \(network.deviceID) already",
                        remedy: "give this one another devid=")
                }
                description.networks.append(Placed(network, at: place))
            } catch {
                reader.report(.error, at: place, "vif \"\(text)\": \(error.cause)", remedy: error.remedy)
            }
        }
    }

    private mutating func report(_ concerns: [SpecificationConcern], _ key: String, _ device: String, at place: ConfigPlace) {
        for concern in concerns {
            reader.report(
                concern.severity, at: place, "\(key) \(device): \(concern.cause)", remedy: concern.remedy, exitCode: concern.exitCode)
        }
    }
}
