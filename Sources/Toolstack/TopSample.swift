public import ControlProtocol
internal import Glibc

/// The host and its guests at one moment, for `martlet top`.
public struct TopSample: Sendable {
    /// One line of the table.
    public struct Row: Sendable {
        public var domainID: UInt16
        public var name: String
        public var state: GuestState
        public var cpuNanoseconds: UInt64
        public var memoryKiB: UInt64
        /// Nil for no limit.
        public var maxMemoryKiB: UInt64?
        public var vcpus: [VCPUStatus]
        public var devices: [DeviceStatus]

        public init(
            domainID: UInt16, name: String, state: GuestState, cpuNanoseconds: UInt64, memoryKiB: UInt64, maxMemoryKiB: UInt64?,
            vcpus: [VCPUStatus], devices: [DeviceStatus]
        ) {
            self.domainID = domainID
            self.name = name
            self.state = state
            self.cpuNanoseconds = cpuNanoseconds
            self.memoryKiB = memoryKiB
            self.maxMemoryKiB = maxMemoryKiB
            self.vcpus = vcpus
            self.devices = devices
        }
    }

    /// The host's monotonic clock.
    public var nanoseconds: UInt64
    /// "HH:MM:SS".
    public var clock: String
    public var xenVersion: String
    public var totalMemoryKiB: UInt64
    public var freeMemoryKiB: UInt64
    public var processorCount: Int
    public var megahertz: String
    public var rows: [Row]

    public init(
        nanoseconds: UInt64, clock: String, xenVersion: String, totalMemoryKiB: UInt64, freeMemoryKiB: UInt64, processorCount: Int,
        megahertz: String, rows: [Row]
    ) {
        self.nanoseconds = nanoseconds
        self.clock = clock
        self.xenVersion = xenVersion
        self.totalMemoryKiB = totalMemoryKiB
        self.freeMemoryKiB = freeMemoryKiB
        self.processorCount = processorCount
        self.megahertz = megahertz
        self.rows = rows
    }

    /// Asks all guests. One that does not answer is shown with what its description says.
    public static func take(_ registry: GuestRegistry) throws(OperatorError) -> TopSample {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        let information = HostInformation.current
        let rows = try registry.guests().map(Row.init)
        return TopSample(
            nanoseconds: UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec), clock: UptimeListing.clock,
            xenVersion: information["xen_version"] ?? "", totalMemoryKiB: Host.memoryKiB, freeMemoryKiB: Host.availableMemoryKiB,
            processorCount: Host.onlineCPUs, megahertz: String((information["cpu_mhz"] ?? "").prefix { $0 != "." }), rows: [Row.host] + rows
        )
    }
}

extension TopSample.Row {
    /// A guest.
    public init(_ guest: GuestRegistry.Entry) {
        let description = guest.description
        self.init(
            domainID: guest.domainID, name: description.name, state: GuestState(), cpuNanoseconds: 0, memoryKiB: description.memoryKiB,
            maxMemoryKiB: description.maxMemoryKiB, vcpus: [], devices: [])
        guard let status = try? guest.status(timeoutMilliseconds: 300) else { return }
        state = status.state
        cpuNanoseconds = status.vcpuTimesNanoseconds.reduce(0, &+)
        memoryKiB = status.currentMemoryKiB
        maxMemoryKiB = status.maxMemoryKiB
        vcpus = status.vcpus
        if vcpus.isEmpty {
            vcpus = status.vcpuTimesNanoseconds.map {
                VCPUStatus(online: true, running: false, blocked: false, processor: nil, timeNanoseconds: $0)
            }
        }
        devices = (try? guest.devices()) ?? []
    }

    /// The host, as domain 0.
    static var host: Self {
        let vcpus = VCPUListing.hostRows(.current).map(\.status)
        return Self(
            domainID: 0, name: "Domain-0", state: GuestState(running: true), cpuNanoseconds: UInt64(max(0, Host.busySeconds) * 1e9),
            memoryKiB: Host.memoryKiB - Host.availableMemoryKiB, maxMemoryKiB: nil, vcpus: vcpus, devices: [])
    }
}
