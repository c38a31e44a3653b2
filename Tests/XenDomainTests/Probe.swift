import GuestMemory
import X86
import XenABI
import XenDomain

/// Does what the captured probe guest did, against a domain of ours, and writes its observations down the same way.
struct Probe {
    let machine: Machine
    private(set) var seen: [String: String] = [:]

    init(is64Bit: Bool) throws { machine = try Machine(is64Bit: is64Bit) }

    mutating func run() throws -> [String: String] {
        cpuid()
        msrs()
        memoryMapped()
        try hypercallPage()
        // The console's backend tells the guest about itself when it connects.
        machine.domain.notify(machine.domain.consolePort)
        parameters()
        version()
        memory()
        grants()
        ports()
        matrix()
        return seen
    }

    private var vcpu: VCPU { machine.domain.vcpus[0] }

    private mutating func cpuid() {
        let ranges: [ClosedRange<UInt32>] = [0...0x18, 0x4000_0000...0x4000_0006, 0x4000_0100...0x4000_0101, 0x8000_0000...0x8000_0021]
        for leaf in ranges.joined() {
            let subleaves: [UInt32] = [4, 7, 0xb, 0xd, 0xf, 0x10, 0x4000_0003, 0x8000_001d].contains(leaf) ? Array(0...5) : [0]
            for subleaf in subleaves {
                let result = vcpu.cpuid(leaf: leaf, subleaf: subleaf)
                for (name, value) in [("eax", result.eax), ("ebx", result.ebx), ("ecx", result.ecx), ("edx", result.edx)] where value != 0 {
                    seen["cpuid \(hex(leaf, 8)):\(hex(subleaf, 2)) \(name)"] = hex(value, 8)
                }
            }
        }
    }

    /// The ranges the probe read; one that is missing raised #GP.
    private static let msrRanges: [ClosedRange<UInt32>] = [
        0...0xf, 0x11...0x197, 0x19a...0x19b, 0x19d...0x20f, 0x250...0x400, 0x590...0x5ff, 0x6e0...0x6e0, 0x7a0...0x7ff,
        0x4000_0000...0x4000_0000, 0x4b56_4d00...0x4b56_4d08, 0xc000_0080...0xc000_0085, 0xc000_0100...0xc000_0104,
        0xc000_00e0...0xc000_00f0, 0xc000_0400...0xc000_0410, 0xc000_2000...0xc000_2020, 0xc001_0000...0xc001_0150,
        0xc001_0200...0xc001_0210, 0xc001_0290...0xc001_02ff, 0xc001_1000...0xc001_1040,
    ]

    private mutating func msrs() {
        for range in Self.msrRanges {
            for index in range {
                if let value = vcpu.readMSR(index) { seen["msr \(hex(index, 8))"] = hex(value, 16) }
            }
        }
    }

    private mutating func memoryMapped() {
        for offset in stride(from: 0x20, to: 0x400, by: 0x10) {
            let value = vcpu.readPhysical(GuestPhysicalAddress(0xfee0_0000 + UInt64(offset)), byteCount: 4)
            if value != 0 || offset == 0x20 { seen["lapic \(hex(offset, 3))"] = hex(value, 8) }
        }
        for address in [0xfec0_0000, 0xfed0_0000, 0xfed4_0000, 0xe000_0000, 0xf000_0000, 0xffe0_0000, 0xffff_fff0, 0x4000_0000] as [UInt64]
        {
            seen["mmio \(hex(address, 8))"] = hex(vcpu.readPhysical(GuestPhysicalAddress(address), byteCount: 4), 8)
        }
        let ports: [UInt16] = [
            0x20, 0x21, 0xa0, 0xa1, 0x40, 0x42, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0x92, 0xb0, 0xb2, 0xcf9, 0xe9, 0x1f0, 0x1f7,
            0x170,
            0x3f8, 0x3fd, 0x2f8, 0x3c0, 0x3da, 0x402, 0x500, 0x510, 0x600, 0x604, 0x10, 0x12, 0xae00, 0xaf00, 0xb000, 0xb004, 0xb008,
            0x1f40,
            0x1f48,
        ]
        for port in ports { seen["in8 \(hex(port, 4))"] = hex(vcpu.readPort(port, byteCount: 1), 2) }
        for port in [0xcf8, 0xcfc, 0xb008] as [UInt16] { seen["in32 \(hex(port, 4))"] = hex(vcpu.readPort(port, byteCount: 4), 8) }
    }

    private mutating func hypercallPage() throws {
        guard vcpu.writeMSR(0x4000_0000, 0x10_3000) else { return }
        for offset in Array(stride(from: 0, to: 0x80, by: 0x10)) + [0x2e0, 0x2f0, 0xfe0, 0xff0] {
            seen["page \(hex(offset, 3))"] = dump(0x10_3000 + UInt64(offset), 16)
        }
    }

    private mutating func parameters() {
        let at = Machine.scratch
        for index in 0..<44 {
            machine.put(UInt32(DomainID.current), at: at)
            machine.put(UInt32(index), at: at + 4)
            machine.put(UInt64(0), at: at + 8)
            let result = machine.call(Hypercall.hvmOp, HVMOp.getParameter, at)
            seen["param \(index)"] = "\(result) \(hex(machine.get(at + 8, as: UInt64.self), 16))"
        }
    }

    private mutating func version() {
        let at = Machine.scratch
        func ask(_ command: UInt64) -> Int64 { machine.call(Hypercall.xenVersion, command, at) }
        seen["version version"] = hex(UInt64(machine.call(Hypercall.xenVersion, 0, 0)), 8)
        seen["version extraversion"] = "\(ask(1)) '\(text(at))'"
        seen["version compile_info"] = "\(ask(2)) '\(text(at))' '\(text(at + 64))' '\(text(at + 80))' '\(text(at + 112))'"
        seen["version capabilities"] = "\(ask(3)) '\(text(at))'"
        seen["version changeset"] = "\(ask(4)) '\(text(at))'"
        machine.put(UInt64.max, at: at)
        seen["version platform_parameters"] = "\(ask(5)) \(hex(machine.word(at), 8))"
        for index in 0..<3 {
            machine.put(UInt32(index), at: at)
            machine.put(UInt32(0), at: at + 4)
            seen["version get_features[\(index)]"] = "\(ask(6)) \(hex(machine.get(at + 4, as: UInt32.self), 8))"
        }
        seen["version pagesize"] = "\(machine.call(Hypercall.xenVersion, 7, 0))"
        seen["version guest_handle"] = "\(ask(8)) \(dump(at, 16))"
        seen["version commandline"] = "\(ask(9)) '\(text(at))'"
        machine.put(UInt32(0x100), at: at)
        seen["version build_id"] = "\(ask(10)) len=\(hex(machine.get(at, as: UInt32.self), 8))"
    }

    private mutating func memory() {
        let at = Machine.scratch
        let buffer = at + 0x100
        machine.put(UInt32(16), at: at)
        machine.putWord(buffer, at: at + (machine.cpus[0].is64Bit ? 8 : 4))
        let result = machine.call(Hypercall.memoryOp, 9, at)
        let count = machine.get(at, as: UInt32.self)
        seen["memory map"] = "\(result) n=\(count)"
        for index in 0..<UInt64(count) {
            let entry = buffer + index * 20
            seen["memory map \(index)"] =
                "\(hex(machine.get(entry, as: UInt64.self), 16)) \(hex(machine.get(entry + 8, as: UInt64.self), 16)) \(hex(machine.get(entry + 16, as: UInt32.self), 8))"
        }
        seen["memory maximum_ram_page"] = hex(UInt64(machine.call(Hypercall.memoryOp, 2, 0)), 8)
        machine.put(DomainID.current, at: at)
        for (name, operation) in [("current_reservation", 3), ("maximum_reservation", 4), ("maximum_gpfn", 14)] as [(String, UInt64)] {
            seen["memory \(name)"] = hex(UInt64(machine.call(Hypercall.memoryOp, operation, at)), 8)
        }
        seen["memory add_to_physmap"] = "\(machine.mapSharedInfo())"
        let wide = machine.cpus[0].is64Bit
        seen["time multiplier"] = hex(machine.get(0x104038, as: UInt32.self), 8)
        seen["time shift"] = dump(0x10403c, 1)
        seen["time flags"] = dump(0x10403d, 1)
        // The capture is of a 32-bit guest; the selector of a 64-bit one lies four bytes further.
        let selector = wide ? 8 : 4
        let info = machine.bytes(0x104000, 16)
        seen["shared vcpu_info"] = ([info[0], 0, 0, 0] + info[selector..<selector + 4] + [UInt8](repeating: 0, count: 8)).map { hex($0, 2) }
            .joined(separator: " ")
        seen["shared pending"] = dump(0x104800, 16)
    }

    private mutating func grants() {
        let at = Machine.scratch
        func ask(_ command: UInt64) -> Int64 { machine.call(Hypercall.grantTableOp, command, at, 1) }
        machine.put(UInt32(DomainID.current), at: at)
        let result = ask(6)
        let fields = (0..<4).map { machine.get(at + UInt64($0 * 4), as: UInt32.self) }
        seen["grant query_size"] = "\(result) nr=\(hex(fields[1], 8)) max=\(hex(fields[2], 8)) status=\(hex(fields[3] & 0xffff, 4))"
        machine.put(UInt32(DomainID.current), at: at)
        seen["grant get_version"] = "\(ask(10)) ver=\(hex(machine.get(at + 4, as: UInt32.self), 8))"
        for version in [2, 1] as [UInt32] {
            machine.put(version, at: at)
            seen["grant set_version(\(version))"] = "\(ask(8)) ver=\(hex(machine.get(at, as: UInt32.self), 8))"
        }
    }

    private mutating func ports() {
        for port in 0..<12 as Range<UInt32> {
            let (result, fields) = machine.events(EventChannelOp.status, [UInt32(DomainID.current), port, 0, 0, 0, 0])
            seen["port \(port)"] =
                "\(result) status=\(hex(fields[2], 8)) vcpu=\(hex(fields[3], 8)) u=\(hex(fields[4], 8)) \(hex(fields[5], 8))"
        }
        for index in 0..<5 as Range<UInt64> { seen["vcpu up \(index)"] = "\(machine.call(Hypercall.vcpuOp, VCPUOp.isUp, index, 0))" }
    }

    /// Every call and sub-operation with arguments that are no pointers.
    private mutating func matrix() {
        let ones = machine.cpus[0].is64Bit ? UInt64.max : 0xffff_ffff
        for number in 0..<64 where number != 23 {
            seen["nr \(number)"] = "\(machine.call(number, ones, ones, ones, ones, ones))"
        }
        func sub(_ name: String, _ number: Int, _ commands: [UInt64], _ arguments: [UInt64]) {
            for command in commands { seen["\(name) \(command)"] = "\(machine.call(number, list: [command] + arguments))" }
        }
        sub("physdev", Hypercall.physdevOp, Array(0..<32), [0])
        for type in 0..<6 as Range<UInt64> { seen["enable \(type)"] = "\(machine.call(Hypercall.vmAssist, 0, type))" }
        sub("hvm_op", Hypercall.hvmOp, Array(0..<27), [ones])
        sub("memory_op", Hypercall.memoryOp, Array(0..<31), [ones])
        sub("vcpu_op", Hypercall.vcpuOp, [0, 1] + Array(3..<15), [0, ones])
        sub("sched_op", Hypercall.schedOp, [4, 6, 7, 8], [ones])
        sub("evtchn_op", Hypercall.eventChannelOp, Array(0..<17), [ones])
    }

    // MARK: - text

    private func hex(_ value: some BinaryInteger, _ digits: Int) -> String {
        let text = String(UInt64(value), radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    private func dump(_ address: UInt64, _ count: Int) -> String {
        machine.bytes(address, count).map { hex($0, 2) }.joined(separator: " ")
    }

    private func text(_ address: UInt64) -> String {
        String(decoding: machine.bytes(address, 1024).prefix { $0 != 0 }, as: UTF8.self)
    }
}
