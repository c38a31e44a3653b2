extension DescriptionReader {
    /// What a guest with a device model would have, as libxl shows it.
    mutating func readEmulated(_ inert: inout InertSettings) {
        var members: [String: JSONText] = [:]
        for key in EmulatedKey.all { readEmulated(key, &members) }
        readFirmware(&members)
        readScreen(&members)
        readViridian(&members)
        readReservedMemory(&members)
        members["smbios"] = list("smbios", Self.smbios)
        if let capabilities = list("mca_caps", Self.machineCheck), case .array(let all) = capabilities, !all.isEmpty {
            members["mca_caps"] = .number(1)
        }
        if let word = reader.string("ms_vm_genid"), check("ms_vm_genid", word, ["generate", "none"]), word == "generate" {
            members["ms_vm_genid"] = .array((0..<16).map { _ in .number(Int64(UInt8.random(in: 0...255))) })
        }
        for object in MemberOrder.hvmObjects {
            let inner = object.members.compactMap { name in members.removeValue(forKey: "\(object.name).\(name)").map { (name, $0) } }
            members[object.name] = .object(inner)
        }
        inert.typeSpecific = members
    }

    private mutating func readEmulated(_ key: EmulatedKey, _ members: inout [String: JSONText]) {
        switch key.shape {
        case .string: members[key.member] = text(key.name)
        case .boolean: members[key.member] = boolean(key.name)
        case .number: members[key.member] = reader.integer(key.name, 0...Int64(Int32.max), example: "\(key.name)=1").flatMap(Self.shown)
        case .mebibytes(let range):
            let size = reader.integer(key.name, .min ... .max, example: "\(key.name)=\(range.lowerBound), in MiB")
            guard let size else { return }
            guard range.contains(size) else {
                return reader.report(
                    .error, key.name, "`\(key.name)' is \(size)",
                    remedy: "it is a number from \(range.lowerBound) to \(range.upperBound), in MiB")
            }
            members[key.member] = .number(size * 1024)
        case .word(let words):
            guard let word = reader.string(key.name), check(key.name, word, words.keys.sorted()) else { return }
            members[key.member] = (words[word] ?? nil).map { .string($0) }
        case .stringOrList(let list):
            guard case .list? = reader.settings[key.name]?.value else { return members[key.member] = text(key.name) }
            members[list] = self.list(key.name) { .string($0) }
        }
    }

    /// libxl leaves zeros out.
    private static func shown(_ number: Int64) -> JSONText? { number == 0 ? nil : .number(number) }

    private mutating func check(_ key: String, _ word: String, _ words: [String]) -> Bool {
        if words.contains(word) { return true }
        reader.report(
            .error, key, "`\(key)' has the unknown value \"\(word)\"", remedy: "it is one of " + words.joined(separator: ", "))
        return false
    }

    private mutating func list(_ key: String, _ parse: (String) throws(SpecificationError) -> JSONText) -> JSONText? {
        guard reader.settings[key] != nil else { return nil }
        var elements: [JSONText] = []
        for (text, place) in reader.strings(key) {
            do throws(SpecificationError) { elements.append(try parse(text)) } catch {
                reader.report(.error, at: place, "`\(key)': \(error.cause)", remedy: error.remedy)
            }
        }
        return elements.isEmpty ? nil : .array(elements)
    }

    // MARK: - keys that are not one member

    /// `firmware=` is short for `bios=`, or a path.
    private mutating func readFirmware(_ members: inout [String: JSONText]) {
        guard let word = reader.string("firmware") else { return }
        switch word {
        case "bios": break
        case "rombios", "seabios", "ovmf": members["bios"] = .string(word)
        case "uefi": members["bios"] = .string("ovmf")
        default: members["firmware"] = .string(word)
        }
    }

    private mutating func readScreen(_ members: inout [String: JSONText]) {
        if reader.settings["vga"] == nil, let isStandard = reader.boolean("stdvga") {
            members["vga.kind"] = .string(isStandard ? "std" : "cirrus")
        }
        guard let text = reader.string("gfx_passthru") else { return }
        if case .value(let number) = CInteger.parse(text) { return members["gfx_passthru"] = .boolean(number != 0) }
        guard check("gfx_passthru", text, ["default", "igd"]) else { return }
        members["gfx_passthru"] = .boolean(true)
        if text == "igd" { members["gfx_passthru_kind"] = .string(text) }
    }

    /// Hyper-V's interfaces in libxl's order.
    private static let enlightenments = [
        "base", "freq", "time_ref_count", "reference_tsc", "hcall_remote_tlb_flush", "apic_assist", "crash_ctl", "synic", "stimer",
        "hcall_ipi", "ex_processor_masks", "no_vp_limit", "cpu_hotplug",
    ]

    private mutating func readViridian(_ members: inout [String: JSONText]) {
        guard let setting = reader.settings["viridian"] else { return }
        guard case .list = setting.value else { return members["viridian"] = boolean("viridian") }
        var (enabled, disabled) = (Set<Int>(), Set<Int>())
        for (text, place) in reader.strings("viridian") {
            switch text {
            // libxl sets all 64 bits of its map.
            case "all": enabled = Set(0..<64)
            case "defaults": members["viridian"] = .boolean(true)
            default:
                let isOff = text.hasPrefix("!")
                let name = isOff ? String(text.dropFirst()) : text
                guard let index = Self.enlightenments.firstIndex(of: name) else {
                    let names = Self.enlightenments.joined(separator: ", ")
                    reader.report(
                        .error, at: place, "`viridian': there is no group \"\(name)\"", remedy: "there are all, defaults, \(names)")
                    continue
                }
                if isOff { enabled.remove(index) } else { enabled.insert(index) }
                if isOff { disabled.insert(index) } else { disabled.remove(index) }
            }
        }
        for (name, set) in [("viridian_enable", enabled), ("viridian_disable", disabled)] where !set.isEmpty {
            members[name] = .array(set.sorted().map { .number(Int64($0)) })
        }
    }

    private mutating func readReservedMemory(_ members: inout [String: JSONText]) {
        guard let text = reader.string("rdm") else { return }
        for part in text.split(separator: ",").map(\.trimmed) {
            switch part {
            case "strategy=host": members["rdm.strategy"] = .string("host")
            case "policy=strict", "policy=relaxed": members["rdm.policy"] = .string(String(part.dropFirst("policy=".count)))
            default: reader.report(.error, "rdm", "`rdm': `\(part)' is no parameter", remedy: "write strategy=host,policy=relaxed")
            }
        }
    }

    private static let smbiosKeys = [
        "bios_vendor", "bios_version", "system_manufacturer", "system_product_name", "system_version", "system_serial_number",
        "baseboard_manufacturer", "baseboard_product_name", "baseboard_version", "baseboard_serial_number", "baseboard_asset_tag",
        "baseboard_location_in_chassis", "enclosure_manufacturer", "enclosure_serial_number", "enclosure_asset_tag",
        "battery_manufacturer", "battery_device_name", "oem",
    ]

    private static func smbios(_ text: String) throws(SpecificationError) -> JSONText {
        let key = text.prefix { $0 != "=" }
        guard text.contains("="), smbiosKeys.contains(String(key)) else {
            throw SpecificationError(
                "\"\(text)\" is no text of a table", remedy: "write KEY=TEXT; the keys are " + smbiosKeys.joined(separator: ", "))
        }
        return .object([("key", .string(String(key))), ("value", .string(String(text.dropFirst(key.count + 1))))])
    }

    private static func machineCheck(_ text: String) throws(SpecificationError) -> JSONText {
        guard text == "lmce" else { throw SpecificationError("there is no capability \"\(text)\"", remedy: "the only one is lmce") }
        return .string(text)
    }
}
