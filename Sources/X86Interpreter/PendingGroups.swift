internal import X86

extension Core {
    func executeSystem(_ i: InstructionRef) throws(GuestFault) { throw .invalidOpcode }
    func executeInteger(_ i: InstructionRef) throws(GuestFault) { throw .invalidOpcode }
    func executeString(_ i: InstructionRef) throws(GuestFault) { throw .invalidOpcode }
    func executeTransfer(_ i: InstructionRef) throws(GuestFault) { throw .invalidOpcode }
    func deliver(_ fault: GuestFault) {}
    func deliverInterrupt(_ vector: UInt8) {}
    func deliverNMI() {}
    func multiplySigned<T: OperandWord>(_ a: T, _ b: T) -> T { a &* b }
}
