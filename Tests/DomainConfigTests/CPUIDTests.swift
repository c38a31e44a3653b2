import DomainConfig
import Testing

@Suite("cpuid=") struct CPUIDTests {
    private func read(_ value: String) -> (DomainDescription?, [ConfigDiagnostic]) {
        DomainDescription.read(Array("name='t'\ntype='pvh'\nkernel='/k'\nmemory=256\ncpuid=\(value)".utf8), source: "f") { _ in
            .noPVHEntry("")
        }
    }

    /// "leaf[,subleaf]:register=bits", without the bits nothing is asked of at both ends.
    private func asked(_ description: DomainDescription?) -> [String] {
        (description?.cpuid.leaves ?? []).flatMap { leaf in
            zip(["eax", "ebx", "ecx", "edx"], leaf.registers).compactMap { name, bits in
                bits.map { "\(String(leaf.number, radix: 16))\(leaf.subleaf.map { ",\($0)" } ?? ""):\(name)=\($0)" }
            }
        }
    }

    private func bits(_ positions: [Int: Character]) -> String { String((0..<32).reversed().map { positions[$0] ?? "x" }) }

    @Test("flags by the names of Xen 4.17 and of 4.20, blanks between them allowed")
    func flags() {
        let (description, diagnostics) = read("\"host, sse4_2=0,sse4-1=0 ,xsave=k,lm=1,avx2=0\"")
        #expect(diagnostics.isEmpty)
        #expect(
            asked(description) == [
                "1:ecx=" + bits([20: "0", 19: "0", 26: "k"]), "80000001:edx=" + bits([29: "1"]), "7,0:ebx=" + bits([5: "0"]),
            ])
        #expect(description?.cpuid.leaves[0].bits(asked: 2) == [20, 19])
    }

    @Test("family and model are spread over two fields each")
    func numbers() {
        let (description, _) = read("'host,family=0x17,model=0x31,stepping=2'")
        // Family 15 + 8, model 3:1.
        let text = "1:eax=xxxx" + "00001000" + "0011" + "xxxx" + "1111" + "0001" + "0010"
        #expect(asked(description) == [text])
    }

    @Test("xend's form takes several registers of a leaf, and subleaves")
    func registers() {
        let row = bits([0: "0", 31: "s"])
        let (description, diagnostics) = read("[ '1:ecx=\(row),edx=\(row)', '0x7,0:ebx=\(row)', '13,1:eax=\(row)' ]")
        #expect(diagnostics.isEmpty)
        #expect(asked(description) == ["1:ecx=\(row)", "1:edx=\(row)", "7,0:ebx=\(row)", "d,1:eax=\(row)"])
    }

    @Test(
        "what is wrong is an error with place, cause and remedy",
        arguments: [
            ("'sse3=0'", "does not start with host"), ("''", "does not start with host"), ("'host,sse3'", "has no value"),
            ("'host,,sse3=0'", "has no value"), ("'host,sse3=2'", "does not fit"), ("'host,sse3=y'", "not a value"),
            ("'host,ss3e=0'", "there is no feature"), ("'host,family=300'", "too large"), ("'host,stepping=16'", "does not fit"),
            ("['1=0']", "names no leaf"), ("['x:ecx=0']", "names no leaf"), ("['1,2,3:ecx=0']", "names no leaf"),
            ("['1:ecx=01']", "is no register"), ("['1:ecx=\(String(repeating: "2", count: 32))']", "is no register"),
            ("['1:efx=\(String(repeating: "x", count: 32))']", "is no register"), ("['1:']", "is no register"), ("[['1']]", "a list"),
        ])
    func errors(value: String, cause: String) {
        let (description, diagnostics) = read(value)
        #expect(description == nil)
        let error = diagnostics.first { $0.severity == .error }
        #expect(error?.cause.contains(cause) == true && error?.line.hasPrefix("f:5: ") == true, "\(diagnostics)")
        #expect(error?.remedy.isEmpty == false)
    }

    @Test("a misspelt feature is answered with the nearest name")
    func nearest() { #expect(read("'host,sse4_3=0'").1.first?.remedy.hasPrefix("did you mean `sse4_") == true) }

    @Test("JSON keeps it; the array of older versions is read as well")
    func json() throws {
        let description = try #require(read("'host,sse3=0,avx2=0,family=6'").0)
        let text = description.json(uuid: "6b1f8b39-6e1e-4a64-9a0b-0a51d8b4c401")
        let back = DomainDescription.read(json: text, source: "j")
        #expect(back.description?.cpuid == description.cpuid && back.diagnostics.isEmpty)
        let array = try #require(text["b_info"]?["cpuid"]?["cpuid"])
        let old = JSONText.object([
            ("c_info", .object([("name", .string("t")), ("type", .string("pvh"))])), ("b_info", .object([("cpuid", array)])),
        ])
        #expect(DomainDescription.read(json: old, source: "j").description?.cpuid == description.cpuid)
        let wrong = JSONText.object([("c_info", .object([("name", .string("t"))])), ("b_info", .object([("cpuid", .array([.number(1)]))]))])
        #expect(DomainDescription.read(json: wrong, source: "j").description == nil)
    }

    @Test(
        "a bit is called by the feature it belongs to",
        arguments: [
            (1, nil, 2, 20, "sse4_2", true), (1, nil, 0, 21, "family", false), (1, nil, 0, 17, "model", false), (7, 0, 1, 5, "avx2", true),
            (0x2a, nil, 3, 4, "0x2a:edx bit 4", true), (0x8000_0001, nil, 3, 29, "lm", true),
        ] as [(UInt32, UInt32?, Int, Int, String, Bool)])
    func names(leaf: UInt32, subleaf: UInt32?, register: Int, bit: Int, name: String, isFlag: Bool) {
        #expect(CPUIDPolicy.name(leaf: leaf, subleaf: subleaf, register: register, bit: bit) == (name, isFlag))
    }
}
