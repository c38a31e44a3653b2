import ControlProtocol
import Glibc
import XenABI
import XenDomain

/// What control requests do. All of it happens on the machine's thread; what takes long goes to another one.
extension Machine {
    func answer(_ request: ControlRequest) -> Answer {
        do throws(OperatorError) {
            return try act(on: request) ?? .reply(.ok)
        } catch {
            return .reply(.error(error))
        }
    }

    /// - Returns: nil for plain success.
    private func act(on request: ControlRequest) throws(OperatorError) -> Answer? {
        switch request {
        case .hello: return .reply(.hello(domainID: description.domainID, name: description.name))
        case .status: return .reply(.status(status))
        case .description: return .reply(.description(description))
        case .wait: return .atEnd
        case .destroy: destroy("a request")
        case .pause: pause()
        case .unpause: unpause()
        case .shutdown(let mode): try requestShutdown(mode)
        case .sysrq(let letter): try sendSysRq(letter)
        case .trigger(let trigger, let vcpu): try raise(trigger, vcpu: vcpu)
        case .hypervisorLog(let clears): return .reply(.log(hypervisorRing.text(clears: clears)))
        case .debugKeys(let keys): try printDebugKeys(keys)
        case .dumpCore(let path): return try dumpCore(path)
        case .devices: return .reply(.devices(life?.devices.status ?? []))
        default: return try change(request)
        }
        return nil
    }

    private func change(_ request: ControlRequest) throws(OperatorError) -> Answer? {
        switch request {
        case .rename(let name): try rename(name)
        case .setMemoryTarget(let kib): try setMemoryTarget(kib: kib)
        case .setMaxMemory(let kib): try setMaxMemory(kib: kib)
        case .setVCPUs(let count): try setVCPUs(count)
        case .setAffinity(let vcpu, let hard, let soft): try setAffinity(vcpu: vcpu, hard: hard, soft: soft)
        case .updateDescription(let new): try update(new)
        case .attachDisk(let disk): return try attach(disk)
        case .attachNetwork(let network): return try attach(network)
        case .detach(let kind, let id, let forced): return try detach(kind: kind, id: id, forced: forced)
        case .resizeDisk(let id): return try resizeDisk(id)
        default: throw OperatorError("this version does not answer \"\(request.word)\"")
        }
        return nil
    }

    /// The life requests act on.
    ///
    /// - Throws: an error when the guest has shut down.
    func runningLife() throws(OperatorError) -> Life {
        guard life != nil || end != nil else { throw Self.isBetweenLives(description.name) }
        guard let life, keptReason == nil else {
            throw OperatorError("the guest \(description.name) is not running", remedy: "it has shut down; `destroy' removes it")
        }
        return life
    }

    static func isBetweenLives(_ name: String) -> OperatorError {
        OperatorError("the guest \(name) is being restarted", remedy: "try again in a moment")
    }

    // MARK: - signals to the guest

    private func requestShutdown(_ mode: ShutdownMode) throws(OperatorError) {
        guard mode != .suspend else {
            throw OperatorError("this version cannot resume a guest that suspended", remedy: "use pause instead")
        }
        let life = try runningLife()
        try life.write([("\(life.home)/control/shutdown", mode.rawValue)])
        log.write("the guest was asked to shut down (\(mode.rawValue))")
    }

    private func sendSysRq(_ letter: String) throws(OperatorError) {
        guard letter.utf8.count == 1, let byte = letter.utf8.first, (0x21..<0x7f).contains(byte) else {
            throw OperatorError(
                "sysrq \"\(letter)\": not one character", remedy: "give a letter or digit; h makes Linux list them", code: .usage)
        }
        let life = try runningLife()
        try life.write([("\(life.home)/control/sysrq", letter)])
        log.write("the guest was sent SysRq \(letter)")
    }

    private func raise(_ trigger: Trigger, vcpu: Int) throws(OperatorError) {
        let life = try runningLife()
        switch trigger {
        case .nmi:
            guard life.domain.vcpus.indices.contains(vcpu) else {
                throw OperatorError(
                    "the guest has no vCPU \(vcpu)", remedy: "there are 0 to \(life.domain.vcpus.count - 1)", code: .invalid)
            }
            life.domain.sendNMI(to: vcpu)
        case .reset: life.domain.shutdown(.reboot)
        case .initialise:
            throw OperatorError("a PVH guest has no firmware that an INIT could start", remedy: "use reset to start it anew")
        case .power, .sleep:
            throw OperatorError("a PVH guest has no ACPI \(trigger.rawValue) button", remedy: "use shutdown, which asks by xenstore")
        case .s3resume: throw OperatorError("a PVH guest has no ACPI sleep state to resume from")
        }
        log.write("trigger \(trigger.rawValue) was raised on vCPU \(vcpu)")
    }
}
