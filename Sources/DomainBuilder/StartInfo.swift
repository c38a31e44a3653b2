/// hvm_start_info version 1 and what it points to, in the layout of Xen's own builder:
/// structure (56 bytes), command line padded to 8 bytes, module entries, module command lines, memory map.
struct StartInfo {
    /// A module where it lies in memory.
    struct PlacedModule: Equatable {
        var address: UInt64
        var byteCount: UInt64
        var commandLine: [UInt8]?
    }

    static let magic: UInt32 = 0x336e_c578
    static let structureSize: UInt64 = 56
    static let moduleEntrySize: UInt64 = 32
    static let memoryMapEntrySize: UInt64 = 24
    /// Xen reserves room for two modules, whether they exist or not.
    static let reservedModules = 2
    /// Bytes reserved for the command line of each module, its NUL included.
    static let moduleCommandLineSize: UInt64 = 1024

    var commandLine: [UInt8]
    var moduleCount: Int
    var memoryMapCount: Int

    private var moduleSlots: UInt64 { UInt64(max(moduleCount, Self.reservedModules)) }
    private var commandLineSize: UInt64 { commandLine.isEmpty ? 0 : GuestLayout.roundUp(UInt64(commandLine.count) + 1, to: 8) }
    private var modulesOffset: UInt64 { Self.structureSize + commandLineSize }
    private var moduleCommandLinesOffset: UInt64 { modulesOffset + moduleSlots * Self.moduleEntrySize }
    private var memoryMapOffset: UInt64 { moduleCommandLinesOffset + moduleSlots * Self.moduleCommandLineSize }
    /// The size of the whole area in bytes.
    var byteCount: UInt64 { memoryMapOffset + UInt64(memoryMapCount) * Self.memoryMapEntrySize }

    /// The area's bytes for a place in memory.
    func bytes(at address: UInt64, modules: [PlacedModule], memoryMap: [MemoryMapEntry], rsdpAddress: UInt64) -> [UInt8] {
        var area = [UInt8](repeating: 0, count: Int(byteCount))
        area.store(Self.magic, at: 0)
        area.store(UInt32(1), at: 4)
        area.store(UInt32(modules.count), at: 12)
        area.store(modules.isEmpty ? 0 : address + modulesOffset, at: 16)
        area.store(commandLine.isEmpty ? 0 : address + Self.structureSize, at: 24)
        area.store(rsdpAddress, at: 32)
        area.store(address + memoryMapOffset, at: 40)
        area.store(UInt32(memoryMap.count), at: 48)
        area.replaceSubrange(Int(Self.structureSize)..<Int(Self.structureSize) + commandLine.count, with: commandLine)
        for (index, module) in modules.enumerated() { store(module, index, address, into: &area) }
        for (index, entry) in memoryMap.enumerated() {
            let at = Int(memoryMapOffset) + index * Int(Self.memoryMapEntrySize)
            area.store(entry.address, at: at)
            area.store(entry.size, at: at + 8)
            area.store(entry.kind.rawValue, at: at + 16)
        }
        return area
    }

    private func store(_ module: PlacedModule, _ index: Int, _ address: UInt64, into area: inout [UInt8]) {
        let at = Int(modulesOffset) + index * Int(Self.moduleEntrySize)
        area.store(module.address, at: at)
        area.store(module.byteCount, at: at + 8)
        guard let line = module.commandLine, !line.isEmpty else { return }
        let lineOffset = moduleCommandLinesOffset + UInt64(index) * Self.moduleCommandLineSize
        area.store(address + lineOffset, at: at + 16)
        area.replaceSubrange(Int(lineOffset)..<Int(lineOffset) + line.count, with: line)
    }
}
