import ControlProtocol
import DomainBuilder
import XenABI
import XenDomain

extension DomainConfiguration {
    /// The hypervisor's side of what a guest's description asks for.
    ///
    /// - Throws: an error when the UUID is none.
    init(_ description: GuestDescription, image: BootImage) throws(OperatorError) {
        self.init(
            memoryMap: image.memoryMap.map { entry in
                XenABI.MemoryMapEntry(
                    address: entry.address, size: entry.size, type: XenABI.MemoryMapEntry.Kind(rawValue: entry.kind.rawValue) ?? .reserved)
            })
        domainID = description.domainID
        uuid = try Self.bytes(ofUUID: description.uuid)
        vcpuCount = description.maxVCPUs
        version = XenDomain.XenVersion(
            major: description.xenVersion.major, minor: description.xenVersion.minor, extra: description.xenVersion.extra)
        maximumGrantFrames = Int(description.maxGrantFrames)
        maximumEventChannels = Int(description.maxEventChannels)
        tscMode = XenDomain.TSCMode(rawValue: UInt32(description.tscMode.rawValue)) ?? .automatic
        isMSRRelaxed = description.msrRelaxed
        for leaf in description.cpuid ?? [] { cpuidRequests += try leaf.requests() }
        demandPages = Int((description.maxMemoryKiB - description.memoryKiB) / 4)
        initialPages -= demandPages
        maximumPages -= demandPages
        // The pool has room for more than the guest may own at first, which is nothing it should see.
        maximumMachineFrame = UInt64(poolPageCount - 1)
        storeFrame = image.xenstoreGFN
        consoleFrame = image.consoleGFN
        parameters[HVMParameter.timerMode] = UInt64(description.timerMode.rawValue)
        parameters[HVMParameter.identityPageTable] = image.identityPageDirectoryGFN << 12
    }

    static func bytes(ofUUID text: String) throws(OperatorError) -> InlineArray<16, UInt8> {
        let digits = text.utf8.compactMap(hexDigit)
        guard text.utf8.count == 36, digits.count == 32 else {
            throw OperatorError("uuid=\"\(text)\" is no UUID", remedy: "write 32 hexadecimal digits as 8-4-4-4-12", code: .invalid)
        }
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        for index in 0..<16 { bytes[index] = digits[index * 2] << 4 | digits[index * 2 + 1] }
        return bytes
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
