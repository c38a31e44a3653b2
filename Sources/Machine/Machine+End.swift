import BlockBackend
import ControlProtocol
import Glibc
import HostIO
import XenABI
import XenDomain

/// What happens when the guest stops: xl's rules, with xl's lines in the log.
extension Machine {
    /// The first line of every life's log.
    func announceLife() {
        log.write("Waiting for domain \(description.name) (domid \(description.domainID)) to die [pid \(getpid())]")
    }

    func noteShutdown() {
        guard end == nil, keptReason == nil, let life, let code = life.domain.shutdownReason else { return }
        let reason = ControlProtocol.ShutdownReason(rawValue: code.rawValue)
        log.write("Domain \(description.domainID) has shut down, reason code \(reason.rawValue) 0x\(String(reason.rawValue, radix: 16))")
        if life.domain.hasTripleFaulted { log.write("the guest's processor stopped with a triple fault") }
        guard let action = EndPolicy(description).action(for: reason) else {
            life.halt()
            log.write("Domain has suspended.")
            return keep(reason)
        }
        if !EndPolicy.knows(reason) { log.write("Unknown shutdown reason code \(reason.rawValue). Destroying domain.") }
        log.write("Action for shutdown reason code \(reason.rawValue) is \(action.rawValue)")
        // Nobody else gets the disks of a guest that goes on.
        if action.keepsDisks { surroundings.shelf.open() }
        guard action != .softReset else { return softReset(life) }
        life.halt()
        follow(action, reason)
    }

    private func follow(_ action: EndAction, _ reason: ControlProtocol.ShutdownReason) {
        switch action {
        case .destroy: cleanUp(reason)
        case .restart: restart(after: reason)
        case .preserve: keep(reason)
        case .coredumpDestroy: dumpCore(reason) { $0.cleanUp(reason) }
        case .coredumpRestart: dumpCore(reason) { $0.restart(after: reason) }
        case .renameRestart: renameAndRestart(reason)
        case .softReset: preconditionFailure("a soft reset keeps the life and is done before")
        }
    }

    private func cleanUp(_ reason: ControlProtocol.ShutdownReason) {
        log.write("Domain \(description.domainID) needs to be cleaned up: destroying the domain")
        log.write("Done. Exiting now")
        end = .shutdown(reason: reason)
    }

    /// The guest stays, shut down, until somebody destroys it.
    private func keep(_ reason: ControlProtocol.ShutdownReason) {
        keptReason = reason
        log.write("Done. Exiting now")
    }

    // MARK: - core dumps

    /// Writes a core, then goes on. A core that cannot be written is logged and changes nothing, as with xl.
    private func dumpCore(_ reason: ControlProtocol.ShutdownReason, then next: @escaping (Machine) -> Void) {
        keptReason = reason
        guard let life, let path = EndPolicy(description).corePath else {
            log.write("core dump failed: there is no directory for it, because the guest has no log")
            return proceed(next)
        }
        log.write("dumping core to \(path)")
        let core = life.core
        _ = inBackground { (cancellation) throws(OperatorError) in
            try core.write(to: path, cancellation)
            return .ok
        } completion: { [self] reply in
            if case .error(let error) = reply { log.write("core dump failed: \(error.cause)") }
            proceed(next)
        }
    }

    private func proceed(_ next: (Machine) -> Void) {
        // Somebody may have destroyed the guest meanwhile.
        guard end == nil else { return }
        keptReason = nil
        next(self)
    }

    // MARK: - restarts

    private func restart(after reason: ControlProtocol.ShutdownReason) {
        log.write("Domain \(description.domainID) needs to be cleaned up: destroying the domain")
        guard mayRestart(reason) else { return }
        log.write("Done. Rebooting now")
        letGo()
        restartDue = max(monotonicNanoseconds(), lifeBegan + Self.restartMilliseconds * 1_000_000)
    }

    private func mayRestart(_ reason: ControlProtocol.ShutdownReason) -> Bool {
        guard !restartLimit.allowsRestart(afterNanoseconds: monotonicNanoseconds() - lifeBegan) else { return true }
        log.write(
            "the guest stopped \(RestartLimit.shortLives) times in a row within \(RestartLimit.shortLifeMilliseconds / 1000) seconds: "
                + "it is not started again")
        end = .shutdown(reason: reason)
        return false
    }

    /// The time has come to build the guest again, under a new domain ID as on Xen.
    func restartNow() {
        do throws(OperatorError) {
            guard try moveToNewDomainID() else {
                // Somebody else holds the runtime directory's lock for a moment.
                restartDue = monotonicNanoseconds() + 20_000_000
                return
            }
            restartDue = nil
            maxMemoryKiB = nil
            guard description.bootloader == nil else { return runBootloader { $0.buildAgain() } }
            buildAgain()
        } catch {
            restartDue = nil
            giveUp(error)
        }
    }

    private func buildAgain() {
        do throws(OperatorError) {
            let next = try Life(surroundings)
            surroundings.shelf.clear()
            begin(next)
            if !isPaused { next.unpause() }
        } catch {
            giveUp(error)
        }
    }

    func giveUp(_ error: OperatorError) {
        log.write("the guest cannot be started anew: \(error.cause)")
        end = .failed(message: error.cause)
    }

    /// - Returns: false when it has to be tried again.
    private func moveToNewDomainID() throws(OperatorError) -> Bool {
        guard let parent = directory.parent(of: description.domainID) else { return true }
        do throws(SystemError) {
            let lock = try GuestLock.take(directory: parent, waiting: false)
            defer { extendLifetime(lock) }
            var new = description
            new.domainID = try RuntimeDirectory.nextDomainID(in: parent)
            let place = GuestDirectory("\(parent)/\(new.domainID)")
            try HostFile.replace(directory.path(of: GuestDescription.fileName), with: new.json())
            guard unsafe Glibc.rename(directory.path, place.path) == 0 else { throw SystemError("rename", directory.path, errno: errno) }
            directory = place
            description = new
            return true
        } catch {
            if error.errno == EWOULDBLOCK { return false }
            throw OperatorError("the guest gets no new domain ID: \(error.sentence)", code: .creationFailed)
        }
    }

    // MARK: - soft reset

    /// The guest's memory and vCPUs go on; all it agreed upon with the hypervisor, xenstore and devices begins anew.
    private func softReset(_ life: Life) {
        endJobs()
        do throws(OperatorError) {
            try life.softReset(surroundings)
            surroundings.shelf.clear()
            log.write("Done. Rebooting now")
            announceLife()
        } catch {
            log.write("the soft reset failed: \(error.cause)")
            life.halt()
            end = .failed(message: error.cause)
        }
    }
}

extension EndAction {
    /// Whether another life follows, which is to have the disks.
    fileprivate var keepsDisks: Bool { [.restart, .coredumpRestart, .renameRestart, .softReset].contains(self) }
}
