/// Which of no prefix, 66, F3 and F2 an opcode takes, as a string of the letters n, 6, 3 and 2.
private struct VectorRow {
    var opcode: [UInt8]
    var prefixes: String
    var hasImmediate = false

    init(_ prefixes: String, _ opcode: UInt8..., immediate: Bool = false) {
        self.opcode = opcode
        self.prefixes = prefixes
        hasImmediate = immediate
    }
}

private func prefix(_ letter: Character) -> UInt8? {
    switch letter {
    case "6": 0x66
    case "3": 0xf3
    case "2": 0xf2
    default: nil
    }
}

private func rows(_ prefixes: String, _ map: [UInt8], _ ranges: [ClosedRange<UInt8>], immediate: Bool = false) -> [VectorRow] {
    ranges.flatMap { range in
        range.map { opcode in
            var row = VectorRow(prefixes, immediate: immediate)
            row.opcode = map + [opcode]
            return row
        }
    }
}

private let floatRows: [VectorRow] =
    rows("n632", [0x0f], [0x51...0x51, 0x58...0x59, 0x5c...0x5f]) + rows("n6", [0x0f], [0x54...0x57, 0x14...0x15, 0x2e...0x2f])
    + rows("62", [0x0f], [0x7c...0x7d, 0xd0...0xd0]) + rows("3", [0x0f], [0x12...0x12, 0x16...0x16]) + rows("2", [0x0f], [0x12...0x12])
    + rows("n632", [0x0f], [0xc2...0xc2], immediate: true) + rows("n6", [0x0f], [0xc6...0xc6], immediate: true)
    + rows("6", [0x0f, 0x3a], [0x08...0x0d, 0x21...0x21, 0x40...0x41], immediate: true) + rows("6", [0x0f, 0x38], [0x14...0x15])

private let conversionRows: [VectorRow] =
    rows("n632", [0x0f], [0x5a...0x5a]) + rows("n63", [0x0f], [0x5b...0x5b]) + rows("632", [0x0f], [0xe6...0xe6])
    + rows("32", [0x0f], [0x2a...0x2a, 0x2c...0x2d, 0x2c...0x2d, 0x2a...0x2a])

private let both: [VectorRow] =
    rows("X", [0x0f], [0x60...0x6b, 0x74...0x76, 0xd1...0xd5, 0xd8...0xdf, 0xe0...0xe5, 0xe8...0xef, 0xf1...0xf6, 0xf8...0xfe])
    + rows("X", [0x0f, 0x38], [0x00...0x0b, 0x1c...0x1e]) + rows("X", [0x0f, 0x3a], [0x0f...0x0f], immediate: true)

private let integerRows: [VectorRow] =
    both.map {
        var row = $0; row.prefixes = "6"; return row
    }
    + rows("6", [0x0f], [0x6c...0x6d])
    + rows("6", [0x0f, 0x38], [0x10...0x10, 0x17...0x17, 0x20...0x25, 0x28...0x29, 0x2b...0x2b, 0x30...0x35, 0x37...0x41])
    + rows("632", [0x0f], [0x70...0x70], immediate: true)
    + rows("6", [0x0f, 0x3a], [0x0e...0x0e, 0x42...0x42, 0x60...0x63, 0x60...0x63, 0x60...0x63], immediate: true)

private let mmxRows: [VectorRow] =
    both.map {
        var row = $0; row.prefixes = "n"; return row
    } + rows("n", [0x0f], [0x70...0x70], immediate: true)
    + rows("n", [0x0f], [0x6f...0x6f, 0x7f...0x7f])

private let cryptographyRows: [VectorRow] =
    rows("6", [0x0f, 0x38], [0xdb...0xdf]) + rows("6", [0x0f, 0x3a], [0x44...0x44, 0xdf...0xdf], immediate: true)
    + rows("n", [0x0f, 0x38], [0xc8...0xcd]) + rows("n", [0x0f, 0x3a], [0xcc...0xcc], immediate: true)

extension InstructionCases {
    private enum Content { case integers, floats, doubles }

    private mutating func value(_ content: Content) -> UInt64 {
        switch content {
        case .integers: random.oneIn(3) ? random.integer() : random.next()
        case .floats: UInt64(random.float32()) | UInt64(random.float32()) << 32
        case .doubles: random.float64()
        }
    }

    private mutating func setVectors(_ content: Content) {
        for index in 0..<16 { current.state.xmm[index] = XMMValue(value(content), value(content)) }
        current.state.mxcsr = 0x1f80 | UInt32(random.below(4)) << 13
        if random.oneIn(4) { current.state.mxcsr |= random.pick([0x8000, 0x40, 0x8040]) }
        if random.oneIn(8) { current.state.mxcsr &= ~(UInt32(random.below(64)) << 7) }
    }

    private mutating func emitVector(
        _ row: VectorRow, _ prefix: UInt8?, _ content: Content, width: Int = 4, immediateLimit: Int = 256, misaligns: Bool = true
    ) {
        let immediate = row.hasImmediate ? [UInt8(random.below(immediateLimit))] : []
        let rm = random.oneIn(3) ? nil : Optional(register())
        let alignment = random.oneIn(20) && misaligns ? 1 : 16
        let offset = emit(
            Encoding(
                opcode: row.opcode, prefix: prefix, width: width, reg: register(), rm: rm, immediate: immediate, alignment: alignment))
        if let offset { fill(at: offset, [value(content), value(content)]) }
    }

    mutating func makeVectorFloat() {
        let row = random.pick(floatRows)
        let prefix = prefix(random.pick(Array(row.prefixes)))
        let isDouble =
            row.opcode.count == 3
            ? row.opcode[2] & 1 == 1 : prefix == 0x66 || prefix == 0xf2 && ![0x7c, 0x7d, 0xd0].contains(row.opcode[1])
        let content: Content = isDouble ? .doubles : .floats
        setVectors(content)
        // Comparison predicates beyond 7 do not exist without VEX.
        emitVector(row, prefix, content, immediateLimit: row.opcode == [0x0f, 0xc2] ? 8 : 256)
    }

    mutating func makeConversion() {
        let row = random.pick(conversionRows)
        let letter = random.pick(Array(row.prefixes))
        let toInteger = row.opcode[1] == 0x2c || row.opcode[1] == 0x2d
        let fromInteger = row.opcode[1] == 0x2a || row.opcode[1] == 0x5b && letter == "n" || row.opcode[1] == 0xe6 && letter == "3"
        let content: Content =
            fromInteger
            ? .integers
            : row.opcode[1] == 0x5b
                ? .floats
                : letter == "n" || letter == "3" ? .floats : .doubles
        setVectors(content)
        emitVector(row, prefix(letter), content, width: toInteger || row.opcode[1] == 0x2a ? random.pick([4, 8]) : 4)
    }

    mutating func makeVectorInteger() {
        setVectors(.integers)
        if random.oneIn(10) { return makeVectorShift(prefix: 0x66) }
        let row = random.pick(integerRows)
        if row.opcode.count == 3 && 0x60...0x63 ~= row.opcode[2] && row.opcode[1] == 0x3a { return makeStringComparison(row) }
        emitVector(row, prefix(random.pick(Array(row.prefixes))), .integers)
    }

    private mutating func makeVectorShift(prefix: UInt8?) {
        let opcode = UInt8(0x71 + random.below(3))
        let choices = opcode < 0x73 ? [2, 4, 6] : prefix == nil ? [2, 6] : [2, 3, 6, 7]
        let register = prefix == nil ? random.below(8) : register()
        emit(
            Encoding(opcode: [0x0f, opcode], prefix: prefix, reg: random.pick(choices), rm: register, immediate: [UInt8(random.below(72))]))
    }

    /// PCMPxSTRx with short strings: lengths and zero elements decide everything.
    private mutating func makeStringComparison(_ row: VectorRow) {
        for index in 0..<16 {
            current.state.xmm[index] = XMMValue(random.next() & 0x0303_0303_0303_0303, random.next() & 0x0301_0301_0301_0301)
        }
        pin(0, UInt64(bitPattern: Int64(random.below(40) - 20)))
        pin(2, UInt64(bitPattern: Int64(random.below(40) - 20)))
        emit(
            Encoding(
                opcode: row.opcode, prefix: 0x66, width: random.pick([4, 8]), reg: register(), rm: register(), immediate: [random.byte()]))
    }

    mutating func makeCryptography() {
        setVectors(.integers)
        let row = random.pick(cryptographyRows)
        // AMD's processors read SHA's operands at any address, Intel's raise #GP.
        emitVector(row, prefix(random.pick(Array(row.prefixes))), .integers, misaligns: row.prefixes != "n")
    }

    mutating func makeVectorMove() {
        setVectors(.integers)
        let rm = random.oneIn(2) ? nil : Optional(register())
        let prefixed = random.oneIn(2) ? UInt8(0x66) : nil
        func move(_ opcode: [UInt8], _ prefix: UInt8?, _ rm: Int?, width: Int = 4, immediate: [UInt8] = []) -> Encoding {
            Encoding(opcode: opcode, prefix: prefix, width: width, rm: rm, immediate: immediate, alignment: 16)
        }
        var encoding: Encoding
        let imm = [random.byte()]
        switch random.below(16) {
        case 0: encoding = move([0x0f, random.pick([0x10, 0x11])], random.pick([nil, 0x66, 0xf3, 0xf2]), rm)
        case 1: encoding = move([0x0f, random.pick([0x28, 0x29])], prefixed, rm)
        case 2: encoding = move([0x0f, random.pick([0x6f, 0x7f])], random.pick([0x66, 0xf3]), rm)
        case 3: encoding = move([0x0f, random.pick([0x6e, 0x7e])], 0x66, rm, width: random.pick([4, 8]))
        case 4: encoding = move([0x0f, 0x7e], 0xf3, rm)
        case 5: encoding = move([0x0f, 0xd6], 0x66, rm)
        case 6: encoding = move([0x0f, random.pick([0x12, 0x16])], nil, rm)
        case 7: encoding = move([0x0f, random.pick([0x12, 0x13, 0x16, 0x17])], 0x66, nil)
        case 8: encoding = move([0x0f, random.pick([0x13, 0x17])], nil, nil)
        case 9: encoding = move([0x0f, 0x2b], prefixed, nil)
        case 10: encoding = move([0x0f, 0xe7], 0x66, nil)
        case 11: encoding = random.oneIn(2) ? move([0x0f, 0xf0], 0xf2, nil) : move([0x0f, 0x38, 0x2a], 0x66, nil)
        case 12: encoding = move([0x0f, 0x50], prefixed, register(), width: 4)
        case 13: encoding = random.oneIn(2) ? move([0x0f, 0xd7], 0x66, register()) : move([0x0f, 0xc5], 0x66, register(), immediate: imm)
        case 14: encoding = move([0x0f, 0xc4], 0x66, rm, immediate: imm)
        default:
            encoding = move(
                [0x0f, 0x3a, random.pick([0x14, 0x15, 0x16, 0x17, 0x20, 0x22])], 0x66, rm, width: random.pick([4, 8]), immediate: imm)
        }
        encoding.reg = register()
        if random.oneIn(20) { encoding.alignment = 1 }
        emit(encoding)
    }

    mutating func makeMMX() {
        setVectors(.integers)
        setX87()
        for index in 0..<8 { current.state.x87.st[index].significand = value(.integers) }
        switch random.below(8) {
        case 0: makeVectorShift(prefix: nil)
        case 1:
            emit(
                Encoding(
                    opcode: [0x0f, random.pick([0x6e, 0x7e])], width: random.pick([4, 8]), reg: random.below(8), rm: registerOrMemory()))
        case 2: current.code = [0x0f, 0x77]
        case 3: emit(Encoding(opcode: [0x0f, 0xd6], prefix: random.pick([0xf2, 0xf3]), reg: random.below(8), rm: random.below(8)))
        default:
            let row = random.pick(mmxRows)
            let immediate = row.hasImmediate ? [random.byte()] : []
            emit(Encoding(opcode: row.opcode, reg: random.below(8), rm: random.oneIn(3) ? nil : random.below(8), immediate: immediate))
        }
    }
}
