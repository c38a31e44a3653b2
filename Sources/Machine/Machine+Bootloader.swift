import Bootloader
import ControlProtocol
import Synchronization

/// The boot loader before lives after the first: nobody sits at its terminal, and it may not take for ever.
extension Machine {
    private static let bootloaderTimeoutMilliseconds: Int64 = 60_000

    /// - Throws: an error that names the program; no file of it is left then.
    static func runBootloader(
        _ description: GuestDescription, _ bootloader: BootloaderDescription, _ directory: GuestDirectory,
        _ cancellation: Cancellation = Cancellation()
    ) throws(OperatorError) -> BootloaderResult {
        var console = BootloaderConsole()
        console.isInterrupted = { cancellation.isCancelled }
        console.timeoutMilliseconds = bootloaderTimeoutMilliseconds
        return try BootloaderRun(description, bootloader, directory: directory.path).run(console)
    }

    /// Finds the next life's kernel on a thread of its own, then goes on.
    func runBootloader(then next: @escaping (Machine) -> Void) {
        guard let bootloader = description.bootloader else { return next(self) }
        log.write("the boot loader \(bootloader.program) looks for the kernel")
        let (description, directory) = (description, directory)
        let found = FoundBoot()
        _ = inBackground { (cancellation) throws(OperatorError) in
            found.set(try Self.runBootloader(description, bootloader, directory, cancellation))
            return .ok
        } completion: { [self] reply in
            // Somebody may have destroyed the guest meanwhile.
            guard end == nil else { return }
            if case .error(let error) = reply { return giveUp(error) }
            self.description.bootloader?.found = found.result
            next(self)
        }
    }

    /// The guest has been built: what it was built from is not needed any more.
    func forgetBootFiles() {
        guard description.bootloader?.found != nil else { return }
        BootloaderRun.removeLeftovers(in: directory.path)
        description.bootloader?.found = nil
        // The old text names files that are gone, which the next life does not ask for.
        do throws(OperatorError) { try directory.write(description) } catch { log.write(error.cause) }
    }
}

/// Carries a result from one thread to another.
private final class FoundBoot: Sendable {
    private let value = Mutex<BootloaderResult?>(nil)

    func set(_ result: BootloaderResult) { value.withLock { $0 = result } }
    var result: BootloaderResult? { value.withLock { $0 } }
}
