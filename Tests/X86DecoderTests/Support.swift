import X86Decoder

/// Decodes `bytes`, as far as they go.
func decode(_ bytes: [UInt8], _ size: CodeSize = .bits64, at offset: Int = 0) -> DecodeResult {
    unsafe Decoder.decode(bytes.span.bytes, codeSize: size, offsetInBlock: offset)
}

func row(_ bytes: [UInt8], _ size: CodeSize = .bits64, at offset: Int = 0) -> Instruction {
    decode(bytes, size, at: offset).instruction
}
