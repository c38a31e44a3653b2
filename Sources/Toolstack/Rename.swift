public import ControlProtocol
internal import DomainConfig

/// Names, and configurations that replace others.
extension GuestRegistry {
    /// Gives a guest another name.
    ///
    /// - Returns: the guest under its new name.
    /// - Throws: an error when the name cannot be one or another guest has it; the guest keeps its name then.
    public func rename(_ guest: Entry, to name: String) throws(OperatorError) -> Entry {
        try Self.checkName(name)
        let lock = try lockRegistry()
        defer { extendLifetime(lock) }
        if let other = try guests().first(where: { $0.description.name == name && $0.domainID != guest.domainID }) {
            throw OperatorError(
                "a guest with the name \"\(name)\" exists already (domain \(other.domainID))", remedy: "choose another name")
        }
        _ = try guest.ask(.rename(name))
        var renamed = guest
        renamed.description.name = name
        try renamed.storeDescription()
        return renamed
    }

    /// The rules for `name=` in a configuration hold for every name.
    ///
    /// - Throws: an error that tells which rule is broken.
    public static func checkName(_ name: String) throws(OperatorError) {
        let text = "name=\(ConfigText.quote(name))\ntype=\"pvh\"\nkernel=\"/\"\nmemory=1\n"
        let (_, diagnostics) = DomainDescription.read(Array(text.utf8), source: "name", probeKernel: { _ in .carriesPVHEntry })
        if let found = diagnostics.first(where: { $0.severity == .error }) { throw OperatorError(found.cause, remedy: found.remedy) }
    }
}

extension GuestRegistry.Entry {
    /// Writes `guest.json` anew: that is where others find the guest's name.
    func storeDescription() throws(OperatorError) {
        do throws(SystemError) {
            try Files.write("\(directory)/\(GuestDescription.fileName)", description.json())
        } catch {
            throw OperatorError(
                "the directory of \"\(description.name)\" cannot be written: \(error.sentence)", remedy: "it may have just ended")
        }
    }
}

/// Text as xl.cfg spells it.
public enum ConfigText {
    /// A string in double quotes.
    public static func quote(_ text: String) -> String {
        var quoted = "\""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): quoted += "\\" + String(UnicodeScalar(byte))
            case 32..<127: quoted += String(UnicodeScalar(byte))
            default:
                let digits = String(byte, radix: 16)
                quoted += "\\x" + (digits.count < 2 ? "0" : "") + digits
            }
        }
        return quoted + "\""
    }
}
