import ControlProtocol
import Glibc

/// Requests that change what the guest has. They also change what a restart builds.
extension Machine {
    private static let largestNameByteCount = 255

    /// Gives the guest another name, in its xenstore and on disk.
    ///
    /// - Throws: an error; the old name stands everywhere then.
    func rename(_ name: String) throws(OperatorError) {
        guard !name.isEmpty, name.utf8.count <= Self.largestNameByteCount, name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f && $0 != 0x2f })
        else {
            throw OperatorError("\"\(name)\" is no name for a guest", remedy: "use letters, digits, - and _", code: .invalid)
        }
        let old = description
        var new = description
        new.name = name
        try write(names: new)
        do throws(OperatorError) {
            try save(new)
        } catch {
            try write(names: old)
            throw error
        }
        log.write("the guest \(old.name) is now called \(name)")
    }

    private func write(names new: GuestDescription) throws(OperatorError) {
        guard let life else { return }
        try life.write([("\(life.home)/name", new.name), ("/vm/\(new.uuid)/name", new.name)])
    }

    /// Makes a description the one that counts.
    ///
    /// - Throws: an error when it cannot be written to the guest's directory; nothing has changed then.
    func save(_ new: GuestDescription) throws(OperatorError) {
        try directory.write(new)
        description = new
    }

    /// Replaces what a restart builds; who the guest is stays.
    func update(_ new: GuestDescription) throws(OperatorError) {
        guard new.version == GuestDescription.currentVersion, new.domainID == description.domainID, new.uuid == description.uuid,
            new.name == description.name
        else {
            throw OperatorError("domain ID, UUID and name of a guest cannot be changed this way", remedy: "use rename", code: .invalid)
        }
        try save(new)
        log.write("the description of the guest was replaced; a restart builds it as it is now")
    }

    // MARK: - memory

    /// What the guest's balloon driver is to reach. As in Xen, no more than that is given to it from now on.
    func setMemoryTarget(kib: UInt64) throws(OperatorError) {
        guard kib >= 1024 else {
            throw OperatorError("\(kib) KiB are too little for a guest", remedy: "give it 1 MiB at least", code: .invalid)
        }
        guard kib <= description.maxMemoryKiB else {
            throw OperatorError(
                "\(kib / 1024) MiB are more than the guest may have: maxmem=\(description.maxMemoryKiB / 1024)",
                remedy: "raise maxmem= in its configuration and restart it", code: .invalid)
        }
        let life = try runningLife()
        try life.setTarget(kib: kib)
        try life.write([("\(life.home)/memory/target", "\(kib)")])
        var new = description
        new.memoryKiB = kib
        try save(new)
        log.write("the guest is to have \(kib) KiB of memory")
    }

    func setMaxMemory(kib: UInt64) throws(OperatorError) {
        let life = try runningLife()
        guard kib >= description.memoryKiB else {
            throw OperatorError(
                "\(kib / 1024) MiB are less than the guest is to have: \(description.memoryKiB / 1024) MiB",
                remedy: "lower that first with mem-set", code: .invalid)
        }
        try life.setMaximumMemory(kib: kib)
        maxMemoryKiB = kib
        log.write("the guest may have \(kib) KiB of memory")
    }

    // MARK: - vCPUs

    /// Tells the guest which vCPUs are to be online: the first ones.
    func setVCPUs(_ count: Int) throws(OperatorError) {
        guard (1...description.maxVCPUs).contains(count) else {
            throw OperatorError(
                "\(count) vCPUs are not possible: the guest has 1 to \(description.maxVCPUs)",
                remedy: count < 1 ? "one stays online" : "raise maxvcpus= in its configuration and restart it", code: .invalid)
        }
        let life = try runningLife()
        try life.write(
            (0..<description.maxVCPUs).map { ("\(life.home)/cpu/\($0)/availability", $0 < count ? "online" : "offline") })
        var new = description
        new.vcpus = count
        try save(new)
        log.write("\(count) vCPUs are to be online")
    }

    func setAffinity(vcpu: Int, hard: [Int]?, soft: [Int]?) throws(OperatorError) {
        guard (0..<description.maxVCPUs).contains(vcpu) else {
            throw OperatorError("the guest has no vCPU \(vcpu)", remedy: "there are 0 to \(description.maxVCPUs - 1)", code: .invalid)
        }
        var new = description
        let hardSet = try hard.map { (list) throws(OperatorError) in try processors(list) } ?? description.hardAffinity(of: vcpu)
        let softSet = try soft.map { (list) throws(OperatorError) in try processors(list) } ?? description.softAffinity(of: vcpu)
        new.setAffinity(of: vcpu, hard: hardSet, soft: softSet)
        if hard != nil, let thread = life?.threads[vcpu] {
            let code = thread.setAffinity(hardSet)
            guard code == 0 else {
                throw OperatorError(
                    "vCPU \(vcpu) cannot be moved there: \(SystemError.text(code))",
                    remedy: "see `taskset -p' for the processors allowed here")
            }
        }
        try save(new)
        log.write("vCPU \(vcpu) runs on \(Self.words(hardSet)), and should on \(Self.words(softSet))")
    }

    /// A checked list, sorted and without repetition; nil for all processors.
    private func processors(_ list: [Int]) throws(OperatorError) -> [Int]? {
        let count = Affinity.processorCount
        guard !list.isEmpty, list.allSatisfy({ (0..<count).contains($0) }) else {
            throw OperatorError(
                "no such set of processors: \(Self.words(list))", remedy: "this machine has 0 to \(count - 1)", code: .invalid)
        }
        let set = Set(list).sorted()
        return set.count == count ? nil : set
    }

    private static func words(_ processors: [Int]?) -> String {
        processors.map { "processors " + $0.map(String.init).joined(separator: ",") } ?? "all processors"
    }
}
