public import ControlProtocol
internal import Glibc

/// One living guest.
public typealias Guest = GuestRegistry.Entry

/// What can be asked of a living guest.
extension GuestRegistry.Entry {
    /// The guest's state.
    ///
    /// - Throws: an error when its process does not answer in time.
    public func status(timeoutMilliseconds: Int32 = 5000) throws(OperatorError) -> GuestStatus {
        guard case .status(let status) = try ask(.status, timeoutMilliseconds: timeoutMilliseconds) else {
            throw unexpectedAnswer
        }
        return status
    }

    /// Stops all vCPUs; harmless when they stand still.
    public func pause() throws(OperatorError) { _ = try ask(.pause) }

    /// Lets the vCPUs run; harmless when they run.
    public func unpause() throws(OperatorError) { _ = try ask(.unpause) }

    /// Asks the guest's kernel to shut itself down. It may take its time, or never do it.
    public func shutdown(_ mode: ShutdownMode) throws(OperatorError) { _ = try ask(.shutdown(mode)) }

    /// Ends the guest at once, and waits until nothing of it is left.
    ///
    /// - Parameter graceMilliseconds: a process that does not obey in this time is killed.
    /// - Throws: an error when even that does not help.
    public func destroy(graceMilliseconds: Int = 5000) throws(OperatorError) {
        let asked = (try? ask(.destroy)) != nil
        if asked, waitUntilGone(milliseconds: graceMilliseconds) { return }
        if !asked, waitUntilGone(milliseconds: 0) { return }
        if let processID = GuestProcess.find(directory: directory) { kill(processID, SIGKILL) }
        // The kernel may take its time to give a large guest's memory back.
        guard waitUntilGone(milliseconds: 60_000) else {
            throw OperatorError("the process of the guest \"\(description.name)\" does not end", remedy: "see `fuser \(directory)/lock'")
        }
        Files.removeDirectory(directory)
    }

    /// Whether the guest's process has ended, its directory with it; waits so long for it.
    ///
    /// How a guest ended is told before its process is through: for a moment the name is not free yet.
    public func waitUntilGone(milliseconds: Int) -> Bool {
        var waited = 0
        while true {
            if (try? GuestLock.isHeld(directory: directory)) != true {
                ChildProcesses.collect()
                return true
            }
            if waited >= milliseconds { return false }
            // Most guests are gone at once.
            let pause = min(20, 1 + waited / 4)
            usleep(UInt32(pause) * 1000)
            waited += pause
        }
    }

    /// Sends one request and waits for its reply.
    ///
    /// - Throws: what the guest's process refuses it for, or that it does not answer in time; nothing is known of the request then.
    func ask(_ request: ControlRequest, timeoutMilliseconds: Int32 = 30_000) throws(OperatorError) -> ControlReply {
        var client = try connect()
        do throws(ControlClientError) {
            return try client.ask(request, timeoutMilliseconds: timeoutMilliseconds)
        } catch .refused(let error) {
            // Codes of their own are for creation; whatever a living guest cannot do is a plain failure.
            throw OperatorError(error.cause, remedy: error.remedy)
        } catch {
            throw noAnswer(error == .timeout ? "no reply within \(timeoutMilliseconds / 1000) s" : "\(error)")
        }
    }

    private func connect() throws(OperatorError) -> ControlClient {
        do throws(SystemError) {
            return try ControlClient(directory: directory)
        } catch {
            throw noAnswer(error.sentence)
        }
    }

    private func noAnswer(_ why: String) -> OperatorError {
        OperatorError(
            "the guest \"\(description.name)\" does not answer: \(why)",
            remedy: "it may still be starting; `martlet destroy \(domainID)' ends it in any case")
    }

    var unexpectedAnswer: OperatorError {
        OperatorError("the process of the guest \"\(description.name)\" gave an answer that does not fit the question")
    }
}
