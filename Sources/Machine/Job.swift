import ControlProtocol
import HostIO
import Synchronization

/// Work for a client on a thread of its own.
struct Job {
    let reply: PendingReply
    let thread: HostThread?
    /// Makes work that takes long give up; what was under way is undone.
    let cancellation: Cancellation
    /// Runs on the machine's thread once the reply is there.
    let completion: (ControlReply) -> Void
}

/// A flag that work asks for now and then.
final class Cancellation: Sendable {
    private let flag = Atomic(false)

    func cancel() { flag.store(true, ordering: .relaxed) }
    var isCancelled: Bool { flag.load(ordering: .relaxed) }
}

extension Machine {
    /// Lets another thread find the reply, so that everybody else is served meanwhile.
    ///
    /// - Parameters:
    ///   - work: on a thread of its own; an error becomes the reply.
    ///   - completion: on the machine's thread, before the client gets the reply.
    func inBackground(
        _ work: @escaping @Sendable (Cancellation) throws(OperatorError) -> ControlReply,
        completion: @escaping (ControlReply) -> Void = { _ in }
    ) -> Answer {
        let reply = PendingReply(wakeUp: wakeUp)
        let cancellation = Cancellation()
        do throws(HostError) {
            let thread = try HostThread {
                do throws(OperatorError) { reply.finish(try work(cancellation)) } catch { reply.finish(.error(error)) }
            }
            jobs.append(Job(reply: reply, thread: thread, cancellation: cancellation, completion: completion))
            return .later(reply)
        } catch {
            let refusal = ControlReply.error(OperatorError("the host gives no thread: \(error)", remedy: "raise ulimit -u"))
            completion(refusal)
            return .reply(refusal)
        }
    }

    /// Takes over what other threads have finished.
    func finishJobs() {
        let finished = jobs.filter { $0.reply.finished != nil }
        jobs.removeAll { $0.reply.finished != nil }
        for job in finished { end(job) }
    }

    /// Ends all work for clients, before the life it works on ends.
    func endJobs() {
        for job in jobs { job.cancellation.cancel() }
        for job in jobs { end(job) }
        jobs = []
    }

    private func end(_ job: Job) {
        job.thread?.join()
        if let reply = job.reply.finished { job.completion(reply) }
    }
}
