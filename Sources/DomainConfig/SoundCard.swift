/// One card of `vsnd=`: texts "card, …", "pcm, …", "stream, …". A stream belongs to the PCM device before it.
struct SoundCard {
    /// The card, a device of it, or a stream of that: members of its own, and what all three may say of the sound.
    fileprivate struct Part {
        var members: [String: JSONText] = [:]
        var parameters: [String: JSONText] = [:]

        var json: JSONText { .object(MemberOrder.sort(parameters, parameterOrder)) }
    }

    private struct Device {
        var part = Part()
        var streams: [Part] = []
    }

    private var card = Part()
    private var devices: [Device] = []

    init(_ items: [String]) throws(SpecificationError) {
        for item in items {
            let words = item.split(separator: ",").map(\.trimmed)
            let kind = words.first?.lowercased() ?? ""
            guard ["card", "pcm", "stream"].contains(kind) else {
                throw SpecificationError("`\(item)' is no part of a card", remedy: "it starts with card, pcm or stream")
            }
            if kind == "pcm" || kind == "stream" && devices.isEmpty { devices.append(Device()) }
            let last = devices.count - 1
            if kind == "stream" { devices[last].streams.append(Part()) }
            for word in words.dropFirst() {
                switch kind {
                case "card": try card.add(word, Self.cardNames)
                case "pcm": try devices[last].part.add(word, ["name": "name"])
                default: try devices[last].streams[devices[last].streams.count - 1].add(word, Self.streamNames)
                }
            }
        }
    }

    private static let cardNames = ["backend": "backend_domname", "short-name": "short_name", "long-name": "long_name"]
    private static let streamNames = ["unique-id": "unique_id", "type": "type"]
    private static let parameterOrder = ["sample_rates", "sample_formats", "channels_min", "channels_max", "buffer_size"]

    // MARK: - JSON

    func json(number: Int) -> JSONText {
        var members = card.members
        members["devid"] = .number(Int64(number))
        members["params"] = card.json
        if !devices.isEmpty { members["pcms"] = .array(devices.map(Self.json)) }
        return .object(MemberOrder.sort(members, ["backend_domname", "devid", "short_name", "long_name", "params", "pcms"]))
    }

    private static func json(_ device: Device) -> JSONText {
        var members = device.part.members
        members["params"] = device.part.json
        if !device.streams.isEmpty {
            members["streams"] = .array(
                device.streams.map { stream in
                    var members = stream.members
                    members["params"] = stream.json
                    return .object(MemberOrder.sort(members, ["unique_id", "type", "params"]))
                })
        }
        return .object(MemberOrder.sort(members, ["name", "params", "streams"]))
    }
}

extension SoundCard.Part {
    /// - Parameter names: the keys of this part and their members.
    fileprivate mutating func add(_ word: Substring, _ names: [String: String]) throws(SpecificationError) {
        guard let equals = word.firstIndex(of: "=") else {
            throw SpecificationError("`\(word)' is no parameter", remedy: "write key=value")
        }
        let name = String(word[..<equals])
        let value = String(word[word.index(after: equals)...])
        if name == "type", names[name] != nil, !["p", "c"].contains(value.lowercased()) {
            throw SpecificationError("type=\(value) is no direction", remedy: "write p for playback or c for capture")
        }
        if let member = names[name] { return members[member] = .string(name == "type" ? value.lowercased() : value) }
        try addParameter(name, value, names)
    }

    private mutating func addParameter(_ name: String, _ value: String, _ names: [String: String]) throws(SpecificationError) {
        let member = String(name.map { $0 == "-" ? "_" : $0 })
        switch name {
        case "sample-rates":
            parameters[member] = .array(try Self.list(value).map { (text) throws(SpecificationError) in try Self.number(text, name) })
        case "sample-formats":
            parameters[member] = .array(try Self.list(value).map { (text) throws(SpecificationError) in try Self.format(text) })
        case "channels-min", "channels-max", "buffer-size":
            let number = try Self.number(value, name)
            parameters[member] = number == .number(0) ? nil : number
        default:
            let known = names.keys.sorted() + ["sample-rates", "sample-formats", "channels-min", "channels-max", "buffer-size"]
            throw SpecificationError("unknown parameter `\(name)'", remedy: "the parameters are " + known.joined(separator: ", "))
        }
    }

    private static func list(_ text: String) -> [String] { text.split(separator: ";").map { String($0) } }

    private static func number(_ text: String, _ name: String) throws(SpecificationError) -> JSONText {
        guard case .value(let number) = CInteger.parse(text), 0...Int64(UInt32.max) ~= number else {
            throw SpecificationError("\(name)=\(text) is not a number", remedy: "write a plain number")
        }
        return .number(number)
    }

    private static let formats = [
        "s8", "u8", "s16_le", "s16_be", "u16_le", "u16_be", "s24_le", "s24_be", "u24_le", "u24_be", "s32_le", "s32_be", "u32_le", "u32_be",
        "f32_le", "f32_be", "f64_le", "f64_be", "iec958_subframe_le", "iec958_subframe_be", "mu_law", "a_law", "ima_adpcm", "mpeg", "gsm",
    ]

    private static func format(_ text: String) throws(SpecificationError) -> JSONText {
        guard formats.contains(text.lowercased()) else {
            throw SpecificationError("there is no sample format `\(text)'", remedy: "the formats are " + formats.joined(separator: ", "))
        }
        return .string(text.lowercased())
    }
}
