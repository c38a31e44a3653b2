import GuestMemory
import Testing
import X86
import XenABI
import XenDomain

@Suite("Domain") struct DomainTests {
    @Test("Of all combinations of features only the two sanctioned ones make a domain")
    func features() throws {
        let memory = try GuestMemory(poolPageCount: 64)
        var configuration = Machine.configuration()
        var accepted: Set<FeatureSet> = []
        for bits in 0..<UInt32(1 << FeatureSet.count) {
            configuration.features = FeatureSet(rawValue: bits)
            do throws(DomainError) {
                _ = try Domain(configuration, memory: memory, host: ManualHost())
                accepted.insert(configuration.features)
            } catch { #expect(error == .unsanctionedFeatures(configuration.features)) }
        }
        #expect(accepted == [.pvh, .hvm])
    }

    @Test("Members out of range are named", arguments: ["vcpuCount", "domainID", "maximumGrantFrames", "maximumEventChannels", "cpuBrand"])
    func ranges(member: String) throws {
        var configuration = Machine.configuration()
        switch member {
        case "vcpuCount": configuration.vcpuCount = 129
        case "domainID": configuration.domainID = 0x7ff0
        case "maximumGrantFrames": configuration.maximumGrantFrames = 0
        case "maximumEventChannels": configuration.maximumEventChannels = 131072
        case "cpuBrand": configuration.cpuBrand = String(repeating: "x", count: 48)
        default: Issue.record("no such member")
        }
        let memory = try GuestMemory(poolPageCount: 64)
        #expect(throws: DomainError.outOfRange(member)) { try Domain(configuration, memory: memory, host: ManualHost()) }
    }

    @Test(
        "Pages are counted as the reference counts them",
        arguments: [
            // RAM MiB, RSDP in RAM, pages owned, pages allowed
            (64, false, 0x4011, 0x4100), (256, false, 0x10011, 0x10100), (256, true, 0x10010, 0x10100),
        ])
    func pages(megabytes: UInt64, rsdpInRAM: Bool, owned: Int, allowed: Int) {
        var map = Machine.captureMap
        map[0].size = megabytes << 20
        if rsdpInRAM { map[2].address = 0xfffc0 }
        let configuration = DomainConfiguration(memoryMap: map)
        #expect(configuration.initialPages == owned)
        #expect(configuration.maximumPages == allowed)
    }

    @Test(
        "The features of a version are those it shipped with",
        arguments: [
            (UInt16(17), UInt32(0x0001_2305)), (18, 0x000d_2305), (19, 0x001d_2305), (20, 0x001d_2305),
        ])
    func version(minor: UInt16, features: UInt32) throws {
        var configuration = Machine.configuration()
        configuration.version = XenVersion(major: 4, minor: minor, extra: ".1")
        let machine = try Machine(configuration)
        machine.put(UInt64(0), at: Machine.scratch)
        #expect(machine.call(Hypercall.xenVersion, VersionOp.getFeatures, Machine.scratch) == 0)
        #expect(machine.get(Machine.scratch + 4, as: UInt32.self) == features)
        #expect(machine.call(Hypercall.xenVersion, VersionOp.version, 0) == 4 << 16 | Int64(minor))
        #expect(machine.domain.vcpus[0].cpuid(leaf: 0x4000_0001, subleaf: 0).eax == 4 << 16 | UInt32(minor))
    }

    @Test("A guest that uses physical interrupts is told so")
    func pirq() throws {
        var configuration = Machine.configuration()
        configuration.features = .hvm
        let machine = try Machine(configuration)
        machine.put(UInt64(0), at: Machine.scratch)
        #expect(machine.call(Hypercall.xenVersion, VersionOp.getFeatures, Machine.scratch) == 0)
        #expect(machine.get(Machine.scratch + 4, as: UInt32.self) & XenFeature.hvmPIRQs != 0)
        #expect(machine.call(Hypercall.physdevOp, PhysdevOp.mapPIRQ, 0) == XenError.invalidArgument.result)
    }

    @Test("Only the kernel may make hypercalls", arguments: [1, 2, 3])
    func privilege(level: Int) throws {
        let machine = try Machine()
        machine.cpus[0].privilegeLevel = level
        #expect(machine.call(Hypercall.xenVersion, 0, 0) == XenError.notPermitted.result)
        #expect(machine.domain.hypercallCounts.isEmpty)
    }

    @Test("A 32-bit caller's upper halves do not count, and its result is 32 bits")
    func narrow() throws {
        let machine = try Machine(is64Bit: false)
        let cpu = machine.cpus[0]
        cpu.setGeneral(.rax, 0xdead_0000_0000_0000 | 17)
        cpu.setGeneral(.rbx, 0xdead_0000_0000_0000)
        machine.domain.vcpus[0].hypercall(cpu)
        #expect(cpu.general(.rax) == 0x0004_0011)
        cpu.setGeneral(.rax, 1)
        machine.domain.vcpus[0].hypercall(cpu)
        #expect(cpu.general(.rax) == 0xffff_ffda)
        #expect(cpu.general(.rbx) == 0xdead_0000_0000_0000)
    }

    @Test("Calls are counted by number, unknown ones too")
    func counts() throws {
        let machine = try Machine()
        for number in [17, 17, 3, 63, 64, 9999, -1] { machine.call(number, 0, 0) }
        #expect(machine.domain.hypercallCounts == [17: 2, 3: 1, 63: 1, 64: 3])
    }

    @Test("A multicall runs its entries in order and keeps their results", arguments: [true, false])
    func multicall(is64Bit: Bool) throws {
        let machine = try Machine(is64Bit: is64Bit)
        let size = UInt64(is64Bit ? 64 : 32)
        let word = size / 8
        let calls: [(UInt64, UInt64, UInt64)] = [(17, 0, 0), (17, 7, 0), (3, 0, 0), (13, 0, 1), (24, 3, 0)]
        for (index, call) in calls.enumerated() {
            let at = Machine.scratch + UInt64(index) * size
            machine.putWord(call.0, at: at)
            machine.putWord(call.1, at: at + 2 * word)
            machine.putWord(call.2, at: at + 3 * word)
        }
        #expect(machine.call(Hypercall.multicall, Machine.scratch, UInt64(calls.count)) == 0)
        let results = calls.indices.map { Int32(truncatingIfNeeded: machine.word(Machine.scratch + UInt64($0) * size + word)) }
        #expect(results == [0x40011, 4096, -38, -22, 1])
        #expect(machine.call(Hypercall.multicall, 0x3ff_ffff, 2) == XenError.badAddress.result)
        #expect(machine.call(Hypercall.multicall, 0, 0) == 0)
    }

    @Test("The hypercall page needs a page of RAM and latches the caller's bitness")
    func hypercallPage() throws {
        let machine = try Machine(is64Bit: false)
        let vcpu = machine.domain.vcpus[0]
        #expect(!vcpu.writeMSR(0x4000_0000, 0x20_0001))
        #expect(!vcpu.writeMSR(0x4000_0000, 0x5000_0000))
        #expect(!machine.domain.is32Bit)
        #expect(vcpu.writeMSR(0x4000_0000, 0x20_0000))
        #expect(machine.domain.is32Bit)
        machine.cpus[0].is64Bit = true
        #expect(vcpu.writeMSR(0x4000_0000, 0x20_0000))
        #expect(!machine.domain.is32Bit)
        #expect(vcpu.readMSR(0x4000_0000) == 0 && vcpu.readMSR(0x4000_0001) == nil && !vcpu.writeMSR(0x4000_0001, 0))
    }

    @Test("An Intel vendor gets VMCALL and its own registers")
    func intel() throws {
        var configuration = Machine.configuration()
        configuration.cpuVendor = .intel
        let machine = try Machine(configuration)
        let vcpu = machine.domain.vcpus[0]
        #expect(vcpu.writeMSR(0x4000_0000, 0x20_0000))
        #expect(machine.bytes(0x20_0000, 9) == [0xb8, 0, 0, 0, 0, 0x0f, 0x01, 0xc1, 0xc3])
        #expect(vcpu.readMSR(0x3a) == 1 && vcpu.readMSR(0xc001_0015) == nil)
        #expect(vcpu.cpuid(leaf: 0, subleaf: 0).ebx == 0x756e_6547)
    }

    @Test("Identifiers differ between vCPUs", arguments: [0, 1, 5])
    func identifiers(index: Int) throws {
        let machine = try Machine(Machine.configuration(vcpus: 6))
        let vcpu = machine.domain.vcpus[index]
        #expect(vcpu.cpuid(leaf: 1, subleaf: 0).ebx >> 24 == UInt32(index * 2))
        #expect(vcpu.cpuid(leaf: 0xb, subleaf: 0).edx == UInt32(index * 2))
        #expect(vcpu.cpuid(leaf: 0x4000_0004, subleaf: 0).ebx == UInt32(index))
        #expect(vcpu.readMSR(0x1b) == (index == 0 ? 0xfee0_0900 : 0xfee0_0800))
    }

    @Test("The APIC's bit in CPUID follows its base register")
    func apicBit() throws {
        let machine = try Machine()
        let vcpu = machine.domain.vcpus
        #expect(vcpu[0].cpuid(leaf: 1, subleaf: 0).edx & 1 << 9 != 0)
        #expect(vcpu[0].writeMSR(0x1b, 0xfee0_0000))
        #expect(vcpu[0].cpuid(leaf: 1, subleaf: 0).edx & 1 << 9 == 0)
        #expect(vcpu[0].readPhysical(GuestPhysicalAddress(0xfee0_0030), byteCount: 4) == 0xffff_ffff)
    }

    @Test(
        "MTRRs keep what is valid and refuse the rest",
        arguments: [
            (UInt32(0x200), UInt64(0x8000_0006), true), (0x200, 0x8000_0002, false), (0x200, 0x8000_0106, false), (0x200, 1 << 40, false),
            (0x201, 0xff_8000_0800, true), (0x201, 0x400, false), (0x250, 0x0606_0606_0606_0606, true),
            (0x250, 0x0602_0606_0606_0606, false),
            (0x26f, 0, true), (0x2ff, 0xc06, true), (0x2ff, 0x1006, false), (0x2ff, 0xc02, false), (0xfe, 0x508, false),
        ])
    func mtrr(index: UInt32, value: UInt64, isValid: Bool) throws {
        let machine = try Machine()
        let vcpu = machine.domain.vcpus[0]
        let before = vcpu.readMSR(index)
        #expect(vcpu.writeMSR(index, value) == isValid)
        #expect(vcpu.readMSR(index) == (isValid ? value : before))
    }

    @Test("Unknown MSRs raise #GP unless the domain is relaxed about them", arguments: [false, true])
    func relaxed(isRelaxed: Bool) throws {
        var configuration = Machine.configuration()
        configuration.isMSRRelaxed = isRelaxed
        let machine = try Machine(configuration)
        let vcpu = machine.domain.vcpus[0]
        #expect((vcpu.readMSR(0x611) == 0) == isRelaxed)
        #expect(vcpu.writeMSR(0x611, 5) == isRelaxed)
        #expect(vcpu.readMSR(0x3a) == nil && !vcpu.writeMSR(0x3a, 5))
    }

    @Test("Characters for the hypervisor's log arrive; other ports swallow what is written")
    func log() throws {
        let machine = try Machine()
        for byte in "hi".utf8 { machine.domain.vcpus[0].writePort(0xe9, byteCount: 1, value: UInt32(byte)) }
        machine.domain.vcpus[0].writePort(0x80, byteCount: 1, value: 5)
        #expect(machine.host.take().log == Array("hi".utf8))
    }

    @Test("HVM parameters can be written where the interface allows it", arguments: 0..<45)
    func parameters(index: Int) throws {
        let machine = try Machine()
        let expected: Int64 =
            switch index {
            case 0, 2, 15, 18, 19, 34, 36, 37: 0
            case 4, 13, 20...26, 30, 39...: -22
            case 35: -17
            default: -1
            }
        #expect(machine.setParameter(index, 7) == expected)
        if expected == 0 { #expect(machine.domain.parameter(index) == 7) }
    }

    @Test("The APIC answers in its page by aligned dwords")
    func apicPage() throws {
        let machine = try Machine()
        let vcpu = machine.domain.vcpus[0]
        vcpu.writePhysical(GuestPhysicalAddress(0xfee0_0080), byteCount: 4, value: 0x30)
        #expect(vcpu.readPhysical(GuestPhysicalAddress(0xfee0_0080), byteCount: 4) == 0x30)
        vcpu.writePhysical(GuestPhysicalAddress(0xfee0_0084), byteCount: 4, value: 0x50)
        vcpu.writePhysical(GuestPhysicalAddress(0xfee0_0080), byteCount: 1, value: 0x50)
        #expect(vcpu.readMSR(0x808) == 0x30)
        #expect(vcpu.readPhysical(GuestPhysicalAddress(0xfee0_0030), byteCount: 1) == 0x14)
        #expect(vcpu.readPhysical(GuestPhysicalAddress(0xfee0_0032), byteCount: 1) == 0x05)
    }
}
