/// Feature bits a kernel may require or support (Xen public header `features.h`).
public enum XenFeature: UInt8, Sendable, CaseIterable {
    case writablePageTables = 0, writableDescriptorTables, autoTranslatedPhysmap, supervisorModeKernel, paePgdirAbove4GB
    case mmuPTUpdatePreserveAD, highmemAssist, gnttabMapAvailBits, hvmCallbackVector, hvmSafePVClock, hvmPIRQs, dom0
    case memoryOpVNodeSupported = 13, armSMCCCSupported, linuxRSDPUnrestricted, notDirectMapped, directMapped

    /// The name in FEATURES strings.
    public var name: String {
        switch self {
        case .writablePageTables: "writable_page_tables"
        case .writableDescriptorTables: "writable_descriptor_tables"
        case .autoTranslatedPhysmap: "auto_translated_physmap"
        case .supervisorModeKernel: "supervisor_mode_kernel"
        case .paePgdirAbove4GB: "pae_pgdir_above_4gb"
        case .mmuPTUpdatePreserveAD: "mmu_pt_update_preserve_ad"
        case .highmemAssist: "highmem_assist"
        case .gnttabMapAvailBits: "gnttab_map_avail_bits"
        case .hvmCallbackVector: "hvm_callback_vector"
        case .hvmSafePVClock: "hvm_safe_pvclock"
        case .hvmPIRQs: "hvm_pirqs"
        case .dom0: "dom0"
        case .memoryOpVNodeSupported: "memory_op_vnode_supported"
        case .armSMCCCSupported: "ARM_SMCCC_supported"
        case .linuxRSDPUnrestricted: "linux_rsdp_unrestricted"
        case .notDirectMapped: "not_direct_mapped"
        case .directMapped: "direct_mapped"
        }
    }
}

/// What the FEATURES and SUPPORTED_FEATURES notes say together.
public struct XenFeatures: Equatable, Sendable {
    /// Bits the kernel can make use of, by number; required ones are among them.
    public private(set) var supported: UInt64 = 0
    /// Bits the kernel cannot do without (names with a leading `!`).
    public private(set) var required: UInt64 = 0
    /// Names no public header knows.
    public private(set) var unknownNames: [String] = []

    init(notes: [XenNote]) {
        for note in notes {
            switch note.kind {
            case .features: parse(note.text ?? "")
            case .supportedFeatures:
                // The array holds 32 bits per entry; two entries are all there is room for.
                guard case .numbers(let words) = note.value else { continue }
                for (index, word) in words.prefix(2).enumerated() { supported |= (word & 0xffff_ffff) << (index * 32) }
            default: continue
            }
        }
    }

    private mutating func parse(_ text: String) {
        for item in text.split(separator: "|") {
            let isRequired = item.hasPrefix("!")
            let name = isRequired ? item.dropFirst() : item
            guard let feature = XenFeature.allCases.first(where: { $0.name == name }) else {
                unknownNames.append(String(name))
                continue
            }
            supported |= 1 << UInt64(feature.rawValue)
            if isRequired { required |= 1 << UInt64(feature.rawValue) }
        }
    }

    public func contains(_ feature: XenFeature) -> Bool { supported >> UInt64(feature.rawValue) & 1 == 1 }
    public func requires(_ feature: XenFeature) -> Bool { required >> UInt64(feature.rawValue) & 1 == 1 }

    /// Names in bit order, required ones with `!`; bits without a name as `bit N`.
    public var names: [String] {
        (0..<64).filter { supported >> UInt64($0) & 1 == 1 }.map { bit in
            guard let feature = XenFeature(rawValue: UInt8(bit)) else { return "bit \(bit)" }
            return (requires(feature) ? "!" : "") + feature.name
        }
    }
}
