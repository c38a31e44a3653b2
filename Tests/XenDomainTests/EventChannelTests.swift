import Synchronization
import Testing
import XenABI
import XenDomain

@Suite("Event channels, two-level") struct TwoLevelTests {
    /// Offsets of the mapped shared page for both bitnesses.
    private func layout(_ machine: Machine) -> SharedInfoLayout { machine.domain.is32Bit ? .bits32 : .bits64 }

    private func prepared(is64Bit: Bool) throws -> (Machine, base: UInt64) {
        let machine = try Machine(is64Bit: is64Bit)
        #expect(machine.mapSharedInfo() == 0)
        #expect(machine.setParameter(HVMParameter.callbackIRQ, 2 << 56 | 0xf3) == 0)
        return (machine, 0x104000)
    }

    @Test("An event sets its pending bit, the selector and the upcall flag, once", arguments: [true, false])
    func raise(is64Bit: Bool) throws {
        let (machine, base) = try prepared(is64Bit: is64Bit)
        let (result, fields) = machine.events(EventChannelOp.bindIPI, [0, 0])
        #expect(result == 0 && fields[1] == 3)
        #expect(machine.events(EventChannelOp.send, [3]).result == 0)
        #expect(machine.get(base + UInt64(layout(machine).eventPending), as: UInt32.self) == 1 << 3)
        #expect(machine.get(base, as: UInt8.self) == 1)
        #expect(machine.get(base + (is64Bit ? 8 : 4), as: UInt32.self) == 1)
        #expect(machine.domain.vcpus[0].hasPendingInterrupt())
        #expect(machine.domain.vcpus[0].acknowledgeInterrupt() == 0xf3)
        // Level-like: it stays until the guest clears the flag.
        #expect(machine.domain.vcpus[0].hasPendingInterrupt())
        machine.put(UInt8(0), at: base)
        #expect(!machine.domain.vcpus[0].hasPendingInterrupt())
        // Pending already: nothing is raised again.
        #expect(machine.events(EventChannelOp.send, [3]).result == 0)
        #expect(machine.get(base, as: UInt8.self) == 0)
    }

    @Test("A masked event stays pending and is raised by unmask", arguments: [true, false])
    func mask(is64Bit: Bool) throws {
        let (machine, base) = try prepared(is64Bit: is64Bit)
        _ = machine.events(EventChannelOp.bindIPI, [0, 0])
        machine.put(UInt32.max, at: base + UInt64(layout(machine).eventMask))
        #expect(machine.events(EventChannelOp.send, [3]).result == 0)
        #expect(machine.get(base, as: UInt8.self) == 0)
        #expect(machine.events(EventChannelOp.unmask, [3]).result == 0)
        #expect(machine.get(base, as: UInt8.self) == 1)
        #expect(machine.get(base + UInt64(layout(machine).eventMask), as: UInt32.self) == ~(1 << 3))
    }

    @Test("Ports beyond what the bitmaps hold are not given out", arguments: [(true, 1023), (false, 1023)])
    func limit(is64Bit: Bool, last: UInt32) throws {
        let (machine, _) = try prepared(is64Bit: is64Bit)
        var port: UInt32 = 0
        while true {
            let (result, fields) = machine.events(EventChannelOp.bindIPI, [0, 0])
            guard result == 0 else {
                #expect(result == XenError.noSpace.result)
                break
            }
            port = fields[1]
        }
        #expect(port == last)
        #expect(machine.events(EventChannelOp.send, [last]).result == 0)
    }
}

@Suite("Event channels, operations") struct EventOperationTests {
    @Test(
        "Bad arguments are refused with the numbers of the interface",
        arguments: [
            // command, fields, result
            (EventChannelOp.bindVIRQ, [UInt32(24), 0, 0], XenError.invalidArgument), (EventChannelOp.bindVIRQ, [0, 9, 0], .noEntry),
            (EventChannelOp.bindVIRQ, [3, 1, 0], .invalidArgument), (EventChannelOp.bindPIRQ, [9, 0, 0], .invalidArgument),
            (EventChannelOp.bindIPI, [9, 0], .noEntry), (EventChannelOp.close, [0], .invalidArgument),
            (EventChannelOp.close, [9], .invalidArgument),
            (EventChannelOp.close, [0xffff_ffff], .invalidArgument), (EventChannelOp.send, [9], .invalidArgument),
            (EventChannelOp.status, [0x7ff0, 5000, 0, 0, 0, 0], .invalidArgument),
            (EventChannelOp.status, [77, 1, 0, 0, 0, 0], .noSuchDomain),
            (EventChannelOp.allocUnbound, [77, 0], .noSuchDomain), (EventChannelOp.bindInterdomain, [0, 21, 0], .invalidArgument),
            (EventChannelOp.bindInterdomain, [77, 1, 0], .noSuchDomain), (EventChannelOp.bindVCPU, [1, 9], .noEntry),
            (EventChannelOp.bindVCPU, [9, 0], .invalidArgument), (EventChannelOp.unmask, [9], .invalidArgument),
            (EventChannelOp.setPriority, [1, 3], .notImplemented), (EventChannelOp.expandArray, [0x300, 0], .notSupported),
            (EventChannelOp.initControl, [0x300, 0, 4, 0, 0, 0], .invalidArgument),
            (EventChannelOp.initControl, [0x300, 0, 0, 7, 0, 0], .noEntry),
            (EventChannelOp.initControl, [0x300, 0, 4032, 0, 0, 0], .invalidArgument),
            (EventChannelOp.initControl, [0x9_9999, 0, 0, 0, 0, 0], .invalidArgument), (EventChannelOp.reset, [77], .noSuchDomain),
        ])
    func refusals(command: UInt64, fields: [UInt32], error: XenError) throws {
        let machine = try Machine()
        #expect(machine.events(command, fields).result == error.result)
    }

    @Test("A virtual interrupt is bound once per vCPU and given free by close")
    func virq() throws {
        let machine = try Machine(Machine.configuration(vcpus: 2))
        #expect(machine.events(EventChannelOp.bindVIRQ, [VIRQ.timer, 0, 0]).fields[2] == 3)
        #expect(machine.events(EventChannelOp.bindVIRQ, [VIRQ.timer, 1, 0]).fields[2] == 4)
        #expect(machine.events(EventChannelOp.bindVIRQ, [VIRQ.timer, 0, 0]).result == XenError.exists.result)
        #expect(machine.events(EventChannelOp.status, [0x7ff0, 4, 0, 0, 0, 0]).fields[2...4] == [EventChannelStatus.virq, 1, 0])
        #expect(machine.events(EventChannelOp.send, [3]).result == XenError.invalidArgument.result)
        #expect(machine.events(EventChannelOp.close, [3]).result == 0)
        #expect(machine.events(EventChannelOp.bindVIRQ, [VIRQ.timer, 0, 0]).fields[2] == 3)
    }

    @Test("Two ports of the guest can be connected; closing one leaves the other unbound")
    func loopback() throws {
        let machine = try Machine()
        machine.mapSharedInfo()
        #expect(machine.events(EventChannelOp.allocUnbound, [0x7ff0 | 0x7ff0 << 16, 0]).fields[1] == 3)
        let (result, fields) = machine.events(EventChannelOp.bindInterdomain, [2, 3, 0])
        #expect(result == 0 && fields[2] == 4)
        // The new port starts pending, so that nothing sent before is missed.
        #expect(machine.get(0x104800, as: UInt32.self) == 1 << 4)
        #expect(machine.events(EventChannelOp.send, [4]).result == 0)
        #expect(machine.get(0x104800, as: UInt32.self) == 1 << 4 | 1 << 3)
        #expect(machine.events(EventChannelOp.close, [4]).result == 0)
        #expect(machine.events(EventChannelOp.status, [0x7ff0, 3, 0, 0, 0, 0]).fields[2] == EventChannelStatus.unbound)
        #expect(machine.events(EventChannelOp.send, [3]).result == 0)
    }

    @Test("A backend hears the guest and is heard by it")
    func backend() throws {
        let machine = try Machine()
        machine.mapSharedInfo()
        let heard = Mutex(0)
        #expect(try machine.domain.bindHost(machine.domain.storePort) { heard.withLock { $0 += 1 } } == 21)
        #expect(machine.events(EventChannelOp.send, [1]).result == 0)
        #expect(heard.withLock { $0 } == 1)
        machine.domain.notify(1)
        #expect(machine.get(0x104800, as: UInt32.self) == 1 << 1)
        let (_, fields) = machine.events(EventChannelOp.allocUnbound, [0x7ff0, 0])
        #expect(fields[1] == 3)
        #expect(machine.events(EventChannelOp.send, [3]).result == 0)
        #expect(try machine.domain.bindHost(3) { heard.withLock { $0 += 10 } } == 23)
        #expect(machine.events(EventChannelOp.send, [3]).result == 0)
        // Once for the new connection, once for what was sent.
        #expect(heard.withLock { $0 } == 21)
        machine.domain.unbindHost(3)
        #expect(machine.events(EventChannelOp.status, [0x7ff0, 3, 0, 0, 0, 0]).fields[2] == EventChannelStatus.unbound)
        #expect(machine.events(EventChannelOp.send, [3]).result == 0)
        #expect(heard.withLock { $0 } == 21)
        #expect(throws: XenError.invalidArgument) { try machine.domain.bindHost(9) {} }
    }

    @Test("A port that cannot be reported is given back")
    func unwritable() throws {
        let machine = try Machine()
        // The structure's last field lies in the next page, which is not there.
        machine.put(UInt32(0), at: 0x3ff_fffc)
        #expect(machine.call(Hypercall.eventChannelOp, EventChannelOp.bindIPI, 0x3ff_fffc) == XenError.badAddress.result)
        #expect(machine.events(EventChannelOp.bindIPI, [0, 0]).fields[1] == 3)
    }

    @Test("Moving a port tells the other vCPU")
    func bindVCPU() throws {
        let machine = try Machine(Machine.configuration(vcpus: 2))
        machine.mapSharedInfo()
        #expect(machine.events(EventChannelOp.bindVCPU, [1, 1]).result == 0)
        machine.domain.notify(1)
        #expect(machine.get(0x104000, as: UInt8.self) == 0)
        #expect(machine.get(0x104040, as: UInt8.self) == 1)
        _ = machine.events(EventChannelOp.bindIPI, [0, 0])
        #expect(machine.events(EventChannelOp.bindVCPU, [3, 1]).result == XenError.invalidArgument.result)
    }
}

@Suite("Event channels, FIFO") struct FIFOTests {
    private static let control: UInt64 = 0x30_0000
    private static let array: UInt64 = 0x31_0000

    private func prepared() throws -> Machine {
        let machine = try Machine()
        machine.mapSharedInfo()
        let (result, fields) = machine.events(EventChannelOp.initControl, [UInt32(Self.control >> 12), 0, 0, 0, 0, 0])
        #expect(result == 0 && fields[4] & 0xff == 17)
        #expect(machine.events(EventChannelOp.expandArray, [UInt32(Self.array >> 12), 0]).result == 0)
        return machine
    }

    private func word(_ machine: Machine, _ port: UInt32) -> UInt32 { machine.get(Self.array + UInt64(port) * 4) }
    private func setWord(_ machine: Machine, _ port: UInt32, _ value: UInt32) { machine.put(value, at: Self.array + UInt64(port) * 4) }
    private func head(_ machine: Machine, _ queue: Int) -> UInt32 { machine.get(Self.control + 8 + UInt64(queue) * 4) }
    private func ready(_ machine: Machine) -> UInt32 { machine.get(Self.control) }

    /// Takes one event off a queue as a guest does.
    private func consume(_ machine: Machine, queue: Int) -> UInt32 {
        let port = head(machine, queue)
        let word = word(machine, port)
        let next = word & FIFOEvent.linkMask
        setWord(machine, port, word & ~(FIFOEvent.linked | FIFOEvent.linkMask | FIFOEvent.pending))
        machine.put(next, at: Self.control + 8 + UInt64(queue) * 4)
        if next == 0 { machine.put(ready(machine) & ~(1 << UInt32(queue)), at: Self.control) }
        return port
    }

    @Test("Events are linked in order and consumed in order")
    func order() throws {
        let machine = try prepared()
        for _ in 0..<3 { _ = machine.events(EventChannelOp.bindIPI, [0, 0]) }
        for port in [5, 3, 4] as [UInt32] { #expect(machine.events(EventChannelOp.send, [port]).result == 0) }
        #expect(ready(machine) == 1 << 7)
        #expect(machine.get(0x104000, as: UInt8.self) == 1)
        #expect(word(machine, 5) == FIFOEvent.pending | FIFOEvent.linked | 3)
        #expect([5, 3, 4].allSatisfy { consume(machine, queue: 7) == $0 })
        #expect(head(machine, 7) == 0 && ready(machine) == 0)
        #expect(machine.events(EventChannelOp.send, [3]).result == 0)
        #expect(head(machine, 7) == 3)
    }

    @Test("An event raised twice is linked once")
    func twice() throws {
        let machine = try prepared()
        _ = machine.events(EventChannelOp.bindIPI, [0, 0])
        for _ in 0..<2 { _ = machine.events(EventChannelOp.send, [3]) }
        #expect(word(machine, 3) == FIFOEvent.pending | FIFOEvent.linked)
        #expect(head(machine, 7) == 3)
    }

    @Test("A masked event is pending without a link until it is unmasked")
    func mask() throws {
        let machine = try prepared()
        _ = machine.events(EventChannelOp.bindIPI, [0, 0])
        setWord(machine, 3, FIFOEvent.masked)
        _ = machine.events(EventChannelOp.send, [3])
        #expect(word(machine, 3) == FIFOEvent.masked | FIFOEvent.pending)
        #expect(head(machine, 7) == 0)
        #expect(machine.events(EventChannelOp.unmask, [3]).result == 0)
        #expect(word(machine, 3) == FIFOEvent.pending | FIFOEvent.linked)
        #expect(head(machine, 7) == 3)
    }

    @Test("Priorities have queues of their own")
    func priority() throws {
        let machine = try prepared()
        for _ in 0..<2 { _ = machine.events(EventChannelOp.bindIPI, [0, 0]) }
        #expect(machine.events(EventChannelOp.setPriority, [4, 0]).result == 0)
        #expect(machine.events(EventChannelOp.setPriority, [4, 16]).result == XenError.invalidArgument.result)
        for port in [3, 4] as [UInt32] { _ = machine.events(EventChannelOp.send, [port]) }
        #expect(ready(machine) == 1 << 7 | 1)
        #expect(head(machine, 0) == 4 && head(machine, 7) == 3)
    }

    @Test("A tail that moved to another queue does not get successors in the old one")
    func movedTail() throws {
        let machine = try prepared()
        for _ in 0..<2 { _ = machine.events(EventChannelOp.bindIPI, [0, 0]) }
        _ = machine.events(EventChannelOp.send, [3])
        #expect(consume(machine, queue: 7) == 3)
        _ = machine.events(EventChannelOp.setPriority, [3, 1])
        _ = machine.events(EventChannelOp.send, [3])
        #expect(head(machine, 1) == 3)
        _ = machine.events(EventChannelOp.send, [4])
        #expect(head(machine, 7) == 4)
        #expect(word(machine, 3) & FIFOEvent.linkMask == 0)
    }

    @Test("What was pending before the change of ABI is raised when its page arrives")
    func carriedOver() throws {
        let machine = try Machine()
        machine.mapSharedInfo()
        machine.domain.notify(2)
        _ = machine.events(EventChannelOp.initControl, [UInt32(Self.control >> 12), 0, 0, 0, 0, 0])
        machine.domain.notify(1)
        #expect(head(machine, 7) == 0)
        #expect(machine.events(EventChannelOp.expandArray, [UInt32(Self.array >> 12), 0]).result == 0)
        #expect(consume(machine, queue: 7) == 1)
        #expect(consume(machine, queue: 7) == 2)
    }

    @Test("More ports than two levels hold can be bound")
    func manyPorts() throws {
        var configuration = Machine.configuration()
        configuration.maximumEventChannels = 5000
        let machine = try Machine(configuration)
        _ = machine.events(EventChannelOp.initControl, [UInt32(Self.control >> 12), 0, 0, 0, 0, 0])
        for page in 0..<5 as Range<UInt32> {
            #expect(machine.events(EventChannelOp.expandArray, [UInt32(Self.array >> 12) + page, 0]).result == 0)
        }
        var last: UInt32 = 0
        while true {
            let (result, fields) = machine.events(EventChannelOp.bindIPI, [0, 0])
            guard result == 0 else { break }
            last = fields[1]
        }
        #expect(last == 5000)
        _ = machine.events(EventChannelOp.send, [4999])
        #expect(head(machine, 7) == 4999)
        #expect(word(machine, 4999) == FIFOEvent.pending | FIFOEvent.linked)
    }

    @Test("A guest that scribbles over its words and queues hurts nobody else")
    func hostile() throws {
        let machine = try prepared()
        for _ in 0..<20 { _ = machine.events(EventChannelOp.bindIPI, [0, 0]) }
        var random = SeededRandom(seed: 7)
        for _ in 0..<20_000 {
            setWord(machine, UInt32.random(in: 0..<1024, using: &random), UInt32.random(in: 0...UInt32.max, using: &random))
            machine.put(UInt32.random(in: 0...UInt32.max, using: &random), at: Self.control + UInt64.random(in: 0..<18, using: &random) * 4)
            let port = UInt32.random(in: 1..<25, using: &random)
            switch random.next() & 3 {
            case 0: _ = machine.events(EventChannelOp.setPriority, [port, UInt32(random.next() & 15)])
            case 1: _ = machine.events(EventChannelOp.unmask, [port])
            default: _ = machine.events(EventChannelOp.send, [port])
            }
        }
        #expect(machine.domain.shutdownReason == nil)
    }

    @Test("Reset closes every port and goes back to two levels")
    func reset() throws {
        let machine = try prepared()
        _ = machine.events(EventChannelOp.bindIPI, [0, 0])
        #expect(machine.events(EventChannelOp.reset, [0x7ff0]).result == 0)
        for port in 1..<5 as Range<UInt32> {
            #expect(machine.events(EventChannelOp.status, [0x7ff0, port, 0, 0, 0, 0]).fields[2] == EventChannelStatus.closed)
        }
        _ = machine.events(EventChannelOp.bindIPI, [0, 0])
        _ = machine.events(EventChannelOp.send, [1])
        #expect(machine.get(0x104800, as: UInt32.self) & 2 != 0)
        #expect(machine.events(EventChannelOp.initControl, [UInt32(Self.control >> 12), 0, 0, 0, 0, 0]).result == 0)
    }
}
