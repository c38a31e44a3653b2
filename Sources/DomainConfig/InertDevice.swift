/// Reads the specification of a device no guest of this version gets, into what libxl would show.
///
/// All of them are `key=value` pairs between commas; a table says which keys there are and what becomes of them.
struct InertDevice {
    enum Shape {
        case string, number, flag, boolean
        /// One of these words.
        case word([String])
    }

    struct Parameter {
        var name: String
        /// The member, with a dot for one inside an object: "vnc.enable".
        var member: String
        var shape: Shape
        var isRequired = false

        init(_ name: String, _ member: String? = nil, _ shape: Shape = .string, isRequired: Bool = false) {
            self.name = name
            self.member = member ?? name
            self.shape = shape
            self.isRequired = isRequired
        }
    }

    /// libxl's name of the array.
    var member: String
    var parameters: [Parameter]
    /// Objects that are always there, with the order of their members.
    var objects: [(name: String, members: [String])] = []
    /// The order of the members.
    var order: [String]
    var hasNumber = true
    /// Keys that are not known are passed over.
    var isLenient = false

    /// - Returns: the members that are given, by name.
    /// - Throws: what is wrong.
    func parse(_ text: String, index: Int) throws(SpecificationError) -> [String: JSONText] {
        var members: [String: JSONText] = hasNumber ? ["devid": .number(Int64(index))] : [:]
        var seen: Set<String> = []
        for part in text.split(separator: ",") {
            let part = part.trimmed
            guard let equals = part.firstIndex(of: "=") else {
                if isLenient { continue }
                throw SpecificationError("`\(part)' is no parameter", remedy: "write key=value; \(knownNames)")
            }
            let name = String(part[..<equals].trimmed)
            guard let parameter = parameters.first(where: { $0.name == name }) else {
                if isLenient { continue }
                throw SpecificationError("unknown parameter `\(name)'", remedy: knownNames)
            }
            seen.insert(name)
            members[parameter.member] = try Self.value(part[part.index(after: equals)...].trimmed, parameter)
        }
        if let missing = parameters.first(where: { $0.isRequired && !seen.contains($0.name) }) {
            throw SpecificationError("\(missing.name)= is missing", remedy: "add \(missing.name)=")
        }
        return members
    }

    /// The device as an object.
    func json(_ members: [String: JSONText]) -> JSONText {
        var plain = members.filter { member in !objects.contains { member.key.hasPrefix($0.name + ".") } }
        for object in objects {
            let inner = object.members.compactMap { name in members["\(object.name).\(name)"].map { (name, $0) } }
            plain[object.name] = .object(inner)
        }
        return .object(MemberOrder.sort(plain, order))
    }

    private var knownNames: String { "the parameters are " + parameters.map(\.name).joined(separator: ", ") }

    private static func value(_ text: Substring, _ parameter: Parameter) throws(SpecificationError) -> JSONText {
        switch parameter.shape {
        case .string: return .string(String(text))
        case .word(let words):
            guard words.contains(String(text)) else {
                throw SpecificationError(
                    "unknown value for \(parameter.name): `\(text)'", remedy: "it is one of " + words.joined(separator: ", "))
            }
            return .string(String(text))
        case .number, .flag, .boolean:
            guard case .value(let number) = CInteger.parse(String(text)), number >= 0 else {
                throw SpecificationError("\(parameter.name)=\(text) is not a number", remedy: "write a plain number")
            }
            switch parameter.shape {
            case .flag: return .literal(number != 0)
            case .boolean: return .boolean(number != 0)
            default: return .number(number)
            }
        }
    }
}

// MARK: - The devices

extension InertDevice {
    static let sharedDirectory = InertDevice(
        member: "p9s",
        parameters: [
            Parameter("tag", isRequired: true), Parameter("path", isRequired: true), Parameter("security_model", isRequired: true),
            Parameter("backend", "backend_domname"), Parameter("type", nil, .word(["qemu", "xen_9pfsd"])),
            Parameter("max-files", "max_files", .number),
            Parameter("max-open-files", "max_open_files", .number), Parameter("max-space", "max_space", .number),
            Parameter("auto-delete", "auto_delete", .flag),
        ],
        order: [
            "backend_domname", "tag", "path", "security_model", "devid", "type", "max_space", "max_files", "max_open_files", "auto_delete",
        ], hasNumber: false)

    static let framebuffer = InertDevice(
        member: "vfbs",
        parameters: [
            Parameter("vnc", "vnc.enable", .boolean), Parameter("vnclisten", "vnc.listen"), Parameter("vncpasswd", "vnc.passwd"),
            Parameter("vncdisplay", "vnc.display", .number), Parameter("vncunused", "vnc.findunused", .boolean), Parameter("keymap"),
            Parameter("sdl", "sdl.enable", .boolean), Parameter("opengl", "sdl.opengl", .boolean), Parameter("display", "sdl.display"),
            Parameter("xauthority", "sdl.xauthority"),
        ],
        objects: [
            ("vnc", ["enable", "listen", "passwd", "display", "findunused"]), ("sdl", ["enable", "opengl", "display", "xauthority"]),
        ],
        order: ["backend_domname", "devid", "vnc", "sdl", "keymap"], isLenient: true)

    static let keyboard = InertDevice(
        member: "vkbs",
        parameters: [
            Parameter("backend", "backend_domname"), Parameter("backend-type", "backend_type", .word(["qemu", "linux"])),
            Parameter("unique-id", "unique_id"), Parameter("feature-disable-keyboard", "feature_disable_keyboard", .flag),
            Parameter("feature-disable-pointer", "feature_disable_pointer", .flag),
            Parameter("feature-abs-pointer", "feature_abs_pointer", .flag), Parameter("feature-raw-pointer", "feature_raw_pointer", .flag),
            Parameter("feature-multi-touch", "feature_multi_touch", .flag), Parameter("width", nil, .number),
            Parameter("height", nil, .number),
            Parameter("multi-touch-width", "multi_touch_width", .number), Parameter("multi-touch-height", "multi_touch_height", .number),
            Parameter("multi-touch-num-contacts", "multi_touch_num_contacts", .number),
        ],
        order: [
            "backend_domname", "devid", "backend_type", "unique_id", "feature_disable_keyboard", "feature_disable_pointer",
            "feature_abs_pointer", "feature_raw_pointer", "feature_multi_touch", "width", "height", "multi_touch_width",
            "multi_touch_height", "multi_touch_num_contacts",
        ])

    static let tpm = InertDevice(
        member: "vtpms", parameters: [Parameter("backend", "backend_domname", isRequired: true), Parameter("uuid")],
        order: ["backend_domname", "devid", "uuid"])

    static let socketInterface = InertDevice(
        member: "pvcallsifs", parameters: [Parameter("backend", "backend_domname")], order: ["backend_domname", "devid"])

    static let channel = InertDevice(
        member: "channels",
        parameters: [
            Parameter("backend", "backend_domname"), Parameter("name"),
            Parameter("connection", nil, .word(["pty", "socket"]), isRequired: true), Parameter("path"),
        ], order: ["backend_domname", "devid", "name"])

    static let display = InertDevice(
        member: "vdispls",
        parameters: [
            Parameter("backend", "backend_domname"), Parameter("be-alloc", "be_alloc", .flag), Parameter("connectors", isRequired: true),
        ], order: ["backend_domname", "devid", "be_alloc", "connectors"])

    static let usbController = InertDevice(
        member: "usbctrls",
        parameters: [
            Parameter("type", nil, .word(["auto", "pv", "devicemodel", "qusb"])), Parameter("version", nil, .number),
            Parameter("ports", nil, .number),
        ], order: ["type", "devid", "version", "ports"])

    static let usbDevice = InertDevice(
        member: "usbdevs",
        parameters: [
            Parameter("type", nil, .word(["hostdev"])), Parameter("hostbus", "type.hostdev.hostbus", .number),
            Parameter("hostaddr", "type.hostdev.hostaddr", .number), Parameter("controller", "ctrl", .number),
            Parameter("port", nil, .number),
        ],
        objects: [("type.hostdev", ["hostbus", "hostaddr"])], order: ["ctrl", "port", "type.hostdev"], hasNumber: false)
}
