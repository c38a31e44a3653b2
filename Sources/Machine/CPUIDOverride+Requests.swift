import ControlProtocol
import XenDomain

extension CPUIDOverride {
    /// The same as numbers.
    ///
    /// - Throws: an error for a text that is no row of bits.
    func requests() throws(OperatorError) -> [CPUIDRequest] {
        var requests: [CPUIDRequest] = []
        for (register, bits) in zip(CPUIDRequest.Register.allCases, registers) {
            guard let bits else { continue }
            var request = CPUIDRequest(leaf: leaf, subleaf: subleaf ?? 0, register: register, mask: 0, value: 0)
            guard bits.utf8.count == 32, bits.utf8.allSatisfy("01xks".utf8.contains) else {
                throw OperatorError("cpuid: \"\(bits)\" is no register", remedy: "write 32 of the characters 0 1 x k s", code: .invalid)
            }
            for character in bits.utf8 {
                request.mask = request.mask << 1 | (character <= UInt8(ascii: "1") ? 1 : 0)
                request.value = request.value << 1 | (character == UInt8(ascii: "1") ? 1 : 0)
            }
            if request.mask != 0 { requests.append(request) }
        }
        return requests
    }

    /// What is left of a request, as text.
    init(_ request: CPUIDRequest, hasSubleaf: Bool) {
        let bits = (0..<32).reversed().map { bit in
            request.mask >> bit & 1 == 0 ? "x" : request.value >> bit & 1 == 0 ? "0" : "1"
        }
        self.init(leaf: request.leaf, subleaf: hasSubleaf ? request.subleaf : nil)
        switch request.register {
        case .eax: eax = bits.joined()
        case .ebx: ebx = bits.joined()
        case .ecx: ecx = bits.joined()
        case .edx: edx = bits.joined()
        }
    }
}

extension Machine {
    /// What `cpuid=` asks for and the guest is not shown.
    var unmetCPUID: [CPUIDOverride] {
        (life?.domain.unmetCPUIDRequests ?? []).map { request in
            let leaf = description.cpuid?.first { $0.leaf == request.leaf && ($0.subleaf ?? 0) == request.subleaf }
            return CPUIDOverride(request, hasSubleaf: leaf?.subleaf != nil)
        }
    }

    /// For the log: a restart has nobody else to tell.
    func reportUnmetCPUID() {
        for unmet in unmetCPUID {
            let subleaf = unmet.subleaf.map { ",\($0)" } ?? ""
            for (name, bits) in zip(["eax", "ebx", "ecx", "edx"], unmet.registers) {
                guard let bits else { continue }
                log.write("cpuid: 0x\(String(unmet.leaf, radix: 16))\(subleaf):\(name)=\(bits) cannot be: the engine does not have it so")
            }
        }
    }
}
