@testable import DomainBuilder
import KernelImage
import TestSupport
import Testing
import X86

@Suite("Domain builder") struct DomainBuilderTests {
    @Test("The entry segments are flat, with the attributes Xen gives them")
    func segments() throws {
        let state = entryState(entry: 1, startInfoAddress: 2)
        #expect(state[.cs] == Segment(selector: 0, base: 0, limit: 0xffff_ffff, attributes: 0xc9b))
        for name in [SegmentName.ds, .es, .ss] { #expect(state[name].attributes == 0xc93) }
        for name in [SegmentName.fs, .gs] { #expect(state[name] == .null) }
        #expect(state.tr == Segment(selector: 0, base: 0, limit: 0x67, attributes: 0x8b))
    }

    @Test("RAM stands on both sides of the hole", arguments: [
        (UInt64(64), [BootImage.PageRange(start: 0, count: 0x4000)]),
        (UInt64(4032), [BootImage.PageRange(start: 0, count: 0xfc000)]),
        (UInt64(4033), [BootImage.PageRange(start: 0, count: 0xfc000), .init(start: 0x100000, count: 0x100)]),
        (UInt64(1 << 20), [BootImage.PageRange(start: 0, count: 0xfc000), .init(start: 0x100000, count: 0x1000_0000 - 0xfc000)]),
    ])
    func ram(mebibytes: UInt64, regions: [BootImage.PageRange]) throws {
        let image = try DomainBuilder.build(BuildRequest(kernel: Builds.probe(), memoryKiB: mebibytes << 10))
        #expect(image.ramRegions == regions)
    }

    @Test("A Linux kernel that looks for the RSDP in low memory gets it there, with an entry that overlaps RAM")
    func legacyRSDP() throws {
        let kernel = try Builds.probe(notes: [(6, ELFWriter.text("linux"))])
        let image = try DomainBuilder.build(BuildRequest(kernel: kernel, memoryKiB: 64 << 10))
        #expect(image.rsdpAddress == 0xfffc0)
        #expect(image.memory(0xfffc0, 8) == Array("RSD PTR ".utf8))
        #expect(image.memoryMap[2] == MemoryMapEntry(address: 0xff000, size: 0x1000, kind: .acpi))
        #expect(image.acpiPages == .init(start: 0xfc000, count: 8))
    }

    @Test("Every checksum is right for any number of vCPUs", arguments: [1, 2, 3, 15, 16, 17, 127, 128])
    func checksums(vcpus: Int) throws {
        let image = try DomainBuilder.build(
            BuildRequest(kernel: Builds.probe(), memoryKiB: 64 << 10, onlineVCPUs: 1, maximumVCPUs: vcpus))
        let tables = image.chunks.filter { chunk in
            guard case .bytes(let bytes) = chunk.content else { return false }
            return ["FACP", "APIC", "DSDT", "XSDT", "RSDT"].contains(String(decoding: bytes.prefix(4), as: UTF8.self))
        }
        #expect(tables.count == 6)
        for table in tables {
            let bytes = image.memory(table.address, Int(table.byteCount))
            #expect(bytes.reduce(0, &+) == 0)
            #expect(bytes.count == Int(bytes[4]) | Int(bytes[5]) << 8)
        }
        let rsdp = image.memory(image.rsdpAddress, 36)
        #expect(rsdp.prefix(20).reduce(0, &+) == 0)
        #expect(rsdp.reduce(0, &+) == 0)
    }

    @Test("The info page leads to the MADT's checksum and its first entry")
    func infoPage() throws {
        let image = try DomainBuilder.build(
            BuildRequest(kernel: Builds.probe(), memoryKiB: 64 << 10, onlineVCPUs: 2, maximumVCPUs: 4))
        let page = image.memory(GuestLayout.acpiInfoAddress, 40)
        func u32(_ at: Int) -> UInt64 { (0..<4).reduce(0) { $0 | UInt64(page[at + $1]) << ($1 * 8) } }
        #expect(u32(0) == 4 << 16)
        #expect(u32(12) == image.madtAddress + 9)
        #expect(image.memory(u32(16), 16) == [0, 8, 0, 0, 1, 0, 0, 0, 0, 8, 1, 2, 1, 0, 0, 0])
    }

    @Test("Modules stand before the start info, or behind it when the kernel says it maps them itself")
    func modules() throws {
        let far = try Builds.probe(notes: [(16, ELFWriter.little(UInt64(1)))])
        for (kernel, startInfo, first) in [(try Builds.probe(), UInt64(0x10f000), UInt64(0x10c000)), (far, 0x10c000, 0x10d000)] {
            var request = BuildRequest(kernel: kernel, ramdisk: [1, 2, 3], memoryKiB: 64 << 10)
            request.furtherModules = [.init(bytes: [4, 5], commandLine: Array("second".utf8)), .init(bytes: [UInt8](repeating: 6, count: 4096))]
            let image = try DomainBuilder.build(request)
            #expect(image.startInfoAddress == startInfo)
            #expect(image.memory(first, 3) == [1, 2, 3])
            #expect(image.memory(first + 0x1000, 2) == [4, 5])
            let list = image.memory(startInfo + 56, 96)
            #expect(Array(list[0..<16]) == ELFWriter.little(first) + ELFWriter.little(UInt64(3)))
            let line = startInfo + 56 + 96 + 1024
            #expect(Array(list[32..<64]) == [first + 0x1000, 2, line, 0].flatMap { ELFWriter.little($0) })
            #expect(image.memory(line, 7) == ELFWriter.text("second"))
            #expect(image.memory(startInfo + 12, 4) == [3, 0, 0, 0])
        }
    }

    @Test("Kernel bytes are shared with the image, and zeros follow where memory is larger")
    func kernelChunks() throws {
        let image = try DomainBuilder.build(BuildRequest(kernel: Builds.probe(), memoryKiB: 64 << 10))
        #expect(image.chunks[0].address == 0x10_0000)
        #expect(image.chunks[0].byteCount == 0x24d2)
        guard case .zeros(let count) = image.chunks[1].content else {
            Issue.record("no zeros behind the kernel")
            return
        }
        #expect(image.chunks[1].address == 0x10_24d2)
        #expect(count == 0xb828 - 0x24d2)
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var request: @Sendable () throws -> BuildRequest
        var cause: String
        var remedy: String
    }

    static let refusals: [Refusal] = [
        Refusal(testDescription: "memory too small for the kernel", request: { BuildRequest(kernel: try Builds.linux(), memoryKiB: 32 << 10) },
            cause: "the kernel vmlinuz ends at 0x3e00000", remedy: "Set memory= to at least 62 (MiB)"),
        Refusal(testDescription: "no memory", request: { BuildRequest(kernel: try Builds.probe(), memoryKiB: 0) },
            cause: "the kernel pvhprobe ends at", remedy: "Set memory="),
        Refusal(testDescription: "memory too small for the ramdisk",
            request: { BuildRequest(kernel: try Builds.linux(), ramdisk: [UInt8](repeating: 1, count: 3 << 20), memoryKiB: 64 << 10) },
            cause: "the ramdisk ends at 0x4101000", remedy: "Set memory= to at least 66"),
        Refusal(testDescription: "initial memory below maxmem decides",
            request: { BuildRequest(kernel: try Builds.linux(), memoryKiB: 32 << 10, maximumMemoryKiB: 1 << 20) },
            cause: "memory below 4 GiB ends at 0x2000000", remedy: "Set memory="),
        Refusal(testDescription: "empty ramdisk", request: { BuildRequest(kernel: try Builds.probe(), ramdisk: [], memoryKiB: 64 << 10) },
            cause: "the ramdisk is empty", remedy: "leave ramdisk= out"),
        Refusal(testDescription: "no entry note", request: {
            BuildRequest(kernel: try KernelImage.parse(ELFWriter(segments: [.init(physicalAddress: 0x10_0000, bytes: [1])]).bytes(), fileName: "plain"), memoryKiB: 64 << 10)
        }, cause: "plain: this kernel cannot boot as a PVH guest", remedy: "CONFIG_XEN_PVH"),
        Refusal(testDescription: "entry outside", request: {
            BuildRequest(kernel: try KernelImage.parse(ELFWriter.pvhKernel(entry: 0x20_0000).bytes(), fileName: "k"), memoryKiB: 64 << 10)
        }, cause: "PHYS32_ENTRY 0x200000 lies outside of the kernel (0x100000 to 0x100001)", remedy: "damaged"),
        Refusal(testDescription: "kernel in the hole", request: {
            var writer = ELFWriter.pvhKernel()
            writer.segments.append(.init(physicalAddress: 0xfbff_f000, bytes: [1], memorySize: 0x2000))
            return BuildRequest(kernel: try KernelImage.parse(writer.bytes(), fileName: "k"), memoryKiB: 4 << 20)
        }, cause: "reaches beyond 0xfc000000", remedy: "linked to run below"),
        Refusal(testDescription: "kernel over the RSDP", request: {
            var writer = ELFWriter.pvhKernel(entry: 0xf0000)
            writer.segments = [.init(physicalAddress: 0xf0000, bytes: [1], memorySize: 0x20000)]
            writer.notes.append((6, ELFWriter.text("linux")))
            return BuildRequest(kernel: try KernelImage.parse(writer.bytes(), fileName: "k"), memoryKiB: 4 << 20)
        }, cause: "occupies that page itself", remedy: "1 MiB or above"),
        Refusal(testDescription: "too many vCPUs", request: { BuildRequest(kernel: try Builds.probe(), memoryKiB: 64 << 10, onlineVCPUs: 129) },
            cause: "129 vCPUs", remedy: "1 to 128"),
        Refusal(testDescription: "no vCPU", request: { BuildRequest(kernel: try Builds.probe(), memoryKiB: 64 << 10, onlineVCPUs: 0, maximumVCPUs: 1) },
            cause: "0 vCPUs", remedy: "vcpus="),
        Refusal(testDescription: "maxmem below memory", request: { BuildRequest(kernel: try Builds.probe(), memoryKiB: 64 << 10, maximumMemoryKiB: 1) },
            cause: "is more than maxmem", remedy: "maxmem="),
        Refusal(testDescription: "endless memory", request: { BuildRequest(kernel: try Builds.probe(), memoryKiB: .max) },
            cause: "64 TiB", remedy: "lower"),
    ]

    @Test("What does not fit is refused with its cause and a remedy", arguments: refusals)
    func refusal(test: Refusal) throws {
        let request = try test.request()
        let error = try #require(throws: BuildError.self) { try DomainBuilder.build(request) }
        #expect(error.cause.contains(test.cause), "\(error)")
        #expect(error.remedy.contains(test.remedy), "\(error)")
        #expect(error.description.split(separator: "\n").count == 2)
    }
}
