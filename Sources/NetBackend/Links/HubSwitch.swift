internal import Glibc
internal import HostIO

/// The server of a hub: a switch that learns at which port an address is. Its own guest is one port, the connections are the others.
final class HubSwitch {
    /// Addresses remembered; when they are more, all are learnt anew.
    static let maximumAddressCount = 1024
    static let maximumPortCount = 256

    private let path: String
    private let lock: Descriptor
    private let listener: Descriptor
    private var ports: [HubPort] = []
    /// The port of an address; nil is our own guest.
    private var table: [MACAddress: HubPort?] = [:]
    private var number: Int?

    /// - Parameter lock: proves that nobody else serves the path.
    init(_ path: String, lock: Descriptor) throws(HostError) {
        self.path = path
        self.lock = lock
        listener = try HubSocket.listen(path)
    }

    func prepare(_ poll: PollSet) {
        number = poll.add(listener.rawValue, POLLIN)
        for port in ports { port.prepare(poll, wantsFrames: true) }
    }

    /// - Parameter deliver: gets what is for our own guest.
    func serve(_ poll: PollSet, _ buffer: FrameBuffer, _ deliver: (Frame) -> Void) {
        for port in ports {
            port.serve(poll, buffer) { frame in
                if forward(frame, from: port) { deliver(frame) }
            }
        }
        removeEnded()
        guard let number, poll.events(number) & POLLIN != 0 else { return }
        while let client = HubSocket.accept(listener) {
            if ports.count < Self.maximumPortCount { ports.append(HubPort(client)) }
        }
    }

    /// Sends a frame to the ports it may be for.
    ///
    /// - Parameter source: nil is our own guest.
    /// - Returns: whether our own guest is to have it.
    @discardableResult
    func forward(_ frame: Frame, from source: HubPort?) -> Bool {
        learn(frame.source, source)
        let destination = frame.destination
        if !destination.isGroup, let known = table[destination] {
            guard let port = known else { return source != nil }
            if port !== source { _ = port.send(frame) }
            return false
        }
        for port in ports where port !== source { _ = port.send(frame) }
        return source != nil
    }

    private func learn(_ address: MACAddress, _ port: HubPort?) {
        guard !address.isGroup else { return }
        if let known = table[address], known === port { return }
        if table.count >= Self.maximumAddressCount { table.removeAll(keepingCapacity: true) }
        table.updateValue(port, forKey: address)
    }

    private func removeEnded() {
        guard ports.contains(where: \.hasEnded) else { return }
        ports.removeAll(where: \.hasEnded)
        table = table.filter { $0.value?.hasEnded != true }
    }

    /// The path goes before the lock, so that it is never the next server's.
    func close() { unsafe unlink(path) }
}
