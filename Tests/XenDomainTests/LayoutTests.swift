import GuestMemory
import Testing
import X86
import XenABI
import XenDomain

/// Structures whose layout depends on the caller's mode (`public/xen.h` and its compat forms).
@Suite("Layouts of 64-bit and 32-bit callers") struct LayoutTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var number: Int
        /// The registers; nil where the structure's address goes.
        var arguments: [UInt64?]
        var sizes: (wide: UInt64, narrow: UInt64)
        var testDescription: String { name }

        init(_ name: String, _ number: Int, _ arguments: [UInt64?], _ wide: UInt64, _ narrow: UInt64) {
            (self.name, self.number, self.arguments, sizes) = (name, number, arguments, (wide, narrow))
        }
    }

    private static func memory(_ name: String, _ operation: Int, _ wide: UInt64, _ narrow: UInt64) -> Row {
        Row("memory_op \(name)", Hypercall.memoryOp, [UInt64(operation), nil], wide, narrow)
    }

    private static func vcpu(_ name: String, _ operation: UInt64, _ wide: UInt64, _ narrow: UInt64) -> Row {
        Row("vcpu_op \(name)", Hypercall.vcpuOp, [operation, 0, nil], wide, narrow)
    }

    static let rows: [Row] = [
        memory("add_to_physmap", MemoryOp.addToPhysmap, 24, 16),
        memory("add_to_physmap_batch", MemoryOp.addToPhysmapBatch, 32, 20),
        memory("remove_from_physmap", MemoryOp.removeFromPhysmap, 16, 8),
        memory("memory_map", MemoryOp.memoryMap, 16, 8),
        memory("exchange", MemoryOp.exchange, 72, 44),
        memory("set_memory_map", MemoryOp.setMemoryMap, 24, 12),
        memory("set_pod_target", MemoryOp.setPoDTarget, 40, 40),
        memory("get_pod_target", MemoryOp.getPoDTarget, 40, 40),
        memory("access_op", MemoryOp.accessOp, 32, 24),
        memory("acquire_resource", MemoryOp.acquireResource, 32, 32),
        memory("get_vnumainfo", MemoryOp.getVNUMAInfo, 40, 40),
        memory("reserved_device_memory_map", MemoryOp.reservedDeviceMemoryMap, 24, 16),
        vcpu("initialise", VCPUOp.initialise, 128, 128),
        vcpu("get_runstate_info", VCPUOp.getRunstateInfo, 48, 44),
        vcpu("set_periodic_timer", VCPUOp.setPeriodicTimer, 8, 8),
        vcpu("set_singleshot_timer", VCPUOp.setSingleshotTimer, 16, 12),
        vcpu("register_runstate_memory_area", VCPUOp.registerRunstateArea, 8, 8),
        vcpu("register_vcpu_info", VCPUOp.registerVCPUInfo, 16, 16),
        vcpu("register_vcpu_time_memory_area", VCPUOp.registerTimeArea, 8, 8),
        Row("sched_op poll", Hypercall.schedOp, [SchedOp.poll, nil], 24, 16),
        Row("sched_op watchdog", Hypercall.schedOp, [SchedOp.watchdog, nil], 8, 8),
        Row("grant_table_op map", Hypercall.grantTableOp, [GrantTableOp.mapGrantRef, nil, 1], 32, 32),
        Row("grant_table_op unmap", Hypercall.grantTableOp, [GrantTableOp.unmapGrantRef, nil, 1], 24, 24),
        Row("grant_table_op setup_table", Hypercall.grantTableOp, [GrantTableOp.setupTable, nil, 1], 24, 16),
        Row("grant_table_op copy", Hypercall.grantTableOp, [GrantTableOp.copy, nil, 1], 40, 24),
        Row("grant_table_op query_size", Hypercall.grantTableOp, [GrantTableOp.querySize, nil, 1], 16, 16),
        Row("grant_table_op swap", Hypercall.grantTableOp, [GrantTableOp.swapGrantRef, nil, 1], 12, 12),
        Row("event_channel_op status", Hypercall.eventChannelOp, [EventChannelOp.status, nil], 24, 24),
        Row("event_channel_op init_control", Hypercall.eventChannelOp, [EventChannelOp.initControl, nil], 24, 24),
        Row("event_channel_op expand_array", Hypercall.eventChannelOp, [EventChannelOp.expandArray, nil], 8, 8),
        Row("hvm_op get_param", Hypercall.hvmOp, [HVMOp.getParameter, nil], 16, 16),
        Row("multicall", Hypercall.multicall, [nil, 1], 64, 32),
        Row("xen_version platform_parameters", Hypercall.xenVersion, [VersionOp.platformParameters, nil], 8, 4),
        Row("xen_version compile_info", Hypercall.xenVersion, [VersionOp.compileInfo, nil], 144, 144),
    ]

    /// A structure of zeros at the end of the guest's memory, and one that ends four bytes behind it.
    @Test("As many bytes are read and written as the caller's structure has", arguments: rows, [true, false])
    func sizes(row: Row, is64Bit: Bool) throws {
        let size = is64Bit ? row.sizes.wide : row.sizes.narrow
        for (address, isInside) in [(0x400_0000 - size, true), (0x400_0004 - size, false)] {
            let machine = try Machine(is64Bit: is64Bit)
            // A domain's first init_control makes expand_array look at its structure.
            if row.name.hasSuffix("expand_array") { _ = machine.events(EventChannelOp.initControl, [0x300, 0, 0, 0, 0, 0]) }
            let isFault = machine.call(row.number, list: row.arguments.map { $0 ?? address }) == XenError.badAddress.result
            #expect(isFault != isInside)
        }
    }

    @Test("The memory map is the same for both", arguments: [true, false])
    func memoryMap(is64Bit: Bool) throws {
        let machine = try Machine(is64Bit: is64Bit)
        let at = Machine.scratch
        machine.put(UInt32(16), at: at)
        machine.putWord(at + 0x100, at: at + (is64Bit ? 8 : 4))
        #expect(machine.call(Hypercall.memoryOp, UInt64(MemoryOp.memoryMap), at) == 0)
        #expect(machine.get(at, as: UInt32.self) == 5)
        for (index, entry) in Machine.captureMap.enumerated() {
            let wire = at + 0x100 + UInt64(index) * 20
            #expect(machine.get(wire, as: UInt64.self) == entry.address && machine.get(wire + 8, as: UInt64.self) == entry.size)
            #expect(machine.get(wire + 16, as: UInt32.self) == entry.type.rawValue)
        }
    }

    @Test("A 32-bit caller can start a vCPU in 64-bit mode, a 64-bit one in 32-bit mode", arguments: [true, false])
    func initialise(is64Bit: Bool) throws {
        let machine = try Machine(Machine.configuration(vcpus: 2), is64Bit: is64Bit)
        let at = Machine.scratch
        for offset in stride(from: UInt64(0), to: 128, by: 8) { machine.put(UInt64(0), at: at + offset) }
        machine.put(UInt32(is64Bit ? 0 : 1), at: at)
        if is64Bit {
            // EAX, EIP, CR0; flat code and data, a busy TSS.
            for (offset, value) in [(0, 0x1111), (32, 0x1234), (40, 0x11)] as [(UInt64, UInt32)] { machine.put(value, at: at + 8 + offset) }
            for index in 0..<5 as Range<UInt64> {
                machine.put(UInt32.max, at: at + 8 + 84 + index * 4)
                machine.put([0xc9b, 0xc93, 0xc93, 0xc93, 0x8b][Int(index)] as UInt16, at: at + 8 + 104 + index * 2)
            }
        } else {
            for (offset, value) in [(0, 0x1111), (64, 0x1234), (80, 0x8000_0011), (88, 0x5000), (96, 0x20), (104, 0x100)]
                as [(UInt64, UInt64)]
            {
                machine.put(value, at: at + 8 + offset)
            }
        }
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.initialise, 1, at) == 0)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.up, 1, 0) == 0)
        #expect(machine.domain.vcpus[1].step(machine.cpus[1]) == .again)
        let state = machine.cpus[1].registerState
        #expect(state[.rax] == 0x1111 && state.rip == 0x1234)
        #expect(state[.cs].attributes == (is64Bit ? 0xc9b : 0xa9b) && state.efer == (is64Bit ? 0 : 0x500))
    }

    @Test("The shared page has the layout of the mode that was latched last", arguments: [(false, true), (true, false)])
    func relatch(first: Bool, second: Bool) throws {
        let machine = try Machine(is64Bit: first)
        machine.mapSharedInfo()
        #expect(machine.setParameter(0, 1) == 0)
        machine.cpus[0].is64Bit = second
        #expect(machine.setParameter(0, 1) == 0)
        machine.domain.notify(2)
        #expect(machine.get(0x104800, as: UInt32.self) == 1 << 2)
        #expect(machine.get(0x104000 + (second ? 8 : 4), as: UInt32.self) == 1, "the selector")
        #expect(machine.get(0x104000 + (second ? 3076 : 2308), as: UInt32.self) == 1_795_230_051, "the wall clock")
        #expect(machine.get(0x104000 + (second ? 2308 : 3076), as: UInt32.self) == 0)
        // A mask bit where the other layout has it masks nothing.
        machine.put(UInt32(1 << 1), at: 0x104000 + (second ? 2176 : 2560))
        for offset in [0, 8] as [UInt64] { machine.put(UInt64(0), at: 0x104000 + offset) }
        machine.domain.notify(1)
        #expect(machine.get(0x104000, as: UInt8.self) == 1)
    }
}
