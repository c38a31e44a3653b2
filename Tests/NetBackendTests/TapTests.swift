import Glibc
import HostIO
import Synchronization
import Testing

@testable import NetBackend

/// A network namespace of one thread.
private enum Namespace {
    /// Runs `body` on a thread with a network of its own.
    ///
    /// - Returns: nil when the host does not allow that.
    static func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result? {
        let result = Mutex<Result?>(nil)
        let thread = try? HostThread { result.withLock { $0 = leave() ? body() : nil } }
        thread?.join()
        return result.withLock { $0 }
    }

    /// Glibc's module does not have `unshare`.
    private static func leave() -> Bool {
        guard let symbol = unsafe dlsym(nil, "unshare") else { return false }
        let unshare = unsafe unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)
        let newNetwork: Int32 = 0x4000_0000
        return unshare(newNetwork) == 0
    }

    /// Runs a program in the network of this thread.
    static func command(_ words: String...) -> Bool {
        var child = pid_t()
        let arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        let code = unsafe posix_spawnp(&child, words[0], nil, nil, arguments, environ)
        unsafe arguments.forEach { unsafe free($0) }
        guard code == 0 else { return false }
        var status: Int32 = 0
        return unsafe waitpid(child, &status, 0) == child && status == 0
    }

    static let isAvailable = geteuid() == 0 && canUseTap && canMakeBridges
    private static let canUseTap = unsafe access("/dev/net/tun", R_OK | W_OK) == 0

    private static var canMakeBridges: Bool { run { command("ip", "link", "add", "br0", "type", "bridge") } == true }
}

@Suite("Tap interfaces", .enabled(if: Namespace.isAvailable, "needs root, /dev/net/tun and ip")) struct TapTests {
    private static let hostAddress: [UInt8] = [10, 9, 0, 1]

    private static func prepareBridge() -> Bool {
        Namespace.command("ip", "link", "set", "lo", "up") && Namespace.command("ip", "link", "add", "br0", "type", "bridge")
            && Namespace.command("ip", "addr", "add", "10.9.0.1/24", "dev", "br0") && Namespace.command("ip", "link", "set", "br0", "up")
    }

    /// Asks the host for its address, and gets an answer.
    private static func asksHost(_ link: sending any FrameLink) throws -> Bool {
        let station = try Station(link)
        let queue = try station.connect()
        let question: [UInt8] = [0, 1, 8, 0, 6, 4, 0, 1] + Packets.guest + [10, 9, 0, 2] + [0, 0, 0, 0, 0, 0] + hostAddress
        return eventually {
            queue.send(Packets.ethernet(to: [UInt8](repeating: 255, count: 6), type: 0x0806, question))
            usleep(20_000)
            while let packet = queue.poll() {
                queue.repost()
                if packet.bytes.count >= 42, packet.bytes[12..<14].elementsEqual([8, 6]), packet.bytes[28..<32].elementsEqual(hostAddress) {
                    return true
                }
            }
            return false
        }
    }

    @Test("A tap that we make joins the bridge, carries frames both ways, and goes with the link")
    func bridge() throws {
        let outcome = Namespace.run { () -> [Bool] in
            guard Self.prepareBridge(), let link = try? TapLink(new: "vif1.0", bridge: "br0", mtu: 1400) else { return [] }
            let isMember = Namespace.command("sh", "-c", "ip link show vif1.0 | grep -q 'mtu 1400.*master br0'")
            let answers = (try? Self.asksHost(link)) == true
            return [isMember, answers, unsafe if_nametoindex("vif1.0") == 0]
        }
        #expect(outcome == [true, true, true])
    }

    @Test("A tap that exists is used and stays")
    func existing() throws {
        let outcome = Namespace.run { () -> [Bool] in
            guard Self.prepareBridge(), Namespace.command("ip", "tuntap", "add", "tap7", "mode", "tap"),
                Namespace.command("ip", "link", "set", "tap7", "master", "br0", "up"), let link = try? TapLink(existing: "tap7")
            else { return [] }
            return [(try? Self.asksHost(link)) == true, unsafe if_nametoindex("tap7") != 0]
        }
        #expect(outcome == [true, true])
    }

    @Test("Large segments reach the host's kernel as they are, and its own come whole")
    func segments() throws {
        let outcome = Namespace.run { () -> Int in
            guard Self.prepareBridge(), let link = try? TapLink(new: "vif1.0", bridge: "br0", mtu: 1500), let station = try? Station(link),
                let queue = try? station.connect()
            else { return -1 }
            // The kernel answers a segment for a port nobody listens at with a reset; a damaged one it would drop.
            var flow = Packets.Flow()
            (flow.source, flow.destination, flow.to) = ([10, 9, 0, 2], Self.hostAddress, [UInt8](repeating: 255, count: 6))
            // In this order: a change of its address makes the bridge forget its neighbours.
            guard Namespace.command("ip", "link", "set", "br0", "address", "02:00:00:00:00:09"),
                Namespace.command("ip", "neigh", "replace", "10.9.0.2", "lladdr", "00:16:3e:12:34:56", "dev", "br0")
            else { return -2 }
            flow.to = [2, 0, 0, 0, 0, 9]
            let packet = Packets.tcp(flow, payload: Packets.bytes(20000), isBlank: true)
            for _ in 0..<100 {
                queue.send(packet, flags: 1, gso: (1448, 1))
                usleep(20_000)
                while let answer = queue.poll() {
                    queue.repost()
                    if answer.bytes.count >= 54, answer.bytes[23] == 6, answer.bytes[47] & 4 != 0 { return 1 }
                }
            }
            return station.device.counts.dropsOut > 0 ? -3 : -4
        }
        #expect(outcome == 1)
    }

    @Test("What is missing is said in one line, with the remedy")
    func missing() throws {
        let causes = Namespace.run { () -> [String] in
            _ = Self.prepareBridge()
            _ = Namespace.command("ip", "link", "add", "dummy0", "type", "veth")
            func cause(_ body: () throws(LinkFailure) -> Void) -> String {
                do throws(LinkFailure) {
                    try body()
                    return "-"
                } catch { return error.remedy.isEmpty ? "no remedy" : error.cause }
            }
            return [
                cause { () throws(LinkFailure) in _ = try TapLink(new: "vif1.0", bridge: "xenbr0", mtu: 1500) },
                cause { () throws(LinkFailure) in _ = try TapLink(new: "br0", bridge: "br0", mtu: 1500) },
                cause { () throws(LinkFailure) in _ = try TapLink(new: "vif1.0", bridge: "lo", mtu: 1500) },
                cause { () throws(LinkFailure) in _ = try TapLink(existing: "tap9") },
                cause { () throws(LinkFailure) in _ = try TapLink(existing: "lo") },
            ]
        }
        let parts = [
            "there is no bridge `xenbr0'", "an interface `br0' already", "`lo' takes no interface", "`tap9'", "`lo' cannot be used",
        ]
        #expect(causes?.count == parts.count)
        for (cause, part) in zip(causes ?? [], parts) { #expect(cause.contains(part)) }
    }
}
