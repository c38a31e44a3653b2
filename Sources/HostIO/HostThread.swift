// For this compiler pthread_attr_t is of whichever module it meets first.
internal import CLinux
import Glibc

/// A plain thread of the host with a bounded stack.
@safe
public final class HostThread: @unchecked Sendable {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private let handle: pthread_t

    /// Starts the thread. It has to be joined.
    ///
    /// - Parameter stackByteCount: a multiple of the page size; only what is touched costs memory.
    /// - Throws: ``HostError`` when the host refuses; `body` never runs then.
    public init(stackByteCount: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) throws(HostError) {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setstacksize(&attributes, stackByteCount)
        let context = unsafe Unmanaged.passRetained(Body(body))
        var handle = pthread_t()
        let code = unsafe pthread_create(
            &handle, &attributes,
            { context in
                let body = unsafe Unmanaged<Body>.fromOpaque(context!).takeRetainedValue()
                body.run()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            unsafe context.release()
            throw HostError("pthread_create", code)
        }
        self.handle = handle
    }

    /// Waits for the thread's end. Exactly once.
    public func join() { pthread_join(handle, nil) }
}
