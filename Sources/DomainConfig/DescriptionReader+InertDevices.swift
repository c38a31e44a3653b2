extension DescriptionReader {
    /// The devices no guest gets, by libxl's name of their array.
    mutating func readInertDevices() -> [String: [JSONText]] {
        var devices: [String: [JSONText]] = [:]
        read("p9", .sharedDirectory, into: &devices)
        read("vfb", .framebuffer, into: &devices)
        // Each framebuffer brings a keyboard.
        devices["vkbs"] = devices["vfbs"]?.indices.map { .object([("devid", .number(Int64($0)))]) }
        read("vkb", .keyboard, into: &devices)
        read("vtpm", .tpm, into: &devices)
        read("pvcalls", .socketInterface, into: &devices)
        read("usbctrl", .usbController, into: &devices)
        read("usbdev", .usbDevice, into: &devices)
        read("channel", .channel, into: &devices, finish: Self.finishChannel)
        read("vdispl", .display, into: &devices, finish: Self.finishDisplay)
        read("dtdev", into: &devices, "dtdevs") { .object([("path", .string($0))]) }
        read("pci", into: &devices, "pcidevs", Self.pciDevice)
        readSoundCards(&devices)
        return devices
    }

    private typealias Finish = (inout [String: JSONText]) throws(SpecificationError) -> Void

    private mutating func read(
        _ key: String, _ device: InertDevice, into devices: inout [String: [JSONText]], finish: Finish = { _ in }
    ) {
        for (text, place) in reader.strings(key) {
            let index = devices[device.member]?.count ?? 0
            do throws(SpecificationError) {
                var members = try device.parse(text, index: index)
                try finish(&members)
                devices[device.member, default: []].append(device.json(members))
            } catch {
                reader.report(.error, at: place, "\(key) \"\(text)\": \(error.cause)", remedy: error.remedy)
            }
        }
    }

    private mutating func read(
        _ key: String, into devices: inout [String: [JSONText]], _ member: String,
        _ parse: (String) throws(SpecificationError) -> JSONText
    ) {
        for (text, place) in reader.strings(key) {
            do throws(SpecificationError) {
                devices[member, default: []].append(try parse(text))
            } catch {
                reader.report(.error, at: place, "\(key) \"\(text)\": \(error.cause)", remedy: error.remedy)
            }
        }
    }

    private static func finishChannel(_ members: inout [String: JSONText]) throws(SpecificationError) {
        let path = members.removeValue(forKey: "path")
        guard case .string("socket")? = members.removeValue(forKey: "connection") else {
            members["connection.pty"] = .object([])
            return
        }
        guard let path else { throw SpecificationError("connection=socket has no path=", remedy: "add path=") }
        members["connection.socket"] = .object([("path", path)])
    }

    /// "id:WIDTHxHEIGHT;…"
    private static func finishDisplay(_ members: inout [String: JSONText]) throws(SpecificationError) {
        guard case .string(let text)? = members["connectors"] else { return }
        var connectors: [JSONText] = []
        for part in text.split(separator: ";") {
            let halves = part.split(separator: ":", maxSplits: 1)
            let sizes = halves.last?.split(separator: "x").compactMap { UInt64(digits: $0) } ?? []
            guard halves.count == 2, sizes.count == 2 else {
                throw SpecificationError("`\(part)' is no connector", remedy: "write id:WIDTHxHEIGHT")
            }
            connectors.append(
                .object([
                    ("unique_id", .string(String(halves[0]))), ("width", .number(Int64(clamping: sizes[0]))),
                    ("height", .number(Int64(clamping: sizes[1]))),
                ]))
        }
        members["connectors"] = .array(connectors)
    }

    /// "[DDDD:]BB:DD.F[@SLOT][,option=value…]", all hexadecimal.
    private static func pciDevice(_ text: String) throws(SpecificationError) -> JSONText {
        let parts = text.split(separator: ",").map(\.trimmed)
        let address = parts.first?.split(separator: "@").first ?? ""
        let numbers = address.split { $0 == ":" || $0 == "." }.compactMap { Int64($0, radix: 16) }
        guard numbers.count == 3 || numbers.count == 4, let function = numbers.last, (0...7).contains(function) else {
            throw SpecificationError("`\(address)' is no address of a PCI device", remedy: "write for instance 00:02.0")
        }
        let fields = [
            ("func", function), ("dev", numbers[numbers.count - 2]), ("bus", numbers[numbers.count - 3]),
            ("domain", numbers.count == 4 ? numbers[0] : 0),
        ]
        var members = JSONMembers()
        for (name, value) in fields where value != 0 { members.add(name, value) }
        members.add("vfunc_mask", 1 << function)
        let flags = [("msitranslate", "msitranslate"), ("power_mgmt", "power_mgmt"), ("permissive", "permissive"), ("seize", "seize")]
        for (name, member) in flags where parts.contains("\(name)=1") { members.add(member, .literal(true)) }
        members.add("rdm_policy", parts.contains("rdm_policy=relaxed") ? "relaxed" : "strict")
        return .object(members.all)
    }
}

// MARK: - Sound cards

extension DescriptionReader {
    /// Each card is a list of strings: "card, …", "pcm, …", "stream, …".
    private mutating func readSoundCards(_ devices: inout [String: [JSONText]]) {
        guard let setting = reader.settings["vsnd"], case .list(let cards) = setting.value else { return }
        for (index, card) in cards.enumerated() {
            let place = setting.place(ofElement: index)
            guard case .list(let items) = card else {
                reader.report(.error, at: place, "`vsnd' holds a string where a list belongs", remedy: "write vsnd = [[ \"card, ...\" ]]")
                continue
            }
            do throws(SpecificationError) {
                devices["vsnds", default: []].append(try SoundCard(items.compactMap(\.text)).json(number: index))
            } catch {
                reader.report(.error, at: place, "`vsnd': \(error.cause)", remedy: error.remedy)
            }
        }
    }
}

// MARK: - Parts of the host

extension DescriptionReader {
    mutating func readHostResources(_ inert: inout InertSettings) {
        inert.build["ioports"] = ranges("ioports", example: "3f8-3ff") { text in
            let bounds = text.split(separator: "-", maxSplits: 1).map { UInt32($0, radix: 16) }
            guard let first = bounds.first ?? nil, let last = bounds.last ?? nil, first <= last else { return nil }
            return .object([("first", .number(Int64(first))), ("number", .number(Int64(last - first) + 1))])
        }
        inert.build["irqs"] = ranges("irqs", example: "5") { UInt64(digits: $0[...]).map { .number(Int64(clamping: $0)) } }
        inert.build["iomem"] = ranges("iomem", example: "a0,1") { text in
            let parts = text.split { $0 == "," || $0 == "@" }.map { Int64($0, radix: 16) }
            guard (2...3).contains(parts.count), let start = parts[0], let number = parts[1] else { return nil }
            var members = JSONMembers()
            members.add("start", start)
            members.add("number", number)
            if parts.count == 3 { members.add("gfn", parts[2]) }
            return .object(members.all)
        }
    }

    private mutating func ranges(_ key: String, example: String, _ parse: (String) -> JSONText?) -> JSONText? {
        var values: [JSONText] = []
        for (text, place) in reader.strings(key) {
            if let value = parse(text) {
                values.append(value)
            } else {
                reader.report(.error, at: place, "`\(key)' has the value \"\(text)\"", remedy: "write for instance \"\(example)\"")
            }
        }
        return values.isEmpty ? nil : .array(values)
    }
}
