import ControlProtocol
import Glibc
import Machine
import TestSupport
import Testing
import VirtualCPU

@Suite("Guests that cannot be built") struct RefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var kernel: [UInt8]? = ELFWriter.pvhKernel().bytes()
        var ramdisk: [UInt8]?
        var change: @Sendable (inout GuestDescription) -> Void = { _ in }
        var causes: [String]
        var code: ExitCode
    }

    static let noNote = ELFWriter(segments: [.init(physicalAddress: 0x10_0000, bytes: [0xf4])]).bytes()

    static let cases = [
        Case(testDescription: "a kernel that is not there", kernel: nil, causes: ["kernel=", "No such file"], code: .creationFailed),
        Case(
            testDescription: "a directory as kernel", change: { $0.kernelPath = "/tmp" }, causes: ["kernel=", "not a regular file"],
            code: .creationFailed),
        Case(testDescription: "an empty kernel", kernel: [], causes: ["kernel", "empty"], code: .invalid),
        Case(
            testDescription: "a truncated kernel", kernel: Array(ELFWriter.pvhKernel().bytes().prefix(60)), causes: ["kernel"],
            code: .invalid),
        Case(testDescription: "a kernel without the PVH note", kernel: noNote, causes: ["cannot boot as a PVH guest"], code: .invalid),
        Case(
            testDescription: "a ramdisk that is not there", change: { $0.ramdiskPath = "/nowhere/initrd" },
            causes: ["ramdisk=", "No such file"], code: .creationFailed),
        Case(testDescription: "an empty ramdisk", ramdisk: [], causes: ["ramdisk", "empty"], code: .creationFailed),
        Case(
            testDescription: "a ramdisk larger than the guest", ramdisk: [UInt8](repeating: 0, count: (8 << 20) + 1),
            causes: ["ramdisk=", "8388609 bytes", "does not fit"], code: .creationFailed),
        Case(
            testDescription: "too little memory for the kernel", kernel: ELFWriter.pvhKernel(memorySize: 16 << 20).bytes(),
            causes: ["kernel", "memory is 8192 KiB"],
            code: .creationFailed),
        Case(
            testDescription: "more memory than the host has",
            change: {
                $0.memoryKiB = 1 << 40; $0.maxMemoryKiB = 1 << 40
            }, causes: ["memory=", "this machine"], code: .noMemory),
        Case(
            testDescription: "more memory than a guest can have", change: { $0.maxMemoryKiB = 1 << 40 }, causes: ["maxmem=", "at most"],
            code: .noMemory),
        Case(
            testDescription: "a UUID that is none", change: { $0.uuid = "fe8b3e28-975f-41a7-935a-c6a65c3ad05x" }, causes: ["uuid="],
            code: .invalid),
        Case(testDescription: "no grant frames", change: { $0.maxGrantFrames = 0 }, causes: ["maximumGrantFrames"], code: .invalid),
        Case(
            testDescription: "a console log that cannot be written", change: { $0.consoleLogPath = "/nowhere/console.log" },
            causes: ["console", "/nowhere/console.log"], code: .creationFailed),
    ]

    @Test("The error names the thing at fault, and no socket stays behind", arguments: cases)
    func refused(_ refusal: Case) throws {
        var guest = try TestGuest()
        if let kernel = refusal.kernel {
            _ = try guest.scratch.write("kernel", kernel)
        } else {
            unsafe unlink(guest.description.kernelPath)
        }
        if let ramdisk = refusal.ramdisk { guest.description.ramdiskPath = try guest.scratch.write("ramdisk", ramdisk) }
        refusal.change(&guest.description)
        let error = #expect(throws: OperatorError.self) { try guest.start { _ in .halted } }
        for cause in refusal.causes { #expect(error?.cause.contains(cause) == true, "\(error?.cause ?? "")") }
        #expect(error?.code == refusal.code)
        #expect(error?.cause.contains("\n") == false)
        #expect(Scratch.names(in: guest.directory).filter { $0 != UnixSocket.controlName } == [])
    }

    @Test("A directory that is not there is named")
    func noDirectory() throws {
        var guest = try TestGuest()
        guest.directory += "/missing"
        let error = #expect(throws: OperatorError.self) { try guest.start { _ in .halted } }
        #expect(error?.cause.contains(guest.directory) == true)
        #expect(error?.remedy.contains("MARTLET_RUNTIME_DIR") == true)
    }
}
