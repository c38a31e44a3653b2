import ArgumentParser
import Martlet

/// A live view of the host and its guests.
struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch the host and its guests: processor time, memory, vCPUs, disks and networks.",
        discussion: """
            Keys: q quits, d asks for another delay, n shows networks, b disks, v vCPUs, r repeats the columns' names, s sorts by the \
            next column; arrows, page keys, Home and End move about. CPU(%) is of one processor. NETTX is what the guest has sent; \
            sectors have 512 bytes. VBD_OO and SSID are always 0.
            """)

    @Flag(name: .shortAndLong, help: "Print pictures one below the other instead.") var batch = false
    @Option(name: .shortAndLong, help: ArgumentHelp("End after so many pictures.", valueName: "number")) var iterations: UInt32?
    @Option(name: .shortAndLong, help: ArgumentHelp("Seconds between two pictures.", valueName: "seconds")) var delay: Double = 3
    @Flag(name: .shortAndLong, help: "Start with networks shown.") var networks = false
    @Flag(name: [.customShort("x"), .customLong("vbds")], help: "Start with disks shown.") var disks = false
    @Flag(name: .shortAndLong, help: "Start with vCPUs shown.") var vcpus = false
    @Flag(name: .shortAndLong, help: "Repeat the columns' names above every guest.") var repeatHeader = false
    @Flag(name: .shortAndLong, help: "Do not cut names.") var fullName = false
    @Flag(name: [.customShort("z"), .customLong("dom0-first")], help: "The host first, whatever the others are sorted by.")
    var hostFirst = false

    func run() throws {
        guard delay >= 0.1, delay <= 3600 else {
            throw OperatorError("--delay=\(delay): not between 0.1 and 3600 seconds", remedy: "give another delay", code: .usage)
        }
        var session = TopSession(registry: try Guests.registry())
        session.intervalMilliseconds = Int64(delay * 1000)
        session.view.showsNetworks = networks
        session.view.showsDisks = disks
        session.view.showsVCPUs = vcpus
        session.view.showsFullNames = fullName
        session.view.repeatsColumns = repeatHeader
        session.view.showsHostFirst = hostFirst
        let count = iterations.map { Int($0) }
        if batch { return try session.runBatch(count: count) }
        if let signal = try session.runInteractive(count: count) { throw KilledBySignal(number: signal) }
    }
}
