internal import ControlProtocol
public import DomainConfig

/// What kind of guest a domain is, as libxl finds out: by the hypervisor's flag, then by the node its creator left in the xenstore.
public struct DomainTypeLookup: Equatable, Sendable {
    /// nil when nothing is known of the domain: libxl's INVALID.
    public var type: DomainType?
    /// What is to be said when the type is a guess.
    public var warning: String?

    /// - Parameters:
    ///   - isHVM: whether the domain lives in a hardware container; nil when its information cannot be had.
    ///   - node: reads `/libxl/<domid>/type`; nil when it is not there. Asked only where it decides.
    init(domainID: UInt16, isHVM: Bool?, node: () -> String?) {
        switch isHVM {
        case nil: return
        case false?: type = .pv
        case true?:
            // The node of a hardware container says hvm or pvh; anything else is none.
            if let known = node().flatMap(DomainType.init), known != .pv {
                type = known
            } else {
                type = .hvm
                warning = "unable to get domain type for domid=\(domainID), assuming HVM"
            }
        }
    }

    /// libxl's number.
    public var number: Int32 { type?.number ?? DomainType.invalidNumber }
}

extension GuestRegistry.Entry {
    /// Finds out what kind of guest this is. Every guest here lives in a hardware container of its own.
    public func domainType() -> DomainTypeLookup {
        DomainTypeLookup(domainID: domainID, isHVM: (try? status()) == nil ? nil : true) {
            StoreNode.read("/libxl/\(domainID)/type", directory: directory)
        }
    }

    /// For what only a PVH guest can do.
    ///
    /// - Throws: an error when this is no PVH guest, or nobody knows.
    func requirePVH(for what: String) throws(OperatorError) {
        let found = domainType()
        guard found.type != .pvh else { return }
        guard let type = found.type else { throw OperatorError("the process of \"\(description.name)\" does not answer") }
        throw OperatorError(
            "\(found.warning ?? "\"\(description.name)\" is of type \(type.rawValue)"): \(what) needs a PVH guest",
            remedy: "if it is one, write pvh to /libxl/\(domainID)/type in its xenstore")
    }
}
