import X86

/// A vCPU's registers as lines of a log.
enum RegisterDump {
    static func lines(_ state: RegisterState, vcpu: Int) -> [String] {
        let general = GPR.allCases.map { ("\($0)", state[$0]) }
        let control = [
            ("cr0", state.cr0), ("cr2", state.cr2), ("cr3", state.cr3), ("cr4", state.cr4), ("efer", state.efer), ("dr6", state.dr6),
            ("dr7", state.dr7),
        ]
        let segments = SegmentName.allCases.map { segment("\($0)", state[$0]) } + [segment("ldtr", state.ldtr), segment("tr", state.tr)]
        return ["vCPU \(vcpu): rip=\(hex(state.rip)) rflags=\(hex(state.rflags))"]
            + rows(general) + rows(control) + segments
            + [
                "  gdtr: base=\(hex(state.gdtr.base)) limit=\(hex(UInt64(state.gdtr.limit)))",
                "  idtr: base=\(hex(state.idtr.base)) limit=\(hex(UInt64(state.idtr.limit)))",
            ]
    }

    private static func rows(_ values: [(String, UInt64)]) -> [String] {
        stride(from: 0, to: values.count, by: 4).map { start in
            "  " + values[start..<min(start + 4, values.count)].map { "\($0.0)=\(hex($0.1))" }.joined(separator: " ")
        }
    }

    private static func segment(_ name: String, _ segment: Segment) -> String {
        "  \(name): selector=\(hex(UInt64(segment.selector))) base=\(hex(segment.base)) limit=\(hex(UInt64(segment.limit)))"
            + " attributes=\(hex(UInt64(segment.attributes)))"
    }

    private static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
