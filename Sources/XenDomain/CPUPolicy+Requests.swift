import X86
import XenABI

/// Requests that are no features: numbers, names and limits, which an engine shows as it is told.
extension CPUPolicy {
    /// Fulfils what can be, and notes what is not.
    mutating func apply(_ requests: [CPUIDRequest]) {
        for request in requests {
            let allowed = Self.freeBits(request.leaf, request.register)
            update(request) { old in
                if let limit = Self.limit(request.leaf, request.register) { return limit(old, request.applied(to: old)) }
                return request.applied(to: old, allowed: allowed)
            }
            if request.leaf == 1, request.register == .eax { repeatSignature() }
        }
        unmet = requests.compactMap(difference)
    }

    /// Bits that mean something to the guest alone. The initial APIC ID is each vCPU's own.
    private static func freeBits(_ leaf: UInt32, _ register: CPUIDRequest.Register) -> UInt32 {
        switch (leaf, register) {
        case (1, .eax): 0x0fff_3fff
        case (1, .ebx): 0x00ff_ffff
        case (0x8000_0002...0x8000_0006, _): .max
        case (0x8000_0008, .ecx): 0xf0ff
        default: 0
        }
    }

    private typealias Limit = (_ old: UInt32, _ wanted: UInt32) -> UInt32

    /// Numbers that can be lowered: the last leaf of a range, the sizes of addresses.
    private static func limit(_ leaf: UInt32, _ register: CPUIDRequest.Register) -> Limit? {
        switch (leaf, register) {
        case (0, .eax): { min($0, $1) }
        case (0x8000_0000, .eax): { min($0, max(0x8000_0000, $1)) }
        // The hypercall page's MSR is named two leaves on; a guest of Xen cannot do without.
        case (XenCPUID.base, .eax): { min($0, max(XenCPUID.base + 2, $0 & ~0xff | $1 & 0xff)) }
        case (0x8000_0008, .eax): { $0 & ~0xffff | min($0 & 0xff00, $1 & 0xff00) | min($0 & 0xff, $1 & 0xff) }
        default: nil
        }
    }

    private mutating func update(_ request: CPUIDRequest, _ change: (UInt32) -> UInt32) {
        let key = key(of: request)
        guard var result = table[key] else { return }
        result[request.register] = change(result[request.register])
        table[key] = result
    }

    /// AMD's processors show family, model and stepping in an extended leaf, too.
    private mutating func repeatSignature() {
        let extended = Key(leaf: 0x8000_0001, subleaf: 0)
        guard let basic = table[Key(leaf: 1, subleaf: 0)] else { return }
        table[extended]?.eax = basic.eax
    }

    /// The part of a request that does not hold; nil when all of it does.
    private func difference(_ request: CPUIDRequest) -> CPUIDRequest? {
        var request = request
        let shown = table[key(of: request)]?[request.register] ?? 0
        // Every vCPU has an APIC ID of its own, whatever is asked.
        let fixed: UInt32 = request.leaf == 1 && request.register == .ebx ? 0xff00_0000 : 0
        request.mask &= (shown ^ request.value) | fixed
        request.value &= request.mask
        return request.mask == 0 ? nil : request
    }

    private func key(of request: CPUIDRequest) -> Key {
        Key(leaf: request.leaf, subleaf: hasSubleaves(request.leaf) ? request.subleaf : 0)
    }
}

extension CPUIDResult {
    subscript(register: CPUIDRequest.Register) -> UInt32 {
        get {
            switch register {
            case .eax: eax
            case .ebx: ebx
            case .ecx: ecx
            case .edx: edx
            }
        }
        set {
            switch register {
            case .eax: eax = newValue
            case .ebx: ebx = newValue
            case .ecx: ecx = newValue
            case .edx: edx = newValue
            }
        }
    }
}
