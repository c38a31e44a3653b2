internal import Bootloader
internal import ControlProtocol
internal import DomainConfig
internal import Glibc

extension GuestCreation {
    /// Runs the guest's boot loader, if it has one, and writes what it found into the guest's description.
    ///
    /// - Throws: an error that names file, line and program; a signal ends the program and this with it.
    func runBootloader(
        _ reservation: borrowing GuestRegistry.Reservation, _ domain: DomainDescription, _ options: CreationOptions
    ) throws(OperatorError) {
        var guest = reservation.description
        guard let bootloader = guest.bootloader else { return }
        guard let signals = SignalPipe() else { throw OperatorError("no pipe can be made: \(SystemError.text(errno))") }
        let terminal = options.showsBootloader ? RawTerminal(0) : nil
        var console = BootloaderConsole()
        console.isInterrupted = { signals.take() != nil }
        if options.showsBootloader { console.show = { try? Files.writeAll(1, $0, subject: "standard output") } }
        // What comes out of a pipe is meant for the guest.
        if terminal != nil { console.input = 0 }
        defer { extendLifetime(terminal) }
        do throws(OperatorError) {
            let found = try BootloaderRun(guest, bootloader, directory: reservation.directory).run(console)
            guest.bootloader?.found = found
        } catch {
            throw OperatorError(domain.prefix("bootloader") + error.cause, remedy: error.remedy, code: error.code)
        }
        do throws(SystemError) {
            try Files.write("\(reservation.directory)/\(GuestDescription.fileName)", guest.json())
        } catch {
            throw OperatorError("the guest's directory cannot be written: \(error.sentence)", code: .creationFailed)
        }
    }
}
