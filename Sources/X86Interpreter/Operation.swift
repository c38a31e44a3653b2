/// What the interpreter's switch tells apart: the hot forms of common instructions one by one, everything else by group.
///
/// RR register, register; RM register from memory; MR memory from register; RI and MI immediates; the number is the width.
enum Operation: UInt8 {
    /// Leaves the block: the next instruction follows it.
    case endOfBlock

    case addRR8, addRR32, addRR64
    case orRR8, orRR32, orRR64
    case adcRR8, adcRR32, adcRR64
    case sbbRR8, sbbRR32, sbbRR64
    case andRR8, andRR32, andRR64
    case subRR8, subRR32, subRR64
    case xorRR8, xorRR32, xorRR64
    case cmpRR8, cmpRR32, cmpRR64
    case testRR8, testRR32, testRR64

    case addRM8, addRM32, addRM64
    case orRM8, orRM32, orRM64
    case adcRM8, adcRM32, adcRM64
    case sbbRM8, sbbRM32, sbbRM64
    case andRM8, andRM32, andRM64
    case subRM8, subRM32, subRM64
    case xorRM8, xorRM32, xorRM64
    case cmpRM8, cmpRM32, cmpRM64

    case addMR8, addMR32, addMR64
    case orMR8, orMR32, orMR64
    case adcMR8, adcMR32, adcMR64
    case sbbMR8, sbbMR32, sbbMR64
    case andMR8, andMR32, andMR64
    case subMR8, subMR32, subMR64
    case xorMR8, xorMR32, xorMR64
    case cmpMR8, cmpMR32, cmpMR64
    case testMR8, testMR32, testMR64

    case addRI8, addRI32, addRI64
    case orRI8, orRI32, orRI64
    case adcRI8, adcRI32, adcRI64
    case sbbRI8, sbbRI32, sbbRI64
    case andRI8, andRI32, andRI64
    case subRI8, subRI32, subRI64
    case xorRI8, xorRI32, xorRI64
    case cmpRI8, cmpRI32, cmpRI64
    case testRI8, testRI32, testRI64

    case addMI8, addMI32, addMI64
    case orMI8, orMI32, orMI64
    case adcMI8, adcMI32, adcMI64
    case sbbMI8, sbbMI32, sbbMI64
    case andMI8, andMI32, andMI64
    case subMI8, subMI32, subMI64
    case xorMI8, xorMI32, xorMI64
    case cmpMI8, cmpMI32, cmpMI64
    case testMI8, testMI32, testMI64

    case moveRR32, moveRR64, moveRR8, load8, load32, load64, store8, store16, store32, store64
    case moveRI8, moveRI32, moveRI64, moveMI8, moveMI32, moveMI64
    case zeroExtend8RR, zeroExtend16RR, zeroExtend8RM, zeroExtend16RM
    case signExtend8RR32, signExtend8RR64, signExtend16RR32, signExtend16RR64, signExtend32RR64
    case signExtend8RM32, signExtend8RM64, signExtend16RM32, signExtend16RM64, signExtend32RM64
    case lea32, lea64
    case pushR64, popR64, pushI64, pushM64
    case incRR32, incRR64, decRR32, decRR64, negRR32, negRR64, notRR32, notRR64
    case shlRI32, shlRI64, shrRI32, shrRI64, sarRI32, sarRI64
    case imulRR32, imulRR64, imulRM32, imulRM64
    case cmovRR32, cmovRR64, setccR8
    case exchangeRR64, bitTestRI64, bitTestRR64
    case noOperation

    // Control transfers of 64-bit code.
    case jump, jumpRR64, jumpRM64, call, callRR64, callRM64, ret, retImmediate
    case jo, jno, jb, jnb, jz, jnz, jbe, jnbe, js, jns, jp, jnp, jl, jnl, jle, jnle

    // Groups: one function each, told apart there by opcode.
    case integer, string, transfer, system, systemEnding, x87, fxState, sse, invalid
}
