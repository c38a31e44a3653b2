import GuestMemory
import Testing
import X86
import XenABI
import XenDomain

@Suite("Hypercall fuzzing") struct FuzzTests {
    /// Numbers that mean something somewhere.
    private static let interesting: [UInt64] = [
        0, 1, 2, 3, 7, 8, 16, 64, 0x7ff0, 0xff8, 0xfff, 0x1000, 0x104, 0x300, 0x4000, 0xfeffc, 0x1fffff, 0x20_0000, 0x20_0ff8, 0x3ff_fff8,
        0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff, 0x1_0000_0000, 1 << 40, 1 << 52, 1 << 63, .max - 7, .max,
    ]

    private func number(_ random: inout SeededRandom) -> UInt64 {
        switch random.next() & 3 {
        case 0: random.next()
        case 1: random.next() & 0xff
        default: Self.interesting.randomElement(using: &random) ?? 0
        }
    }

    @Test("No sequence of hypercalls, MSR writes and scribbling stops the process", arguments: 1...8 as ClosedRange<UInt64>)
    func fuzz(seed: UInt64) throws {
        var random = SeededRandom(seed: seed &* 0x9e37_79b9_7f4a_7c15)
        var configuration = Machine.configuration(vcpus: 3)
        configuration.version = seed & 1 == 0 ? .v4_17 : .v4_20
        configuration.isMSRRelaxed = seed & 2 == 0
        var machine = try Machine(configuration, is64Bit: seed & 4 == 0)
        for _ in 0..<6_000 {
            if machine.domain.shutdownReason != nil { machine = try Machine(configuration, is64Bit: random.next() & 1 == 0) }
            act(machine, Int(random.next() % 3), &random)
        }
        #expect(machine.domain.totalPages <= configuration.maximumPages)
    }

    @Test(
        "vCPUs that call at the same time, with timers and backends beside them, do not stop the process either", arguments: [true, false])
    func threads(is64Bit: Bool) throws {
        let machine = try Machine(Machine.configuration(vcpus: 3), is64Bit: is64Bit)
        together(
            (0..<3).map { index in
                {
                    var random = SeededRandom(seed: UInt64(index + 1) &* 0x9e37_79b9_7f4a_7c15)
                    for _ in 0..<6_000 where machine.domain.shutdownReason == nil { act(machine, index, &random) }
                }
            })
        #expect(machine.domain.totalPages <= machine.domain.configuration.maximumPages)
    }

    private func act(_ machine: Machine, _ index: Int, _ random: inout SeededRandom) {
        let cpu = machine.cpus[index]
        let vcpu = machine.domain.vcpus[index]
        switch random.next() & 15 {
        case 0: cpu.is64Bit.toggle()
        case 1: _ = vcpu.writeMSR(UInt32(truncatingIfNeeded: number(&random)), number(&random))
        case 2: _ = vcpu.writeMSR(0x800 + UInt32(random.next() & 0x3f), number(&random))
        case 3: machine.host.advance(number(&random) & 0xffff_ffff)
        case 4: machine.domain.fireTimers(now: machine.host.now())
        case 5: machine.domain.notify(UInt32(random.next() & 31))
        case 6: _ = vcpu.step(cpu)
        case 7: _ = vcpu.readPhysical(GuestPhysicalAddress(0xfee0_0000 + random.next() & 0xfff), byteCount: 4)
        case 8: vcpu.writePhysical(GuestPhysicalAddress(0xfee0_0000 + random.next() & 0xff0), byteCount: 4, value: number(&random))
        default: hypercall(machine, index, &random)
        }
    }

    /// A call whose argument mostly is a structure with fields from the same list of numbers.
    private func hypercall(_ machine: Machine, _ index: Int, _ random: inout SeededRandom) {
        for offset in stride(from: UInt64(0), to: 128, by: 4) {
            let value = UInt32(truncatingIfNeeded: number(&random))
            let address = GuestPhysicalAddress(Machine.scratch + offset)
            // The guest may have given the page away: then the call gets a bad pointer.
            do { try machine.memory.store(address, value) } catch { break }
        }
        let calls = [12, 13, 15, 17, 18, 20, 20, 21, 24, 24, 26, 29, 32, 32, 32, 33, 34, 35, 40, 41, 49]
        let call = calls.randomElement(using: &random) ?? 12
        let pointer = random.next() & 3 == 0 ? number(&random) : Machine.scratch
        let command = random.next() & 31
        let isFinal = call == 29 && (command == 2 || command == 5) && random.next() & 15 != 0
        guard !isFinal else { return }
        let second = call == 24 ? random.next() & 3 : pointer
        let third = call == 24 ? pointer : random.next() & 3
        let first = call == 13 ? pointer : command
        machine.call(call, first, call == 13 ? third : second, third, number(&random), on: index)
    }
}
