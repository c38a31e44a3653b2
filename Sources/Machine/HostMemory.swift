import ControlProtocol
import Glibc
import GuestMemory

/// What this machine and this process have of memory.
enum HostMemory {
    static var totalKiB: UInt64 { UInt64(max(0, sysconf(Int32(_SC_PHYS_PAGES)))) * UInt64(max(0, sysconf(Int32(_SC_PAGESIZE)))) / 1024 }

    /// Refuses what can never work. Less than all of the machine's memory is left to the host: guests rarely touch all of theirs.
    ///
    /// - Throws: an error that names the key of the configuration.
    static func check(_ description: GuestDescription, totalKiB: UInt64 = totalKiB) throws(OperatorError) {
        guard description.memoryKiB <= totalKiB else {
            throw OperatorError(
                "memory=\(description.memoryKiB / 1024): the guest is to have more than the \(totalKiB / 1024) MiB of this machine",
                remedy: "lower memory=", code: .noMemory)
        }
        // The hole below 4 GiB takes room too.
        let limit = UInt64(1) << (GuestMemory.physicalAddressBits - 10) - 4 << 20
        guard description.maxMemoryKiB <= limit else {
            throw OperatorError(
                "maxmem=\(description.maxMemoryKiB / 1024): a guest can have \(limit / 1024) MiB at most", remedy: "lower maxmem=",
                code: .noMemory)
        }
    }

    /// What `mem-max` may give a guest beyond what it was created with: address space is reserved for as much as this machine has.
    static func largestMaximumKiB(_ description: GuestDescription) -> UInt64 { max(totalKiB, description.maxMemoryKiB) }

    /// The largest resident size this process has had, in KiB.
    static var peakResidentKiB: UInt64 {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return UInt64(clamping: usage.ru_maxrss)
    }

    /// CPU time of all threads so far, in nanoseconds.
    static var processTimeNanoseconds: UInt64 { HostClock.read(CLOCK_PROCESS_CPUTIME_ID) }

    /// How much of the guest's pages the host backs with memory now, in KiB.
    static func residentKiB(of memory: GuestMemory) -> UInt64 {
        let stride = 1 << 16
        var residency = [UInt8](repeating: 0, count: stride)
        var pages: UInt64 = 0
        var first = 0
        while first < memory.poolPageCount {
            let count = min(stride, memory.poolPageCount - first)
            let start = unsafe memory.unsafePoolBase + first * GuestMemory.pageSize
            guard unsafe mincore(start, count * GuestMemory.pageSize, &residency) == 0 else { return 0 }
            for index in 0..<count { pages += UInt64(residency[index] & 1) }
            first += count
        }
        return pages * 4
    }
}
