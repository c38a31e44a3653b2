public import ControlProtocol
public import DomainConfig

extension GuestCreation {
    /// Replaces what a restart builds and `list -l` shows. Name, UUID, domain ID, engine and logs stay those of the guest.
    ///
    /// - Throws: an error when the configuration cannot be one of a guest here; what was stored stays then.
    public func update(_ guest: GuestRegistry.Entry, with domain: DomainDescription) throws(OperatorError) {
        let current = try guest.currentDescription()
        var description = try describe(domain, CreationOptions())
        description.domainID = current.domainID
        description.name = current.name
        description.uuid = current.uuid
        description.engine = current.engine
        description.timeoutSeconds = current.timeoutSeconds
        description.logPath = current.logPath
        description.consoleLogPath = current.consoleLogPath
        description.coreDumpPath = current.coreDumpPath
        _ = try guest.ask(.updateDescription(description))
        let running = domain.asRunning(uuid: current.uuid, macs: description.networks.map(\.mac))
        let text = running.json(uuid: current.uuid).text() + "\n"
        do throws(SystemError) {
            try Files.write("\(guest.directory)/\(Self.configurationFileName)", Array(text.utf8))
        } catch {
            throw OperatorError(
                "the directory of \"\(current.name)\" cannot be written: \(error.sentence)", remedy: "it may have just ended")
        }
    }
}
