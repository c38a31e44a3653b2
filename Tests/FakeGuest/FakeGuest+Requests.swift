import ControlProtocol
import Glibc

/// What a guest's process answers, as far as a guest without a machine can.
extension FakeGuest {
    func reply(to request: ControlRequest) -> ControlReply {
        switch request {
        case .hello: return .hello(domainID: description.domainID, name: description.name)
        case .status: return .status(status)
        case .description: return .description(description)
        case .devices: return .devices(devices)
        case .pause: paused = true
        case .unpause: paused = false
        case .destroy, .shutdown, .wait: break
        case .rename(let name): description.name = name
        case .updateDescription(let new): description = new
        default: return change(request) ?? device(request)
        }
        return .ok
    }

    private func change(_ request: ControlRequest) -> ControlReply? {
        switch request {
        case .setMemoryTarget(let kib):
            description.memoryKiB = kib
            memoryKiB = kib
        case .setMaxMemory(let kib): description.maxMemoryKiB = kib
        case .setVCPUs(let count): description.vcpus = count
        case .setAffinity(let vcpu, let hard, let soft):
            affinities[vcpu] = (hard ?? affinities[vcpu]?.hard, soft ?? affinities[vcpu]?.soft)
        case .sysrq(let letter): log += "(XEN) sysrq \(letter)\n"
        case .trigger(.reset, _): shutDown(.reboot)
        case .trigger(let trigger, let vcpu):
            guard trigger == .nmi else {
                return .error(OperatorError("a PVH guest has no \(trigger.rawValue)", remedy: "it takes nmi"))
            }
            log += "(XEN) nmi \(vcpu)\n"
        case .debugKeys(let keys): log += "(XEN) keys \(keys)\n"
        case .hypervisorLog(let clears):
            defer { if clears { log = "" } }
            return .log(log)
        case .dumpCore(let path):
            let file = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
            guard file >= 0 else { return .error(OperatorError("\(path): \(SystemError.text(errno))", remedy: "name a new file")) }
            close(file)
        default: return nil
        }
        return .ok
    }

    private func device(_ request: ControlRequest) -> ControlReply {
        switch request {
        case .attachDisk(let disk): description.disks.append(disk)
        case .attachNetwork(let network): description.networks.append(network)
        case .detach(let kind, let id, _):
            if kind == "vbd" { description.disks.removeAll { $0.deviceNumber == id } }
            if kind == "vif" { description.networks.removeAll { $0.handle == id } }
        case .resizeDisk(let id): log += "(XEN) resize \(id)\n"
        default: return .error(OperatorError("this guest does not answer \"\(request.word)\""))
        }
        return .ok
    }

    private var devices: [DeviceStatus] {
        let back = "/local/domain/0/backend"
        let disks = description.disks.enumerated().map { index, disk in
            var device = DeviceStatus(
                kind: "vbd", id: disk.deviceNumber, state: 4, backendPath: "\(back)/vbd/\(description.domainID)/\(disk.deviceNumber)")
            device.eventChannels = [index == 0 ? 13 : 8]
            device.ringReferences = [index == 0 ? 8 : 556]
            device.requestsIn = 3
            device.bytesIn = 4096
            return device
        }
        let networks = description.networks.enumerated().map { index, network in
            var device = DeviceStatus(
                kind: "vif", id: network.handle, state: 4, backendPath: "\(back)/vif/\(description.domainID)/\(network.handle)")
            device.eventChannels = [14, 15]
            device.ringReferences = index == 0 ? [522, 523] : [1068, 1069]
            device.mac = network.mac
            device.bytesOut = 2048
            return device
        }
        return disks + networks
    }
}
