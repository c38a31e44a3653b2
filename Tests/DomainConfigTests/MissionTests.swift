import DomainConfig
import Glibc
import Testing

/// What the seeds ask of configurations, row by row of the table of all they name: one check at least for each of the rows 1 to 46, here or in
/// a test that boots a guest.
@Suite("Rows 1 to 46") struct MissionTests {
    /// What a configuration is to give.
    enum Outcome: Sendable {
        /// A guest of this type with so many warnings, and nothing worse.
        case guest(DomainType, warnings: Int)
        /// A member of the JSON, by its path, as one line; "-" when it is not there.
        case shows(String, String)
        /// The first error, or reason to refuse the guest, says this in its cause and names a remedy.
        case fails(String)
        /// A note, a warning or worse says this, and there is a description all the same.
        case says(String)
    }

    struct Check: Sendable, CustomTestStringConvertible {
        var row: Int
        var name: String
        /// Lines that follow a plain PVH guest's, or a file of the seeds.
        var lines: String?
        var seed: String?
        var outcome: Outcome
        var testDescription: String { "\(row): \(name)" }
    }

    private static func lines(_ row: Int, _ name: String, _ lines: String, _ outcome: Outcome) -> Check {
        Check(row: row, name: name, lines: lines, seed: nil, outcome: outcome)
    }

    private static func seed(_ row: Int, _ name: String, _ seed: String, _ outcome: Outcome) -> Check {
        Check(row: row, name: name, lines: nil, seed: seed, outcome: outcome)
    }

    static let spellings: [Check] = [
        lines(
            1, "builder=hvm with device_model_version=none is PVH", "builder='hvm'\ndevice_model_version='none'", .guest(.pvh, warnings: 1)),
        lines(
            1, "and says what to write today", "builder='hvm'\ndevice_model_version='none'",
            .says("is a deprecated way to ask for a PVH guest")),
        lines(2, "pvh=1 alone", "pvh=1", .guest(.pvh, warnings: 1)),
        lines(2, "pvh=1 with device_model_version=none", "pvh=1\ndevice_model_version='none'", .guest(.pvh, warnings: 1)),
        lines(2, "pvh=1 and another type contradict", "pvh=1\ntype='hvm'", .fails("asks for a PVH guest")),
        lines(3, "type=pvh is the plain spelling", "type='pvh'", .guest(.pvh, warnings: 0)),
        lines(3, "and is what JSON says", "type='pvh'", .shows("c_info.type", "\"pvh\"")),
        seed(4, "the right file of the list", "sospv2-hvm-none", .guest(.pvh, warnings: 1)),
        seed(4, "its vCPUs", "sospv2-hvm-none", .shows("b_info.max_vcpus", "8")),
        seed(4, "its interface", "sospv2-hvm-none", .shows("nics", "[{\"devid\":0}]")),
        seed(
            4, "its disk", "sospv2-hvm-none",
            .shows("disks", "[{\"pdev_path\":\"/dev/vg0/pvclient2\",\"vdev\":\"xvda\",\"format\":\"raw\",\"readwrite\":1}]")),
        seed(5, "the failing file of the list is PVH, never PV", "sospv2-pvh-1", .guest(.pvh, warnings: 1)),
        seed(5, "and says so", "sospv2-pvh-1", .shows("c_info.type", "\"pvh\"")),
        seed(6, "the file with the uncompressed kernel", "pvh-hvm-none", .guest(.pvh, warnings: 1)),
        seed(6, "its kernel", "pvh-hvm-none", .shows("b_info.kernel", "\"/root/64/vmlinux\"")),
        seed(7, "the same, indented", "pvh-hvm-none-indented", .guest(.pvh, warnings: 1)),
        lines(
            7, "blanks, quotes and lists of all kinds", "vcpus = 2\nextra='a'\nroot = \"b\"\nvif=['']",
            .shows("b_info.cmdline", "\"root=ba\"")),
        lines(8, "the command line", "extra=\"root=/dev/xvda1 console=hvc0\"", .shows("b_info.cmdline", "\"root=/dev/xvda1console=hvc0\"")),
        lines(9, "a kernel of the host", "kernel='/boot/vmlinux'", .shows("b_info.kernel", "\"/boot/vmlinux\"")),
        lines(10, "a RAM disk", "ramdisk='/boot/initrd'", .shows("b_info.ramdisk", "\"/boot/initrd\"")),
        lines(11, "4 GiB and more", "memory=8192", .shows("b_info.target_memkb", "8388608")),
        lines(12, "vCPUs", "vcpus=8", .shows("b_info.avail_vcpus", "[0,1,2,3,4,5,6,7]")),
        lines(
            13, "phy: and w", "disk=['phy:/dev/vg0/d,xvda,w']",
            .shows("disks", "[{\"pdev_path\":\"/dev/vg0/d\",\"vdev\":\"xvda\",\"format\":\"raw\",\"readwrite\":1}]")),
        lines(
            14, "file, format, name, access", "disk=['/d.img,raw,xvda,rw']",
            .shows("disks", "[{\"pdev_path\":\"/d.img\",\"vdev\":\"xvda\",\"format\":\"raw\",\"readwrite\":1}]")),
        lines(15, "an empty vif is an interface", "vif=['']", .shows("nics", "[{\"devid\":0}]")),
    ]

    static let options: [Check] = [
        lines(16, "without a type the kernel has to be a PVH one", "type-is-absent", .fails("no type= is given")),
        lines(16, "type=pv is known, and refused", "type='pv'", .fails("classic paravirtualised guest")),
        lines(17, "type=hvm is refused with the way out", "type='hvm'", .fails("a full machine with a device model")),
        lines(17, "builder=hvm, too", "builder='hvm'", .fails("a full machine with a device model")),
        lines(18, "nographic changes nothing of that", "type='hvm'\nnographic=1", .fails("a full machine with a device model")),
        lines(19, "nestedhvm=0", "type='pvh'\nnestedhvm=0", .guest(.pvh, warnings: 0)),
        lines(19, "nestedhvm=1 is refused", "type='pvh'\nnestedhvm=1", .fails("no engine of this version can run a hypervisor")),
        lines(20, "apic=0 changes nothing for PVH, as captured", "type='pvh'\napic=0", .says("a PVH guest always has its local APICs")),
        lines(20, "and is not shown", "type='pvh'\napic=0", .shows("b_info.apic", "-")),
        lines(21, "bootloader", "type='pvh'\nbootloader='pygrub'", .shows("b_info.bootloader", "\"pygrub\"")),
        lines(22, "neither kernel nor boot loader", "type='pvh'\nkernel-is-absent", .fails("Neither kernel nor bootloader specified")),
        lines(22, "a boot loader is enough", "type='pvh'\nkernel-is-absent\nbootloader='pygrub'", .guest(.pvh, warnings: 0)),
        lines(
            23, "its arguments", "type='pvh'\nbootloader='b'\nbootloader_args=['-q','--entry=1']",
            .shows("b_info.bootloader_args", "[\"-q\",\"--entry=1\"]")),
        lines(
            23, "as a text", "type='pvh'\nbootloader='b'\nbootloader_args='-q  --entry=1'",
            .shows("b_info.bootloader_args", "[\"-q\",\"--entry=1\"]")),
        lines(23, "which is deprecated", "type='pvh'\nbootloader='b'\nbootloader_args='-q'", .guest(.pvh, warnings: 1)),
        lines(
            24, "first timer mode", "type='pvh'\ntimer_mode='delay_for_missed_ticks'",
            .shows("b_info.timer_mode", "\"delay_for_missed_ticks\"")),
        lines(
            25, "second", "type='pvh'\ntimer_mode='no_delay_for_missed_ticks'", .shows("b_info.timer_mode", "\"no_delay_for_missed_ticks\"")
        ),
        lines(25, "which is the default", "type='pvh'", .shows("b_info.timer_mode", "-")),
        lines(26, "third", "type='pvh'\ntimer_mode='no_missed_ticks_pending'", .shows("b_info.timer_mode", "\"no_missed_ticks_pending\"")),
        lines(27, "fourth", "type='pvh'\ntimer_mode='one_missed_tick_pending'", .shows("b_info.timer_mode", "\"one_missed_tick_pending\"")),
        lines(28, "by number", "type='pvh'\ntimer_mode=0", .shows("b_info.timer_mode", "\"delay_for_missed_ticks\"")),
        lines(28, "with a warning", "type='pvh'\ntimer_mode=3", .guest(.pvh, warnings: 1)),
        lines(28, "unknown number", "type='pvh'\ntimer_mode=4", .fails("unknown value \"4\"")),
        lines(28, "unknown word", "type='pvh'\ntimer_mode='never'", .fails("unknown value \"never\"")),
        lines(28, "not for PV", "type='pv'\ntimer_mode=1", .fails("`timer_mode' is not for PV guests")),
        lines(29, "hap", "type='pvh'\nhap=0", .shows("c_info.hap", "\"False\"")),
        lines(29, "says what becomes of it", "type='pvh'\nhap=0", .says("`hap' changes nothing: memory is translated in software")),
        lines(30, "oos", "type='pvh'\noos=1", .shows("c_info.oos", "\"True\"")),
        lines(31, "shadow_memory", "type='pvh'\nshadow_memory=8", .shows("b_info.shadow_memkb", "8192")),
        lines(32, "all three for PVH", "type='pvh'\nhap=1\noos=0\nshadow_memory=1", .guest(.pvh, warnings: 0)),
        lines(
            34, "qemu-xen is ignored", "type='pvh'\ndevice_model_version='qemu-xen'", .says("is ignored: a PVH guest has no device model")),
        lines(34, "others are not", "type='pvh'\ndevice_model_version='qemu'", .fails("Unknown device_model_version")),
        lines(35, "all spellings at once say it once", "pvh=1\nbuilder='hvm'\ndevice_model_version='none'", .guest(.pvh, warnings: 1)),
        lines(36, "pool", "type='pvh'\npool='Pool-0'", .shows("c_info.pool_name", "\"Pool-0\"")),
        lines(36, "cpus", "type='pvh'\nvcpus=1\ncpus=['0']", .shows("b_info.vcpu_hard_affinity", "[[0]]")),
        lines(36, "cpu_weight", "type='pvh'\ncpu_weight=512", .shows("b_info.sched_params", "{\"weight\":512}")),
        lines(
            38, "shim fields in an object of the type", "type='pvh'\npvshim_path='/s'",
            .shows("b_info.\"type.pvh\"", "{\"pvshim_path\":\"/s\"}")),
        lines(39, "nested_hvm's default is not written down", "type='pvh'", .shows("b_info.nested_hvm", "-")),
        lines(46, "an invalid type", "type='pvhv2'", .fails("Invalid domain type \"pvhv2\"")),
        lines(46, "half a word", "type='p'", .fails("Invalid domain type \"p\"")),
    ]

    private func read(_ check: Check) -> (DomainDescription?, [ConfigDiagnostic]) {
        let base = "name='t'\n" + (check.lines?.contains("kernel-is-absent") == true ? "" : "kernel='/k'\n") + "memory=256\n"
        let own = check.lines.map { lines in
            lines.split(separator: "\n").filter { !$0.hasSuffix("-is-absent") }.joined(separator: "\n") + "\n"
        }
        let needsType = own.map { text in !["type=", "builder=", "pvh="].contains { text.contains($0) } } ?? false
        let type = needsType && check.row != 16 ? "type='pvh'\n" : ""
        let text = own.map { base + type + $0 } ?? fixture("seeds/\(check.seed ?? "").cfg")
        return DomainDescription.read(Array(text.utf8), source: "f") { _ in .noPVHEntry("no PVH kernel") }
    }

    /// A member by its path, on one line.
    private func member(_ path: String, _ description: DomainDescription?) -> String {
        var value = description?.json(uuid: "-")
        var rest = path[...]
        while !rest.isEmpty {
            let isQuoted = rest.hasPrefix("\"")
            let name = isQuoted ? rest.dropFirst().prefix { $0 != "\"" } : rest.prefix { $0 != "." }
            rest = rest.dropFirst(name.count + (isQuoted ? 2 : 0)).drop { $0 == "." }
            value = value?[String(name)]
        }
        return (value?.text() ?? "-").filter { $0 != " " && $0 != "\n" }
    }

    @Test("what the row says holds", arguments: spellings + options)
    func holds(check: Check) {
        let (description, diagnostics) = read(check)
        let worst = diagnostics.first { $0.severity == .error } ?? diagnostics.first { $0.severity == .refusal }
        switch check.outcome {
        case .guest(let type, let warnings):
            #expect(description?.type == type && worst == nil)
            #expect(diagnostics.count { $0.severity == .warning } == warnings, "\(diagnostics.map(\.line))")
        case .shows(let path, let text): #expect(member(path, description) == text)
        case .fails(let cause):
            #expect(worst?.cause.contains(cause) == true && worst?.remedy.isEmpty == false, "\(diagnostics.map(\.line))")
        case .says(let cause):
            #expect(description != nil && diagnostics.contains { $0.cause.contains(cause) }, "\(diagnostics.map(\.line))")
        }
    }

    // MARK: - rows that are checked elsewhere

    /// Rows that need a guest, its process or its xenstore, and the words with which the test of each begins.
    static let elsewhere: [(rows: [Int], file: String, test: String)] = [
        ([3, 8, 10], "IntegrationTests/BootTests.swift", "The kernel's log holds the milestones"),
        ([6, 9], "KernelImageTests/KernelImageTests.swift", ""), ([11], "DomainBuilderTests/CaptureTests.swift", ""),
        ([12], "IntegrationTests/SeveralVCPUsTests.swift", "The kernel brings all of them up"),
        ([13, 14], "IntegrationTests/DebianTests.swift", "The disks have the sizes of sectors"),
        ([15], "IntegrationTests/DebianTests.swift", "The interface gets its address"),
        ([18], "IntegrationTests/LifecycleTests.swift", "A detached guest is listed"),
        ([20], "IntegrationTests/ProcessorTests.swift", "apic=0 changes nothing"),
        ([21, 22, 23], "ToolstackTests/BootloaderCreationTests.swift", "what it finds is the guest's kernel"),
        ([24, 25, 26, 27], "XenDomainTests/TimerTests.swift", ""),
        ([31], "DomainConfigTests/PromiseTests.swift", "31: shadow memory"),
        ([33], "DomainConfigTests/ManualTests.swift", ""),
        ([37], "DomainConfigTests/PromiseTests.swift", "37: the types have libxl's numbers"),
        ([38], "DomainConfigTests/JSONTests.swift", ""), ([40, 44], "XenStoreTests/CaptureTests.swift", "the type stands in the creation"),
        ([41, 42, 43], "ToolstackTests/DomainTypeTests.swift", "is what its node says"),
        ([45], "XenStoreTests/CaptureTests.swift", "the creation is tried again while others change"),
    ]

    @Test("every row has a check, here or in a test that exists")
    func complete() {
        var rows = Set((Self.spellings + Self.options).map(\.row))
        for (more, file, test) in Self.elsewhere {
            #expect(Self.text(of: file).contains(test.isEmpty ? "@Test" : "\"\(test)"), "\(file): \(test)")
            rows.formUnion(more)
        }
        #expect(rows == Set(1...46))
    }

    private static func text(of file: String) -> String {
        let tests = #filePath.dropLast("DomainConfigTests/MissionTests.swift".count)
        guard let stream = unsafe fopen(tests + file, "r") else { return "" }
        defer { unsafe fclose(stream) }
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        let count = unsafe fread(&buffer, 1, buffer.count, stream)
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}
