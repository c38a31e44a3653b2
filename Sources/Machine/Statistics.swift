/// What a guest's process did from its start to its end, as one line of the log.
struct Statistics {
    var instructionCount: UInt64 = 0
    /// CLOCK_MONOTONIC at the first instruction; nil when none ran.
    var firstRunNanoseconds: UInt64?
    /// From the first instruction to the end.
    var runNanoseconds: UInt64 = 0
    /// CPU time of all vCPU threads.
    var vcpuNanoseconds: UInt64 = 0
    /// CPU time of the whole process.
    var processNanoseconds: UInt64 = 0
    /// The largest resident size of the process.
    var peakKiB: UInt64 = 0
    /// Guest pages that were resident at the end, a part of `peakKiB`.
    var guestKiB: UInt64 = 0

    /// Millions of guest instructions per second of vCPU time.
    var millionsPerSecond: Double { vcpuNanoseconds == 0 ? 0 : Double(instructionCount) * 1000 / Double(vcpuNanoseconds) }

    /// Keys and values, for people and programs.
    var line: String {
        "statistics: instructions=\(instructionCount) run-seconds=\(seconds(runNanoseconds)) vcpu-seconds=\(seconds(vcpuNanoseconds))"
            + " process-seconds=\(seconds(processNanoseconds)) mips=\(decimal(millionsPerSecond * 1000))"
            + " peak-kib=\(peakKiB) guest-kib=\(guestKiB)"
            + (firstRunNanoseconds.map { " first-run-clock=\(seconds($0))" } ?? "")
    }

    private func seconds(_ nanoseconds: UInt64) -> String { decimal(Double(nanoseconds) / 1_000_000) }

    /// A number given in thousandths, with three decimals.
    private func decimal(_ thousandths: Double) -> String {
        let value = UInt64(clamping: Int64(max(0, min(thousandths, 1e15)).rounded()))
        let fraction = String(value % 1000)
        return "\(value / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }
}
