import DomainConfig
import Testing

private func parse(_ text: String, overrides: [String] = []) -> (settings: ConfigSettings, errors: [String]) {
    let (settings, diagnostics) = ConfigParser.parse(Array(text.utf8), source: "f", overrides: overrides)
    return (settings, diagnostics.map(\.line))
}

@Suite("The grammar of xl.cfg") struct ParserTests {
    @Test(
        "accepts",
        arguments: [
            ("", [:]),
            ("\n\n;;\n", [:]),
            ("a=1", ["a": "1"]),
            ("a=1; b=2", ["a": "1", "b": "2"]),
            ("  a\t=\t1 # comment", ["a": "1"]),
            ("# only a comment without a newline", [:]),
            ("a=0x1f\nb=0777\nc=12ab", ["a": "0x1f", "b": "0777", "c": "12ab"]),
            ("a_b.c9 = \"x\"", ["a_b.c9": "x"]),
            ("a='single \" inside'\nb=\"it's\"", ["a": "single \" inside", "b": "it's"]),
            ("a=\"# no comment; no end\"", ["a": "# no comment; no end"]),
            ("a=1\na=2", ["a": "2"]),
            ("a=\"x\"\na+=\"y\"", ["a": "xy"]),
            ("a+=\"y\"", ["a": "y"]),
            (#"a="\\\'\"\a\b\f\n\r\t\v""#, ["a": "\\'\"\u{7}\u{8}\u{c}\n\r\t\u{b}"]),
            (#"a="\x41\x7a\101\60\7x""#, ["a": "Az" + "A0\u{7}x"]),
            (#"a="\xc3\xa9é""#, ["a": "éé"]),
            ("a=\"\"", ["a": ""]),
        ] as [(String, [String: String])])
    func atoms(text: String, expected: [String: String]) {
        let (settings, errors) = parse(text)
        #expect(errors.isEmpty)
        #expect(Dictionary(uniqueKeysWithValues: settings.all.map { ($0.name, $0.value.text) }) == expected)
    }

    @Test(
        "lists may span lines, nest, hold comments and end with a comma",
        arguments: [
            ("a=[]", ConfigValue.list([])),
            ("a=[ ]", .list([])),
            ("a=[\n\n]", .list([])),
            ("a=['x']", .list([.atom("x")])),
            ("a=['x',]", .list([.atom("x")])),
            ("a=[\n 'x', # one\n\n 2\n ,\n]\n", .list([.atom("x"), .atom("2")])),
            ("a=[['x','y'],[1]]", .list([.list([.atom("x"), .atom("y")]), .list([.atom("1")])])),
            ("a=['x']\na+=['y']", .list([.atom("x"), .atom("y")])),
            ("a=['x']\na+='y'", .list([.atom("x"), .atom("y")])),
            ("a+=['y']", .list([.atom("y")])),
        ])
    func lists(text: String, expected: ConfigValue) {
        let (settings, errors) = parse(text)
        #expect(errors.isEmpty)
        #expect(settings["a"]?.value == expected)
    }

    @Test(
        "reports file, line and the text at fault",
        arguments: [
            ("a=hello", "f:1: config parsing error near `hello': expected a quoted text, a number or ["),
            ("\nmemory 256", "f:2: config parsing error near `256': expected = or +="),
            ("a=", "f:1: the statement ends early, expected a quoted text, a number or ["),
            ("a\n", "f:1: the statement ends early, expected = or +="),
            ("a=1 b=2", "f:1: config parsing error near `b': expected the end of the statement"),
            ("a=-1", "f:1: config parsing error near `-1': no such word in this grammar"),
            ("a=256.5", "f:1: config parsing error near `.5': no such word in this grammar"),
            ("a=True", "f:1: config parsing error near `True': no such word in this grammar"),
            ("a-b=1", "f:1: config parsing error near `-b=1': no such word in this grammar"),
            ("@@@ ###", "f:1: config parsing error near `@@@': no such word in this grammar"),
            ("a=\"x\nb=1", "f:1: config parsing error near `\"x': the string is not closed on its line"),
            ("a=\"\"\"x\"\"\"", "f:1: config parsing error near `\"x\"': expected the end of the statement"),
            (#"a="\q""#, #"f:1: config parsing error near `"\q"': no escape `\q'"#),
            (#"a="\x4""#, #"f:1: config parsing error near `"\x4"': \x needs two hexadecimal digits"#),
            (#"a="\777""#, #"f:1: config parsing error near `"\777"': an escape above \377"#),
            (#"a="\0""#, #"f:1: config parsing error near `"\0"': a NUL character in a string"#),
            (#"a="\xff""#, #"f:1: config parsing error near `"\xff"': a string that is not UTF-8"#),
            ("a=1\r\n", "f:1: config parsing error near `\r': a carriage return"),
            ("a=1\n\nb=['x'\n", "f:3: the list opened here is not closed"),
            ("a=['x' 'y']", "f:1: config parsing error near `'y'': expected a comma or ]"),
            ("a=[,]", "f:1: config parsing error near `,': expected a quoted text, a number or ["),
            ("a=]", "f:1: config parsing error near `]': expected a quoted text, a number or ["),
            ("a='x'\na+=['y']", "f:2: `a' is a string since f:1, a list cannot be added to it"),
            ("=1", "f:1: config parsing error near `=': expected a key"),
            ("A=1", "f:1: config parsing error near `A=1': no such word in this grammar"),
        ])
    func errors(text: String, expected: String) {
        #expect(parse(text).errors == [expected])
    }

    @Test("goes on after an error: on the next line, or behind the list that holds it")
    func recovery() {
        let (settings, errors) = parse("a=x\nb=2\nc=['x'\n 'y',\n 'z' ]\nd=4\n???\ne=5")
        #expect(errors.map { $0.prefix(4) } == ["f:1:", "f:4:", "f:7:"])
        #expect(settings.all.map(\.name) == ["b", "d", "e"])
    }

    @Test("lists nested beyond the limit are an error, not an exhausted stack")
    func depth() {
        let deepest = String(repeating: "[", count: ConfigParser.maximumListDepth)
        #expect(parse("a=" + deepest + String(repeating: "]", count: ConfigParser.maximumListDepth)).errors.isEmpty)
        #expect(parse("a=" + String(repeating: "[", count: 100_000)).errors.count == 1)
    }

    @Test(
        "assignments on the command line win, and need no quotes",
        arguments: [
            (["a=2"], "2"), (["a=\"b c\""], "b c"), (["a=/boot/vmlinuz"], "/boot/vmlinuz"), (["a=x \"y\" \\z"], "x \"y\" \\z"),
            (["a=", "a=7"], "7"), (["b=1;a='z'"], "z"), (["a=é"], "é"),
        ])
    func overrides(words: [String], expected: String) {
        let settings = parse("a=1", overrides: words).settings
        #expect(settings["a"]?.value.text == expected)
        #expect(settings["a"]?.place == ConfigPlace(source: "command line", line: nil))
    }

    @Test("an error on the command line says so")
    func overrideError() {
        #expect(parse("", overrides: ["a=[1"]).errors == ["command line: the list opened here is not closed"])
    }

    @Test("no bytes trap the parser", arguments: 0..<400)
    func fuzz(seed: UInt64) {
        var random = SplitMix64(state: seed)
        let pieces = [
            "a", "=", "+=", "[", "]", ",", "\n", ";", "\"x\"", "'", "\"", "\\", "0x1", "#", " ", "\u{e9}", "name", "type", "\"pvh\"", "-",
            "memory", "vif", "\0",
        ]
        var bytes: [UInt8] = []
        for _ in 0..<(random.next() % 60) {
            if random.next() % 8 == 0 {
                bytes.append(UInt8(truncatingIfNeeded: random.next()))
            } else {
                bytes += pieces[Int(random.next() % UInt64(pieces.count))].utf8
            }
        }
        let result = DomainDescription.read(bytes, source: "f", overrides: [String(decoding: bytes, as: UTF8.self)]) { _ in .carriesPVHEntry
        }
        let hasErrors = result.diagnostics.contains { $0.severity == .error }
        #expect((result.description == nil) == hasErrors)
    }
}

struct SplitMix64: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
