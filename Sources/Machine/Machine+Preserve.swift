import BlockBackend
import ControlProtocol
import Glibc
import HostIO

/// `rename-restart`: the dead guest stays in this process under another name, and a new process runs a new one.
extension Machine {
    func renameAndRestart(_ reason: ControlProtocol.ShutdownReason) {
        keptReason = reason
        // The new guest's process opens its disks itself.
        defer { surroundings.shelf.clear() }
        guard let parent = directory.parent(of: description.domainID) else {
            return log.write("the guest cannot be started anew: its directory is not named by its domain ID")
        }
        let stamp = Self.stamp(time(nil))
        log.write("Preserving domain \(description.domainID) \(description.name) with suffix\(stamp)")
        do throws(OperatorError) {
            let successor = try makeWay(suffix: stamp, parent)
            log.write("Done. Rebooting now")
            supervise(successor)
        } catch {
            log.write("the guest cannot be started anew: \(error.cause)")
        }
    }

    /// For instance "-20261121T0309Z".
    static func stamp(_ moment: time_t) -> String {
        var seconds = moment
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        func padded(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let numbers = unsafe [parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min].map(padded)
        return unsafe "-\(parts.tm_year + 1900)\(numbers[0])\(numbers[1])T\(numbers[2])\(numbers[3])Z"
    }

    /// Gives this guest another name and UUID, and makes the directory of its successor, which gets the old ones.
    ///
    /// - Throws: an error; this guest has its old name then and there is no successor.
    private func makeWay(suffix: String, _ parent: String) throws(OperatorError) -> Successor {
        let old = description
        var preserved = old
        preserved.name += suffix
        preserved.uuid = Self.randomUUID()
        do throws(SystemError) {
            let lock = try GuestLock.take(directory: parent, waiting: true)
            defer { extendLifetime(lock) }
            guard !(try Self.names(in: parent)).contains(preserved.name) else {
                throw SystemError("rename to", "\(preserved.name), which exists", errno: EEXIST)
            }
            var next = old
            next.domainID = try RuntimeDirectory.nextDomainID(in: parent)
            let successor = try Successor(next, in: parent, like: directory)
            do throws(OperatorError) { try become(preserved, instead: old) } catch {
                successor.place.remove()
                throw SystemError("rename to", "\(preserved.name): \(error.cause)", errno: EIO)
            }
            return successor
        } catch {
            throw OperatorError(error.sentence, code: .creationFailed)
        }
    }

    private func become(_ preserved: GuestDescription, instead old: GuestDescription) throws(OperatorError) {
        try save(preserved)
        guard let life else { return }
        let start = life.text(at: "/vm/\(old.uuid)/start_time") ?? ""
        let vm = "/vm/\(preserved.uuid)"
        try life.write([
            ("\(vm)/uuid", preserved.uuid), ("\(vm)/name", preserved.name), ("\(vm)/start_time", start), ("\(life.home)/vm", vm),
            ("\(life.home)/name", preserved.name),
        ])
    }

    /// The names of all guests there are. Under the directory's lock.
    private static func names(in parent: String) throws(SystemError) -> [String] {
        guard let stream = unsafe opendir(parent) else { throw SystemError("open", parent, errno: errno) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            let path = "\(parent)/\(name)"
            guard RuntimeDirectory.domainID(named: name) != nil, (try? GuestLock.isHeld(directory: path)) == true,
                let description = try? GuestDirectory(path).readDescription()
            else { continue }
            names.append(description.name)
        }
        return names
    }

    private static func randomUUID() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        let groups = [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }
        return groups.joined(separator: "-")
    }

    /// Starts the successor's process and waits, on a thread of its own, until it is built; then lets it run.
    private func supervise(_ successor: Successor) {
        let log = log
        _ = inBackground { (_) throws(OperatorError) in
            let child = try successor.start()
            do throws(OperatorError) { try child.unpause() } catch {
                log.write("the guest cannot be started anew: \(error.cause)")
                throw error
            }
            // The child is ours until it ends.
            child.collectWhenOver()
            return .ok
        }
    }
}
