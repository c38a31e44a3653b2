/// The kinds of guest xl knows.
public enum DomainType: String, Equatable, Sendable { case pvh, pv, hvm }

/// Finds out which kind of guest a configuration asks for, with every spelling there has ever been.
///
/// `type=` is today's way. `builder=` is its deprecated form. `pvh=1` (Xen 4.4 to 4.8) and `device_model_version="none"` (Xen 4.7 to
/// 4.9) once selected PVH; today's xl ignores the one and rejects the other. Both select PVH here, with one warning; a configuration
/// that asks for PVH and for something else is an error. Never does a guest silently become another kind.
struct GuestTypeSelection {
    var type: String?
    var builder: String?
    var deviceModelVersion: String?
    var pvh: Bool?

    enum Outcome: Equatable {
        /// The kind, and the warning about a deprecated spelling: the key it is about, the cause, the remedy.
        case selected(DomainType, warning: Complaint? = nil)
        /// Nothing selects a kind. Xen means PV then.
        case unspecified
        case error(Complaint)
    }

    struct Complaint: Equatable {
        var key: String
        var cause: String
        var remedy: String
    }

    func select() -> Outcome {
        if let complaint = unknownWord() { return .error(complaint) }
        let fromBuilder = builder.map { $0 == "hvm" ? DomainType.hvm : .pv }
        let fromType = type.flatMap(DomainType.init)
        if let fromType, let fromBuilder, fromType != fromBuilder {
            return .error(
                Complaint(
                    key: "builder", cause: "Contradicting `builder' (\"\(builder ?? "")\") and `type' (\"\(fromType.rawValue)\")",
                    remedy: "remove builder=, which is deprecated"))
        }
        guard let oldSpelling else { return (fromType ?? fromBuilder).map { .selected($0) } ?? .unspecified }
        if fromType == .pvh { return .selected(.pvh, warning: superfluous(oldSpelling)) }
        if let fromType { return .error(contradiction(oldSpelling, "type=\"\(fromType.rawValue)\"")) }
        if builder == "generic" { return .error(contradiction(oldSpelling, "builder=\"generic\"")) }
        return .selected(.pvh, warning: deprecated(oldSpelling))
    }

    /// The old spelling of PVH that is in use: its key, and how it is written.
    private var oldSpelling: (key: String, text: String)? {
        if pvh == true { return ("pvh", "pvh=1") }
        if deviceModelVersion == "none" { return ("device_model_version", "device_model_version=\"none\"") }
        return nil
    }

    private func unknownWord() -> Complaint? {
        if let type, DomainType(rawValue: type) == nil {
            return Complaint(key: "type", cause: "Invalid domain type \"\(type)\"", remedy: "write type=\"pvh\"")
        }
        if let builder, builder != "hvm", builder != "generic" {
            return Complaint(key: "builder", cause: "Invalid domain type \"\(builder)\"", remedy: "remove builder= and write type=\"pvh\"")
        }
        if let version = deviceModelVersion, !["none", "qemu-xen", "qemu-xen-traditional"].contains(version) {
            return Complaint(
                key: "device_model_version", cause: "Unknown device_model_version \"\(version)\"",
                remedy: "remove the key; a PVH guest has no device model")
        }
        return nil
    }

    private func contradiction(_ old: (key: String, text: String), _ other: String) -> Complaint {
        Complaint(
            key: old.key, cause: "\(old.text) asks for a PVH guest, \(other) for another kind",
            remedy: "keep one of them; type=\"pvh\" is the way to ask for PVH")
    }

    private func superfluous(_ old: (key: String, text: String)) -> Complaint {
        Complaint(key: old.key, cause: "\(old.text) says nothing new beside type=\"pvh\"", remedy: "remove it")
    }

    private func deprecated(_ old: (key: String, text: String)) -> Complaint {
        let both = builder == nil ? old.text : "builder=\"hvm\" with \(old.text)"
        return Complaint(key: old.key, cause: "\(both) is a deprecated way to ask for a PVH guest", remedy: "write type=\"pvh\" instead")
    }
}
