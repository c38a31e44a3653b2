import Synchronization
import VirtualCPU
import X86
import XenABI

/// One hypercall while it is handled: who calls, in which mode and with what.
struct HypercallContext {
    let vcpu: VCPU
    let cpu: any VirtualCPU
    /// The mode of the caller, which decides about structure layouts and the width of its arguments.
    let is64Bit: Bool
    var arguments: InlineArray<5, UInt64>
    /// True for an entry of a multicall.
    var isNested = false

    var domain: Domain { vcpu.domain }
    /// Bytes in a `long`, handle or frame number of the caller.
    var wordSize: Int { is64Bit ? 8 : 4 }

    /// Chooses by the caller's bitness.
    func pick<T>(_ wide: T, _ narrow: T) -> T { is64Bit ? wide : narrow }

    // MARK: - guest memory

    /// Copies a structure in, once.
    func read(_ address: UInt64, count: Int) throws(XenError) -> Wire {
        var wire = Wire(count: count)
        let done = unsafe wire.withMutableBytes { unsafe cpu.readLinear(clip(address), into: $0) }
        guard done else { throw .badAddress }
        return wire
    }

    func write(_ address: UInt64, _ wire: Wire) throws(XenError) {
        let done = unsafe wire.withBytes { unsafe cpu.writeLinear(clip(address), from: $0) }
        guard done else { throw .badAddress }
    }

    /// Writes bytes `range` of a structure back to where it came from.
    func write(_ address: UInt64, _ wire: Wire, _ range: Range<Int>) throws(XenError) {
        let done = unsafe wire.withBytes {
            unsafe cpu.writeLinear(clip(address &+ UInt64(range.lowerBound)), from: UnsafeRawBufferPointer(rebasing: $0[range]))
        }
        guard done else { throw .badAddress }
    }

    func store<T: FixedWidthInteger & BitwiseCopyable>(_ address: UInt64, _ value: T) throws(XenError) {
        let done = unsafe withUnsafeBytes(of: value.littleEndian) { unsafe cpu.writeLinear(clip(address), from: $0) }
        guard done else { throw .badAddress }
    }

    func write(_ address: UInt64, bytes: [UInt8]) throws(XenError) {
        let done = unsafe bytes.withUnsafeBytes { unsafe cpu.writeLinear(clip(address), from: $0) }
        guard done else { throw .badAddress }
    }

    /// Reads a `long` of the caller's width.
    func readWord(_ address: UInt64) throws(XenError) -> UInt64 {
        try read(address, count: wordSize).word(0, is64Bit: is64Bit)
    }

    /// Reads element `index` of an array of words.
    func readWord(_ array: UInt64, index: UInt64) throws(XenError) -> UInt64 {
        try readWord(array &+ index &* UInt64(wordSize))
    }

    /// Addresses of a 32-bit caller wrap at 4 GiB.
    private func clip(_ address: UInt64) -> UInt64 { is64Bit ? address : address & 0xffff_ffff }

    // MARK: - names of things

    /// The vCPU a guest names.
    func vcpu(_ number: UInt64) throws(XenError) -> VCPU {
        guard number < UInt64(domain.vcpus.count) else { throw .noEntry }
        return domain.vcpus[Int(number)]
    }

    func isSelf(_ domainID: UInt16) -> Bool { domainID == DomainID.current || domainID == domain.configuration.domainID }

    /// Accepts only the caller's own domain.
    func requireSelf(_ domainID: UInt16) throws(XenError) {
        guard isSelf(domainID) else { throw domainID == DomainID.control ? .notPermitted : .noSuchDomain }
    }

    /// True when the domain stops: long operations give up.
    var mustStop: Bool { domain.shutdownReason != nil }
}
