extension NetworkSpecification {
    /// Reads one interface: `key=value` pairs and flags between commas.
    ///
    /// - Parameters:
    ///   - text: what the configuration says; empty for all defaults.
    ///   - deviceID: the number when the text does not give one.
    /// - Throws: what is wrong.
    /// - Returns: the interface, and one warning for each word that is not known.
    public static func parse(
        _ text: String, deviceID: UInt32
    ) throws(SpecificationError) -> (network: NetworkSpecification, warnings: [SpecificationConcern]) {
        var parser = NetworkParser(deviceID: deviceID)
        for parameter in text.split(separator: ",") {
            let parameter = parameter.trimmed
            if !parameter.isEmpty { try parser.read(parameter) }
        }
        try parser.checkForwards()
        return (parser.network, parser.warnings)
    }
}

private struct NetworkParser {
    var network: NetworkSpecification
    var warnings: [SpecificationConcern] = []
    private var seen: [String: String] = [:]

    init(deviceID: UInt32) { network = NetworkSpecification(deviceID: deviceID) }

    mutating func read(_ parameter: Substring) throws(SpecificationError) {
        guard let equals = parameter.firstIndex(of: "=") else { return readFlag(parameter) }
        let key = String(parameter[..<equals].trimmed)
        let value = String(parameter[parameter.index(after: equals)...].trimmed)
        guard key == "hostfwd" || seen[key] == nil || seen[key] == value else {
            throw SpecificationError("\(key)= is given twice, with different values", remedy: "keep one of them")
        }
        seen[key] = value
        try assign(key, value)
    }

    private mutating func readFlag(_ word: Substring) {
        switch word {
        case "trusted": network.isTrusted = true
        case "untrusted": network.isTrusted = false
        default: warnUnknown(String(word))
        }
    }

    private mutating func assign(_ key: String, _ value: String) throws(SpecificationError) {
        switch key {
        case "type": network.kind = try Self.kind(value)
        case "mac": network.mac = try NetworkSpecification.mac(value)
        case "bridge": network.bridge = try Self.link(value)
        case "gatewaydev": network.gatewayDevice = value
        case "netdev":
            network.gatewayDevice = value
            warnings.append(.warning("netdev= is deprecated", remedy: "write gatewaydev="))
        case "ip": network.ip = value
        case "script": network.script = value
        case "backend": network.backendDomain = value
        case "vifname": network.interfaceName = try NetworkSpecification.checkedInterfaceName(value)
        case "model": network.model = value
        case "vlan": network.vlan = value
        case "forwarddev": network.forwardDevice = value
        case "rate": network.rate = try NetworkSpecification.Rate(parsing: value)
        case "mtu": network.mtu = try Self.number(value, key, 68...65535)
        case "devid": network.deviceID = try Self.number(value, key, 0...32767)
        case "hostfwd": network.forwards.append(try NetworkSpecification.Forward(parsing: value))
        default: warnUnknown(key)
        }
    }

    private static let keys = [
        "type", "mac", "bridge", "gatewaydev", "ip", "script", "backend", "vifname", "model", "vlan", "rate", "mtu", "devid", "hostfwd",
        "trusted", "untrusted",
    ]

    private mutating func warnUnknown(_ word: String) {
        if word == "accel" || word.hasPrefix("colo_") {
            warnings.append(.warning("`\(word)' is not supported and ignored", remedy: "remove it"))
            return
        }
        let nearest = NearestKey.find(word, among: Self.keys)
        warnings.append(
            .warning(
                "unknown parameter `\(word)' is ignored",
                remedy: nearest.map { "did you mean `\($0)'?" } ?? "the parameters are " + Self.keys.joined(separator: ", ")))
    }

    /// Two forwards cannot listen at one port.
    func checkForwards() throws(SpecificationError) {
        for (index, forward) in network.forwards.enumerated() {
            let isTwin = { (other: NetworkSpecification.Forward) in
                other.transport == forward.transport && other.hostPort == forward.hostPort && other.hostAddress == forward.hostAddress
            }
            guard !network.forwards[..<index].contains(where: isTwin) else {
                throw SpecificationError("hostfwd=\(forward.text): the host's port is taken twice", remedy: "choose another port")
            }
        }
    }
}

// MARK: - Values

extension NetworkParser {
    private static func kind(_ text: String) throws(SpecificationError) -> NetworkSpecification.Kind {
        guard let kind = NetworkSpecification.Kind(rawValue: text) else {
            throw SpecificationError("unknown value for type: `\(text)'", remedy: "it is vif")
        }
        return kind
    }

    private static func link(_ text: String) throws(SpecificationError) -> String {
        if text == "tap:" || text == "hub:" {
            throw SpecificationError("bridge=\(text) names nothing", remedy: "write bridge=tap:DEVICE or bridge=hub:PATH")
        }
        return text
    }

    private static func number(_ text: String, _ key: String, _ range: ClosedRange<Int64>) throws(SpecificationError) -> UInt32 {
        guard case .value(let number) = CInteger.parse(text), range.contains(number) else {
            throw SpecificationError(
                "\(key)=\(text) is not a number from \(range.lowerBound) to \(range.upperBound)", remedy: "write a plain number")
        }
        return UInt32(number)
    }
}

extension NetworkSpecification {
    /// Six bytes; "0:16:3e:0:0:1" and "00-16-3e-00-00-01" are taken as well.
    static func mac(_ text: String) throws(SpecificationError) -> String {
        let groups = text.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "-" }
        let bytes = groups.compactMap { $0.utf8.count <= 2 && !$0.hasPrefix("+") ? UInt8($0, radix: 16) : nil }
        guard groups.count == 6, bytes.count == 6 else {
            throw SpecificationError("mac=\(text) is not a MAC address", remedy: "write six hexadecimal bytes like 00:16:3e:12:34:56")
        }
        guard bytes[0] & 1 == 0, bytes != [0, 0, 0, 0, 0, 0] else {
            throw SpecificationError(
                "mac=\(text) cannot be the address of an interface: it is \(bytes[0] & 1 == 1 ? "a group's" : "zero")",
                remedy: "write an even first byte; 00:16:3e is Xen's own prefix")
        }
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }

    /// IFNAMSIZ of Linux is 16 with the NUL.
    static func checkedInterfaceName(_ text: String) throws(SpecificationError) -> String {
        guard (1...15).contains(text.utf8.count), !text.contains("/"), !text.contains(" ") else {
            throw SpecificationError(
                "vifname=\(text) cannot be the name of an interface", remedy: "use 1 to 15 characters without blanks and /")
        }
        return text
    }
}

extension NetworkSpecification.Rate {
    /// `<n>[G|M|K](B|b)/s[@<n>[m|u]s]`, decimal multiples; the interval is 50 ms unless given.
    init(parsing text: String) throws(SpecificationError) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard let bytes = Self.bytesPerSecond(parts[0]), let interval = parts.count == 1 ? 50_000 : Self.microseconds(parts[1]) else {
            throw SpecificationError("invalid rate in `\(text)'", remedy: "write for instance rate=10Mb/s, rate=250KB/s or rate=1MB/s@20ms")
        }
        let (product, overflow) = bytes.multipliedReportingOverflow(by: interval)
        guard !overflow, product >= 1_000_000 else {
            throw SpecificationError(
                "rate=\(text): \(overflow ? "too many" : "not one") bytes in an interval", remedy: "choose another rate or interval")
        }
        self.init(bytesPerInterval: product / 1_000_000, intervalMicroseconds: UInt32(interval))
    }

    private static func bytesPerSecond(_ text: Substring) -> UInt64? {
        guard text.hasSuffix("B/s") || text.hasSuffix("b/s") else { return nil }
        let isBits = text.hasSuffix("b/s")
        let number = text.dropLast(3)
        let scale: UInt64 =
            switch number.last {
            case "G": 1_000_000_000
            case "M": 1_000_000
            case "K": 1000
            default: 1
            }
        guard let value = UInt64(digits: scale == 1 ? number : number.dropLast()) else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: scale)
        return overflow ? nil : isBits ? product / 8 : product
    }

    private static func microseconds(_ text: Substring) -> UInt64? {
        guard text.hasSuffix("s") else { return nil }
        let number = text.dropLast()
        let scale: UInt64 = number.hasSuffix("u") ? 1 : number.hasSuffix("m") ? 1000 : 1_000_000
        guard let value = UInt64(digits: scale == 1_000_000 ? number : number.dropLast()), (1...3_600_000_000).contains(value) else {
            return nil
        }
        let microseconds = value * scale
        return microseconds <= 3_600_000_000 ? microseconds : nil
    }
}

extension NetworkSpecification.Forward {
    init(parsing text: String) throws(SpecificationError) {
        let wrong = SpecificationError(
            "hostfwd=\(text) is not a forwarded port",
            remedy: "write hostfwd=tcp:127.0.0.1:2222-:22: the host's address and port, then the guest's")
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw wrong }
        let host = parts[0].split(separator: ":", omittingEmptySubsequences: false)
        let guest = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        guard host.count == 3, guest.count == 2, let transport = Transport(rawValue: host[0].isEmpty ? "tcp" : String(host[0])) else {
            throw wrong
        }
        guard let hostPort = Self.port(host[2]), let guestPort = Self.port(guest[1]) else { throw wrong }
        guard Self.isAddress(host[1]), Self.isAddress(guest[0]) else {
            throw SpecificationError(
                "hostfwd=\(text): an address is not IPv4", remedy: "write numbers like 127.0.0.1, or nothing for every address")
        }
        self.init(
            transport: transport, hostAddress: String(host[1]), hostPort: hostPort, guestAddress: String(guest[0]), guestPort: guestPort)
    }

    private static func port(_ text: Substring) -> UInt16? {
        UInt64(digits: text).flatMap(UInt16.init(exactly:)).flatMap { $0 == 0 ? nil : $0 }
    }

    private static func isAddress(_ text: Substring) -> Bool {
        let groups = text.split(separator: ".", omittingEmptySubsequences: false)
        return text.isEmpty || groups.count == 4 && groups.allSatisfy { UInt64(digits: $0).map { $0 < 256 } == true }
    }
}

extension UInt64 {
    /// Decimal digits and nothing else.
    init?(digits: Substring) {
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        self.init(digits)
    }
}
