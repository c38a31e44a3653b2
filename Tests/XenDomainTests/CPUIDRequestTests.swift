import Testing
import X86

@testable import XenDomain

/// What `cpuid=` makes of CPUID, on the domain's side.
@Suite("Requests for CPUID") struct CPUIDRequestTests {
    private func machine(_ requests: [CPUIDRequest]) throws -> Machine {
        var configuration = Machine.configuration(vcpus: 2)
        configuration.cpuidRequests = requests
        return try Machine(configuration)
    }

    private func off(_ leaf: UInt32, _ register: CPUIDRequest.Register, _ bits: Int..., subleaf: UInt32 = 0) -> CPUIDRequest {
        CPUIDRequest(leaf: leaf, subleaf: subleaf, register: register, mask: bits.reduce(0) { $0 | 1 << UInt32($1) }, value: 0)
    }

    private func on(_ leaf: UInt32, _ register: CPUIDRequest.Register, _ bit: UInt32, subleaf: UInt32 = 0) -> CPUIDRequest {
        CPUIDRequest(leaf: leaf, subleaf: subleaf, register: register, mask: 1 << bit, value: 1 << bit)
    }

    private func value(_ leaf: UInt32, _ register: CPUIDRequest.Register, _ machine: Machine, subleaf: UInt32 = 0) -> UInt32 {
        machine.domain.vcpus[1].cpuid(leaf: leaf, subleaf: subleaf)[register]
    }

    @Test(
        "a feature that is switched off is off on every vCPU, and nothing else changes but what cannot be without it",
        arguments: [
            (1, 0, .ecx, 20, []),  // SSE4.2
            (1, 0, .ecx, 19, [CPUFeature.sse42]),
            (1, 0, .edx, 25, [.sse2, .sse3, .ssse3, .sse41, .sse42, .longMode, .aes, .pclmulqdq, .sha]),
            (1, 0, .ecx, 26, [.xsaveopt]), (7, 0, .ebx, 7, []), (0x8000_0001, 0, .edx, 27, [.rdpid]), (0x8000_0007, 0, .edx, 8, []),
            (0xd, 1, .eax, 0, []), (1, 0, .ecx, 31, []),
        ] as [(UInt32, UInt32, CPUIDRequest.Register, Int, [CPUFeature])])
    func off(leaf: UInt32, subleaf: UInt32, register: CPUIDRequest.Register, bit: Int, orphans: [CPUFeature]) throws {
        let plain = try machine([])
        let machine = try machine([off(leaf, register, bit, subleaf: subleaf)])
        #expect(value(leaf, register, plain, subleaf: subleaf) >> UInt32(bit) & 1 == 1)
        #expect(value(leaf, register, machine, subleaf: subleaf) >> UInt32(bit) & 1 == 0)
        #expect(machine.domain.unmetCPUIDRequests.isEmpty)
        var expected = CPUPolicy.softwareFeatures
        expected.insert(.htt)
        expected.restrict(to: [off(leaf, register, bit, subleaf: subleaf)])
        for orphan in orphans { #expect(!expected.contains(orphan)) }
        let places: [(CPUFeature.Word, UInt32, UInt32, CPUIDRequest.Register)] = [
            (.leaf1ECX, 1, 0, .ecx), (.leaf1EDX, 1, 0, .edx), (.leaf7EBX, 7, 0, .ebx), (.extended1ECX, 0x8000_0001, 0, .ecx),
        ]
        for (word, leaf, subleaf, register) in places { #expect(value(leaf, register, machine, subleaf: subleaf) == expected[word]) }
    }

    @Test("without XSAVE there is no leaf for its areas")
    func xsave() throws {
        let machine = try machine([off(1, .ecx, 26)])
        #expect(machine.domain.vcpus[0].cpuid(leaf: 0xd, subleaf: 0) == CPUIDResult())
        #expect(machine.domain.vcpus[0].cpuid(leaf: 0xd, subleaf: 1) == CPUIDResult())
    }

    @Test("a feature the engine lacks stays off and is reported, and so is one whose base is switched off")
    func beyond() throws {
        let machine = try machine([on(1, .ecx, 28), on(7, .ebx, 5), off(1, .ecx, 19), on(1, .ecx, 20), on(0x1234, .eax, 3)])
        #expect(value(1, .ecx, machine) & (1 << 28 | 1 << 19 | 1 << 20) == 0)
        #expect(value(7, .ebx, machine) & 1 << 5 == 0)
        #expect(machine.domain.unmetCPUIDRequests == [on(1, .ecx, 28), on(7, .ebx, 5), on(1, .ecx, 20), on(0x1234, .eax, 3)])
    }

    @Test("family, model and stepping are what is asked, in both leaves; names and cache sizes, too")
    func numbers() throws {
        let signature = CPUIDRequest(leaf: 1, register: .eax, mask: 0x0fff_0fff, value: 0x000306c3)
        let name = CPUIDRequest(leaf: 0x8000_0002, register: .ebx, mask: .max, value: 0x41424344)
        let machine = try machine([signature, name, CPUIDRequest(leaf: 1, register: .ebx, mask: 0xff00, value: 0x1000)])
        #expect(value(1, .eax, machine) == 0x000306c3 && value(0x8000_0001, .eax, machine) == 0x000306c3)
        #expect(value(0x8000_0002, .ebx, machine) == 0x41424344)
        #expect(value(1, .ebx, machine) == 0x0202_1000)
        #expect(machine.domain.unmetCPUIDRequests.isEmpty)
    }

    @Test(
        "the last leaf can be lowered, not raised, and what lies above is gone",
        arguments: [(0, 5, 5, true), (0, 0x14, 0xd, false)] as [(UInt32, UInt32, UInt32, Bool)])
    func limits(leaf: UInt32, wanted: UInt32, shown: UInt32, isMet: Bool) throws {
        let machine = try machine([CPUIDRequest(leaf: leaf, register: .eax, mask: .max, value: wanted)])
        #expect(value(0, .eax, machine) == shown)
        #expect((value(7, .ebx, machine) != 0) == (shown >= 7))
        #expect(machine.domain.unmetCPUIDRequests.isEmpty == isMet)
    }

    @Test("the extended range and Xen's own can be shortened, but never so far that Xen's MSR is not named")
    func ranges() throws {
        let machine = try machine([
            CPUIDRequest(leaf: 0x8000_0000, register: .eax, mask: .max, value: 0x8000_0004),
            CPUIDRequest(leaf: 0x4000_0000, register: .eax, mask: 0xff, value: 0),
        ])
        #expect(value(0x8000_0000, .eax, machine) == 0x8000_0004)
        #expect(value(0x8000_0008, .eax, machine) == 0 && value(0x8000_0001, .edx, machine) != 0)
        #expect(value(0x4000_0000, .eax, machine) == 0x4000_0002)
        #expect(value(0x4000_0002, .ebx, machine) == 0x4000_0000 && value(0x4000_0003, .eax, machine) == 0)
    }

    @Test("vendor and APIC IDs stay, whatever is asked")
    func fixed() throws {
        let vendor = CPUIDRequest(leaf: 0, register: .ebx, mask: .max, value: 0x756e_6547)
        let identifier = CPUIDRequest(leaf: 1, register: .ebx, mask: 0xff00_0000, value: 0x0200_0000)
        let machine = try machine([vendor, identifier])
        #expect(value(0, .ebx, machine) == 0x6874_7541 && value(1, .ebx, machine) >> 24 == 2)
        #expect(machine.domain.unmetCPUIDRequests.map(\.leaf) == [0, 1])
    }
}
