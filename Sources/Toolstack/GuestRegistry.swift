internal import Bootloader
public import ControlProtocol
internal import Glibc

/// The guests of one user: a directory with a numbered subdirectory for each.
///
/// There is no daemon and no database. A guest lives while its process holds the lock in its directory (``GuestLock``); whatever
/// else is found is stale and removed by whoever comes across it.
public struct GuestRegistry: Sendable {
    public let directory: String

    /// Opens the registry, making its directory if it does not exist.
    ///
    /// - Throws: an error when the directory cannot be made, or belongs to or can be written by somebody else.
    public init(directory: String) throws(OperatorError) {
        self.directory = directory
        do throws(SystemError) {
            try Files.makeDirectories(directory)
        } catch {
            throw Self.unusable(error)
        }
        try checkOwner()
    }

    /// One living guest.
    public struct Entry: Sendable {
        public var domainID: UInt16
        public var directory: String
        public var description: GuestDescription
    }

    /// The living guests by domain ID. Stale directories are removed on the way.
    public func guests() throws(OperatorError) -> [Entry] {
        ChildProcesses.collect()
        let (entries, stale) = try scanAtRest()
        if stale { removeStale() }
        return entries
    }

    /// The guest named by a domain ID or, if that is no number, by its name.
    ///
    /// - Throws: an error when there is none.
    public func find(_ word: String) throws(OperatorError) -> Entry {
        let entries = try guests()
        let number = word.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ? UInt16(word) : nil
        guard let entry = entries.first(where: { number == nil ? $0.description.name == word : $0.domainID == number }) else {
            let names = entries.map(\.description.name).joined(separator: ", ")
            throw OperatorError(
                "\(word) is an invalid domain identifier: no guest of this user has that \(number == nil ? "name" : "domain ID")",
                remedy: names.isEmpty ? "there are no guests; `martlet list' shows them" : "there are: \(names)")
        }
        return entry
    }

    /// Makes the directory of a new guest, with its lock held, while no other process can do the same.
    ///
    /// - Parameter describe: makes the description for the domain ID that was chosen.
    /// - Throws: an error when the name or the UUID is in use, or the directory cannot be written. Nothing remains then.
    public func reserve(_ describe: (UInt16) -> GuestDescription) throws(OperatorError) -> Reservation {
        let registryLock = try lockRegistry()
        defer { extendLifetime(registryLock) }
        removeStaleLocked()
        let description = describe(try attempt { () throws(SystemError) in try RuntimeDirectory.nextDomainID(in: directory) })
        try checkUnique(description)
        return try attempt { () throws(SystemError) in try makeDirectory(for: description) }
    }

    /// A directory that waits for its guest process, and its held lock.
    public struct Reservation: ~Copyable {
        public let directory: String
        public let description: GuestDescription
        public let lock: FileDescriptor
    }
}

// MARK: - Scanning

extension GuestRegistry {
    /// What is alive, and whether there is anything else.
    func scan() throws(OperatorError) -> (entries: [Entry], stale: Bool) {
        let names = try attempt { () throws(SystemError) in try Files.names(in: directory) }
        var entries: [Entry] = []
        var stale = false
        for domainID in names.compactMap(Self.domainID).sorted() {
            let path = "\(directory)/\(domainID)"
            guard (try? GuestLock.isHeld(directory: path)) == true else {
                stale = true
                continue
            }
            // A guest that is being created may have no description yet.
            guard let json = try? Files.read("\(path)/\(GuestDescription.fileName)"), let description = try? GuestDescription(json: json)
            else { continue }
            entries.append(Entry(domainID: domainID, directory: path, description: description))
        }
        return (entries, stale)
    }

    private static func domainID(_ name: String) -> UInt16? { RuntimeDirectory.domainID(named: name) }

    /// As ``scan()``, while no guest moves to another domain ID: one that is being started anew would be missed. Somebody who holds the
    /// directory for longer than half a second does not keep others from looking.
    private func scanAtRest() throws(OperatorError) -> (entries: [Entry], stale: Bool) {
        for _ in 0..<50 {
            if let lock = try? GuestLock.take(directory: directory, waiting: false) {
                defer { extendLifetime(lock) }
                return try scan()
            }
            usleep(10_000)
        }
        return try scan()
    }

    /// Removes what no process holds, unless somebody else is just creating or cleaning.
    private func removeStale() {
        do throws(SystemError) {
            let lock = try GuestLock.take(directory: directory, waiting: false)
            removeStaleLocked()
            extendLifetime(lock)
        } catch {
            return
        }
    }

    private func removeStaleLocked() {
        for domainID in ((try? Files.names(in: directory)) ?? []).compactMap(Self.domainID) {
            let path = "\(directory)/\(domainID)"
            guard Self.isAbandoned(path) else { continue }
            BootloaderRun.removeLeftovers(in: path)
            Files.removeDirectory(path)
        }
    }

    /// Nobody holds the lock, or there is none. Where that cannot be found out, for want of descriptors say, a guest may be alive.
    private static func isAbandoned(_ path: String) -> Bool {
        do throws(SystemError) { return try !GuestLock.isHeld(directory: path) } catch { return error.errno == ENOENT }
    }

    private func checkOwner() throws(OperatorError) {
        var status = stat()
        guard unsafe lstat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw Self.unusable("the runtime directory \(directory) is not a directory")
        }
        guard status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
            throw Self.unusable("the runtime directory \(directory) belongs to or can be written by somebody else")
        }
    }

    private static func unusable(_ error: SystemError) -> OperatorError {
        let cause = "the runtime directory cannot be used: \(error.sentence)"
        let isFull = error.errno == ENOSPC || error.errno == EDQUOT
        let remedy = "make room there, or set MARTLET_RUNTIME_DIR to another directory of your own"
        return isFull ? OperatorError(cause, remedy: remedy, code: .creationFailed) : unusable(cause)
    }

    private static func unusable(_ cause: String) -> OperatorError {
        OperatorError(cause, remedy: "set MARTLET_RUNTIME_DIR to a directory of your own that can be written", code: .creationFailed)
    }
}

// MARK: - Reserving

extension GuestRegistry {
    private func makeDirectory(for description: GuestDescription) throws(SystemError) -> Reservation {
        let path = "\(directory)/\(description.domainID)"
        guard unsafe mkdir(path, 0o700) == 0 else { throw SystemError("make directory", path, errno: errno) }
        do throws(SystemError) {
            let lock = try GuestLock.take(directory: path, waiting: true)
            try Files.write("\(path)/\(GuestDescription.fileName)", description.json())
            return Reservation(directory: path, description: description, lock: lock)
        } catch {
            Files.removeDirectory(path)
            throw error
        }
    }

    private func checkUnique(_ new: GuestDescription) throws(OperatorError) {
        let entries = try scan().entries
        if let other = entries.first(where: { $0.description.name == new.name }) {
            throw OperatorError(
                "a guest with the name \"\(new.name)\" exists already (domain \(other.domainID))",
                remedy: "choose another name, or end that guest with `martlet destroy \(other.domainID)'", code: .creationFailed)
        }
        if let other = entries.first(where: { $0.description.uuid == new.uuid }) {
            throw OperatorError(
                "the guest \"\(other.description.name)\" (domain \(other.domainID)) has the UUID \(new.uuid) already",
                remedy: "remove uuid= from the configuration, or give another one", code: .creationFailed)
        }
    }

    /// Keeps others from creating and renaming guests for as long as the value lives.
    func lockRegistry() throws(OperatorError) -> FileDescriptor {
        try attempt { () throws(SystemError) in try GuestLock.take(directory: directory, waiting: true) }
    }

    private func attempt<Value: ~Copyable>(_ body: () throws(SystemError) -> Value) throws(OperatorError) -> Value {
        do throws(SystemError) {
            return try body()
        } catch {
            throw Self.unusable(error)
        }
    }
}
