import Testing
import XenABI
import XenDomain

/// Sub-operations with good arguments, so that the answer comes from the operation and not from the pointer. Answers to bad pointers are
/// compared with the capture (`FidelityTests`).
@Suite("physdev_op and hvm_op of a guest without interrupt lines and a device model") struct RefusedOperationTests {
    private func machine(_ version: XenVersion, is64Bit: Bool) throws -> Machine {
        var configuration = Machine.configuration()
        configuration.version = version
        return try Machine(configuration, is64Bit: is64Bit)
    }

    @Test(
        "No operation on physical interrupts is there",
        arguments: [(XenVersion.v4_17, true), (.v4_17, false), (.v4_20, true), (.v4_20, false)])
    func physdev(version: XenVersion, is64Bit: Bool) throws {
        let machine = try machine(version, is64Bit: is64Bit)
        for command in 0...40 as ClosedRange<UInt64> {
            machine.put(DomainID.current, at: Machine.scratch)
            let isMapping = [PhysdevOp.mapPIRQ, PhysdevOp.unmapPIRQ].contains(command) && version == .v4_20
            let error: XenError = isMapping ? .notSupported : .notImplemented
            #expect(machine.call(Hypercall.physdevOp, command, Machine.scratch) == error.result, "\(command)")
        }
    }

    @Test(
        "From 4.20 on mapping an interrupt looks at its structure and its domain first",
        arguments: [
            // domain, error
            (UInt16(2), XenError.notSupported), (DomainID.current, .notSupported), (0, .notPermitted), (9, .noSuchDomain),
        ], [true, false])
    func mapping(_ row: (domain: UInt16, error: XenError), is64Bit: Bool) throws {
        let machine = try machine(.v4_20, is64Bit: is64Bit)
        // The structure ends with the guest's memory: map_pirq has 40 or 36 bytes, unmap_pirq 8.
        for (command, size) in [(PhysdevOp.mapPIRQ, UInt64(is64Bit ? 40 : 36)), (PhysdevOp.unmapPIRQ, 8)] {
            let at = 0x400_0000 - size
            machine.put(row.domain, at: at)
            #expect(machine.call(Hypercall.physdevOp, command, at) == row.error.result)
            machine.put(row.domain, at: at + 4)
            #expect(machine.call(Hypercall.physdevOp, command, at + 4) == XenError.badAddress.result)
        }
    }

    @Test(
        "hvm_op has what a guest may do for itself, and nothing of a device model",
        arguments: [
            // operation, answer to a structure whose domain is the caller itself
            (UInt64(2), XenError.notImplemented), (3, .notImplemented), (4, .notImplemented), (6, .notImplemented), (7, .notImplemented),
            (8, .notImplemented), (HVMOp.pagetableDying, .invalidArgument), (12, .notImplemented), (13, .notImplemented),
            (14, .notImplemented), (16, .notImplemented), (17, .notImplemented), (18, .notImplemented), (19, .notImplemented),
            (20, .notImplemented), (21, .notImplemented), (22, .notImplemented), (HVMOp.alternativeP2M, .notSupported),
            (26, .notImplemented),
            (1000, .notImplemented), (HVMOp.flushTLBs, .invalidArgument), (HVMOp.guestRequestVMEvent, .invalidArgument),
        ], [true, false])
    func refused(_ row: (operation: UInt64, error: XenError), is64Bit: Bool) throws {
        let machine = try Machine(is64Bit: is64Bit)
        machine.put(DomainID.current, at: Machine.scratch)
        #expect(machine.call(Hypercall.hvmOp, row.operation, Machine.scratch) == row.error.result)
    }

    @Test("hvm_op does what needs no device model", arguments: [true, false])
    func done(is64Bit: Bool) throws {
        let machine = try Machine(is64Bit: is64Bit)
        let at = Machine.scratch
        #expect(machine.call(Hypercall.hvmOp, HVMOp.flushTLBs, 0) == 0 && machine.cpus[0].flushes == 1)
        #expect(machine.call(Hypercall.hvmOp, HVMOp.guestRequestVMEvent, 0) == 0)
        machine.host.advance(12345)
        #expect(machine.call(Hypercall.hvmOp, HVMOp.getTime, at) == 0 && machine.get(at, as: UInt64.self) == machine.host.now())
        machine.put(UInt64(0), at: at)
        machine.put(UInt32(0), at: at + 8)
        #expect(machine.call(Hypercall.hvmOp, HVMOp.xentrace, at) == 0)
        for (gfn, type) in [(UInt64(0x300), UInt16(0)), (0xfeffc, 0), (0x9_9999, 2), (.max, 2)] {
            machine.put(UInt64(DomainID.current), at: at)
            machine.put(gfn, at: at + 8)
            #expect(machine.call(Hypercall.hvmOp, HVMOp.getMemoryType, at) == 0)
            #expect(machine.get(at + 2, as: UInt16.self) == type, "gfn \(gfn)")
        }
    }

    /// What a guest may do with its own parameters; every index there is, and the first that is not.
    @Test("HVM parameters can be read and written as the interface says", arguments: [true, false])
    func parameters(is64Bit: Bool) throws {
        let (readWrite, readOnly) = ([0, 2, 15, 18, 19, 34, 36, 37], [1, 17])
        let deprecated = [4, 13, 20, 21, 22, 23, 24, 25, 26, 30]
        for index in 0...39 {
            let machine = try Machine(is64Bit: is64Bit)
            let isOdd = index >= 39 || deprecated.contains(index)
            let get: Int64 =
                isOdd
                ? XenError.invalidArgument.result
                : readWrite.contains(index) || readOnly.contains(index) || index == 35 ? 0 : XenError.notPermitted.result
            let set: Int64 =
                isOdd
                ? XenError.invalidArgument.result
                : index == 35 ? XenError.exists.result : readWrite.contains(index) ? 0 : XenError.notPermitted.result
            machine.put(UInt32(DomainID.current), at: Machine.scratch)
            machine.put(UInt32(index), at: Machine.scratch + 4)
            machine.put(UInt64(0), at: Machine.scratch + 8)
            #expect(machine.call(Hypercall.hvmOp, HVMOp.getParameter, Machine.scratch) == get, "get \(index)")
            #expect(machine.setParameter(index, 0) == set, "set \(index)")
            machine.put(UInt32(9), at: Machine.scratch)
            let foreign = index >= 39 ? XenError.invalidArgument : .noSuchDomain
            #expect(machine.call(Hypercall.hvmOp, HVMOp.getParameter, Machine.scratch) == foreign.result)
        }
    }
}
