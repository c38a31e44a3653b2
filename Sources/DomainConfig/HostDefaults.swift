/// xl.conf: what holds for all guests of a host unless a configuration says otherwise. The grammar is that of xl.cfg.
public struct HostDefaults: Equatable, Sendable {
    public var maxGrantFrames: UInt32?
    public var maxGrantVersion: UInt32?
    public var maxMaptrackFrames: UInt32?
    public var bridge: String?
    public var script: String?
    public var gatewayDevice: String?
    public var backendDomain: String?
    public var runsHotplugScripts: Bool?
    public var claimsMemory: Bool?

    public init() {}

    /// What a key does here; nil for one that xl does not know.
    public enum Treatment: Equatable, Sendable {
        case honoured
        case noEffect(String)
    }

    /// The keys of xl.conf(5), Xen 4.20.
    public static let keys: [(name: String, treatment: Treatment)] = [
        ("max_grant_frames", .honoured), ("max_grant_version", .honoured), ("max_maptrack_frames", .honoured),
        ("vif.default.bridge", .honoured), ("vif.default.script", .honoured), ("vif.default.gatewaydev", .honoured),
        ("vif.default.backend", .honoured), ("run_hotplug_scripts", .honoured), ("claim_mode", .honoured),
        ("autoballoon", .noEffect("the host gives memory as any process gets it")), ("domid_policy", .noEffect("IDs are given in turn")),
        ("lockfile", .noEffect("each guest has a lock of its own")), ("output_format", .noEffect("JSON is the one format")),
        ("blkdev_start", .noEffect("no disk needs a name that is not given")),
        ("bootloader_restrict", .noEffect("a configuration says it with bootloader_user=")),
        ("vm.cpumask", .noEffect(scheduling)), ("vm.hvm.cpumask", .noEffect(scheduling)), ("vm.pv.cpumask", .noEffect(scheduling)),
        ("vif.default.vifname", .noEffect("interfaces have names of their own")),
        ("remus.default.netbufscript", .noEffect("there is no Remus")),
        ("colo.default.proxyscript", .noEffect("there is no COLO")),
    ]

    private static let scheduling = "the host's scheduler places the vCPU threads"

    /// - Returns: the defaults, and what is to be said: a mistake is a warning, and the rest counts.
    public static func read(_ bytes: [UInt8], source: String) -> (defaults: HostDefaults, diagnostics: [ConfigDiagnostic]) {
        let (settings, grammar) = ConfigParser.parse(bytes, source: source)
        var reader = ConfigReader(settings)
        reader.misshapen = .warning
        for setting in settings.all { review(setting.name, &reader) }
        var defaults = HostDefaults()
        defaults.maxGrantFrames = number("max_grant_frames", 1 << 20, &reader)
        defaults.maxGrantVersion = number("max_grant_version", 2, &reader)
        defaults.maxMaptrackFrames = number("max_maptrack_frames", Int64(UInt32.max), &reader)
        defaults.bridge = reader.string("vif.default.bridge")
        defaults.script = reader.string("vif.default.script")
        defaults.gatewayDevice = reader.string("vif.default.gatewaydev")
        defaults.backendDomain = reader.string("vif.default.backend")
        defaults.runsHotplugScripts = reader.boolean("run_hotplug_scripts")
        defaults.claimsMemory = reader.boolean("claim_mode")
        let errors = grammar.map { ConfigDiagnostic(.warning, at: $0.place, $0.cause, remedy: $0.remedy) }
        return (defaults, errors + reader.diagnostics)
    }

    private static func review(_ name: String, _ reader: inout ConfigReader) {
        switch keys.first(where: { $0.name == name })?.treatment {
        case .honoured: break
        case .noEffect(let reason): reader.report(.note, name, "`\(name)' changes nothing: \(reason)")
        case nil:
            let nearest = NearestKey.find(name, among: keys.map(\.name))
            reader.report(
                .warning, name, "unknown key `\(name)' is ignored", remedy: nearest.map { "did you mean `\($0)'?" } ?? "remove it")
        }
    }

    private static func number(_ name: String, _ maximum: Int64, _ reader: inout ConfigReader) -> UInt32? {
        reader.integer(name, 0...maximum, example: "a number from 0 to \(maximum)").map { UInt32(clamping: $0) }
    }
}

extension DomainDescription {
    /// Fills in what the host says and the configuration does not.
    public mutating func apply(_ defaults: HostDefaults) {
        maxGrantFrames = maxGrantFrames ?? defaults.maxGrantFrames
        maxGrantVersion = maxGrantVersion ?? defaults.maxGrantVersion
        if let frames = defaults.maxMaptrackFrames, inert.build["max_maptrack_frames"] == nil {
            inert.build["max_maptrack_frames"] = .number(Int64(frames))
        }
        if let runs = defaults.runsHotplugScripts { inert.creation["run_hotplug_scripts"] = .boolean(runs) }
        if let claims = defaults.claimsMemory { inert.build["claim_mode"] = .boolean(claims) }
        for index in networks.indices {
            networks[index].device.bridge =
                networks[index].device.bridge ?? (networks[index].device.forwards.isEmpty ? defaults.bridge : nil)
            networks[index].device.script = networks[index].device.script ?? defaults.script
            networks[index].device.gatewayDevice = networks[index].device.gatewayDevice ?? defaults.gatewayDevice
            networks[index].device.backendDomain = networks[index].device.backendDomain ?? defaults.backendDomain
        }
    }
}
