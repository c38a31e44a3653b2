public import ControlProtocol
import Glibc
import HostIO

/// The process of one guest, from its start to its end: what `martlet-guest` does.
///
/// Reference: docs/guest-process.md.
public enum GuestProcess {
    /// Builds and runs the guest of a directory.
    ///
    /// - Parameter report: gets the one report; false means that the creator is gone.
    /// - Returns: the exit code: 0 when the guest was built, whatever became of it.
    public static func run(directory: String, report: (StartupReport) -> Bool) -> Int32 {
        let place = GuestDirectory(directory)
        do throws(SystemError) {
            let lock = try GuestLock.adopt(directory: directory)
            defer { extendLifetime(lock) }
            return serve(place, report)
        } catch {
            let remedy = error.errno == EWOULDBLOCK ? "another process runs this guest" : "give the directory of a guest"
            return refuse(
                OperatorError("the guest's lock cannot be taken: \(error.sentence)", remedy: remedy, code: .creationFailed), report)
        }
    }

    /// Whatever happens, the directory is gone afterwards.
    private static func serve(_ first: GuestDirectory, _ report: (StartupReport) -> Bool) -> Int32 {
        var place = first
        defer { place.remove() }
        do throws(OperatorError) {
            let description = try place.readDescription()
            let log = try open(description.logPath)
            return try serve(description, &place, log, report)
        } catch {
            return refuse(error, report)
        }
    }

    private static func serve(
        _ description: GuestDescription, _ place: inout GuestDirectory, _ log: GuestLog, _ report: (StartupReport) -> Bool
    ) throws(OperatorError) -> Int32 {
        let machine: Machine
        let signals: StopSignals
        do {
            signals = try StopSignals()
            machine = try Machine(description, directory: place, log: log)
        } catch {
            let error = error as? OperatorError ?? OperatorError("the guest's process cannot start: \(error)", code: .creationFailed)
            log.write(error.cause)
            throw error
        }
        let unmet = machine.unmetCPUID
        guard report(.ready(.init(processID: getpid(), engine: machine.engineName, unmetCPUID: unmet.isEmpty ? nil : unmet))) else {
            log.write("the creator is gone: the guest is destroyed")
            machine.abandon()
            return ExitCode.creationFailed.rawValue
        }
        let end = machine.run(untilReadable: signals.descriptor)
        place = machine.directory
        log.write("end: \(end.sentence)")
        return 0
    }

    private static func open(_ path: String?) throws(OperatorError) -> GuestLog {
        do {
            return try GuestLog(path: path)
        } catch {
            throw OperatorError("the guest's log cannot be opened: \(error)", code: .creationFailed)
        }
    }

    private static func refuse(_ error: OperatorError, _ report: (StartupReport) -> Bool) -> Int32 {
        _ = report(.error(error))
        return error.code.rawValue
    }
}

extension GuestEnd {
    /// A few words for logs.
    var sentence: String {
        switch self {
        case .shutdown(let reason): "the guest shut down (\(reason.word))"
        case .destroyed: "destroyed"
        case .timeout: "the time was over"
        case .failed(let message): message
        }
    }
}
