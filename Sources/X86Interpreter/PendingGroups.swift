internal import X86

extension Core {
    func executeInteger(_ i: InstructionRef) throws(GuestFault) { throw .invalidOpcode }
    func executeString(_ i: InstructionRef) throws(GuestFault) { throw .invalidOpcode }
    func executeTransfer(_ i: InstructionRef) throws(GuestFault) { throw .invalidOpcode }
    func multiplySigned<T: OperandWord>(_ a: T, _ b: T) -> T { a &* b }
}
