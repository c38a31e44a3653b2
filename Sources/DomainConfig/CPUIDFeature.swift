/// A part of a CPUID register with a name in `cpuid=`.
struct CPUIDFeature: Equatable, Sendable {
    var leaf: UInt32
    var subleaf: UInt32?
    /// 0 to 3: EAX, EBX, ECX, EDX.
    var register: Int
    var bit: Int
    var width = 1
    /// "family" and "model", whose value is spread over two fields.
    var isSpread = false

    static func named(_ name: String) -> CPUIDFeature? { byName[name] }
    static var names: Dictionary<String, CPUIDFeature>.Keys { byName.keys }

    /// The name of what a bit belongs to; nil for a bit without one.
    static func name(leaf: UInt32, subleaf: UInt32?, register: Int, bit: Int) -> String? {
        let matches = byName.filter { _, feature in
            feature.leaf == leaf && feature.subleaf ?? 0 == subleaf ?? 0 && feature.register == register && feature.covers(bit)
        }
        // Of several spellings the oldest.
        func age(_ name: String) -> Int { name.contains("-") || name.contains(".") ? 1 : 0 }
        return matches.keys.min { (age($0), $0.utf8.count, $0) < (age($1), $1.utf8.count, $1) }
    }

    private func covers(_ other: Int) -> Bool {
        if isSpread { return bit..<bit + 4 ~= other || (bit == 8 ? 20..<28 : 16..<20) ~= other }
        return bit..<bit + width ~= other
    }

    /// Writes a value into the characters of the register.
    ///
    /// - Parameter value: a number, in C's notation; for a single bit also `x` (anything), `k` (keep) or `s` (keep, and as it was at a save).
    func write(_ value: Substring, into bits: inout [UInt8]) throws(SpecificationError) {
        if let character = value.utf8.first, value.utf8.count == 1, "xks".utf8.contains(character) {
            for position in bit..<bit + width { bits[31 - position] = character }
            return
        }
        guard case .value(let number) = CInteger.parse(String(value)), number >= 0 else {
            throw SpecificationError("\"\(value)\" is not a value of a feature", remedy: "write 0, 1, x, k or s")
        }
        guard !isSpread else { return try writeSpread(number, into: &bits) }
        guard number < 1 << Int64(width) else {
            throw SpecificationError("\(number) does not fit in \(width) bits", remedy: "write a smaller number")
        }
        Self.store(number, at: bit, width: width, in: &bits)
    }

    /// The extended family is added to the base family, the extended model stands above the base model (SDM vol. 2A, CPUID).
    private func writeSpread(_ number: Int64, into bits: inout [UInt8]) throws(SpecificationError) {
        let isFamily = bit == 8
        guard number < (isFamily ? 0x10f : 0x100) else {
            throw SpecificationError("\(number) is too large", remedy: "write a smaller number")
        }
        if isFamily {
            Self.store(min(number, 15), at: 8, width: 4, in: &bits)
            Self.store(max(0, number - 15), at: 20, width: 8, in: &bits)
        } else {
            Self.store(number & 15, at: 4, width: 4, in: &bits)
            Self.store(number >> 4, at: 16, width: 4, in: &bits)
        }
    }

    private static func store(_ number: Int64, at bit: Int, width: Int, in bits: inout [UInt8]) {
        for position in 0..<width { bits[31 - bit - position] = UInt8(ascii: "0") + UInt8(number >> Int64(position) & 1) }
    }
}

// MARK: - The names

extension CPUIDFeature {
    private static let byName: [String: CPUIDFeature] = {
        var names = fields
        for row in rows {
            for (bit, words) in row.words.split(separator: " ").enumerated() where words != "-" {
                for word in words.split(separator: "/") {
                    names[String(word)] = CPUIDFeature(leaf: row.leaf, subleaf: row.subleaf, register: row.register, bit: bit)
                }
            }
        }
        return names
    }()

    private static let fields: [String: CPUIDFeature] = [
        "maxleaf": CPUIDFeature(leaf: 0, register: 0, bit: 0, width: 32),
        "stepping": CPUIDFeature(leaf: 1, register: 0, bit: 0, width: 4),
        "model": CPUIDFeature(leaf: 1, register: 0, bit: 4, width: 8, isSpread: true),
        "family": CPUIDFeature(leaf: 1, register: 0, bit: 8, width: 8, isSpread: true),
        "brandid": CPUIDFeature(leaf: 1, register: 1, bit: 0, width: 8),
        "clflush": CPUIDFeature(leaf: 1, register: 1, bit: 8, width: 8),
        "proccount": CPUIDFeature(leaf: 1, register: 1, bit: 16, width: 8),
        "localapicid": CPUIDFeature(leaf: 1, register: 1, bit: 24, width: 8),
        "procpkg": CPUIDFeature(leaf: 4, subleaf: 0, register: 0, bit: 26, width: 6),
        "nc": CPUIDFeature(leaf: 0x8000_0008, register: 2, bit: 0, width: 8),
        "apicidsize": CPUIDFeature(leaf: 0x8000_0008, register: 2, bit: 12, width: 4),
        "maxhvleaf": CPUIDFeature(leaf: 0x4000_0000, register: 0, bit: 0, width: 8),
    ]

    private struct Row {
        var leaf: UInt32
        var subleaf: UInt32?
        var register: Int
        /// A word for each bit from bit 0 on; "-" for none, "/" between two names of one bit.
        var words: String

        init(_ leaf: UInt32, _ subleaf: UInt32?, _ register: Int, _ words: String) {
            self.leaf = leaf
            self.subleaf = subleaf
            self.register = register
            self.words = words
        }
    }

    /// The names of Xen 4.17, and those of 4.20 where they differ (`public/arch-x86/cpufeatureset.h`).
    private static let rows: [Row] = [
        Row(
            0x1, nil, 2,
            """
            sse3 pclmulqdq dtes64 monitor dscpl vmx smx est/eist tm2 ssse3 cntxid - fma cmpxchg16/cx16 xtpr pdcm - pcid dca \
            sse4_1/sse4.1/sse4-1 sse4_2/sse4.2/sse4-2 x2apic movbe popcnt tsc-deadline aes/aesni xsave osxsave avx f16c rdrand hypervisor
            """),
        Row(
            0x1, nil, 3,
            """
            fpu vme de pse tsc msr pae mce cmpxchg8/cx8 apic - sysenter mtrr pge mca cmov pat pse36 psn clfsh - ds acpi mmx \
            fxsr sse sse2 ss htt tm/tm1 ia64 pbe
            """),
        Row(
            0x6, nil, 0,
            """
            - - arat
            """),
        Row(
            0x7, 0, 1,
            """
            fsgsbase tsc_adjust/tsc-adjust - bmi1 hle avx2 - smep bmi2 erms invpcid rtm cmt/pqm - mpx - avx512f avx512dq rdseed adx smap \
            avx512-ifma - clflushopt clwb proc-trace avx512pf avx512er avx512cd sha avx512bw avx512vl
            """),
        Row(
            0x7, 0, 2,
            """
            prefetchwt1 avx512-vbmi umip pku ospke - avx512-vbmi2 cet-ss gfni vaes vpclmulqdq avx512-vnni avx512-bitalg - \
            avx512-vpopcntdq - - - - - - - rdpid - - cldemote - movdiri movdir64b
            """),
        Row(
            0x7, 0, 3,
            """
            - - avx512-4vnniw avx512-4fmaps fsrm - - - avx512-vp2intersect srbds-ctrl md-clear - - - serialize - tsxldtrk \
            - - - cet-ibt - - avx512-fp16 - - ibrsb stibp l1d-flush arch-caps core-caps ssbd
            """),
        Row(
            0x7, 1, 0,
            """
            - - - - avx-vnni avx512-bf16 - - - - fzrm fsrs fsrcs
            """),
        Row(
            0x7, 2, 3,
            """
            intel-psfd - - - - mcdt-no
            """),
        Row(
            0xd, 1, 0,
            """
            xsaveopt xsavec xgetbv1 xsaves
            """),
        Row(
            0x80000001, nil, 2,
            """
            lahfsahf/lahf-lm cmplegacy/cmp-legacy svm extapic altmovcr8/cr8-legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp \
            fma4 - - nodeid/nodeid-msr - tbm topoext perfctr_core perfctr_nb - dbext - - monitorx
            """),
        Row(
            0x80000001, nil, 3,
            """
            - - - - - - - - - - - syscall - - - - - - - - nx - mmxext - - ffxsr page1gb rdtscp - lm 3dnowext 3dnow
            """),
        Row(
            0x80000007, nil, 3,
            """
            - - - - - - - - invtsc/itsc
            """),
        Row(
            0x80000008, nil, 1,
            """
            clzero - rstr-fp-err-ptrs - - - - - - wbnoinvd - - ibpb - ibrs amd-stibp ibrs-always stibp-always ibrs-fast \
            ibrs-same-mode no-lmsl - - ppin amd-ssbd virt-ssbd ssb-no - psfd btc-no ibpb-ret
            """),
        Row(
            0x8000000a, nil, 3,
            """
            svm_npt svm_lbrv - svm_nrips svm_tscrate svm_vmcbclean - svm_decode - - svm_pausefilt
            """),
        Row(
            0x80000021, nil, 0,
            """
            - - lfence+ - - - nscb
            """),
    ]
}
