/// `hvm_start_info`, what EBX points to at entry (`public/arch-x86/hvm/start_info.h`).
public enum StartInfoLayout {
    public static let magicValue: UInt32 = 0x336e_c578
    public static let size = 56
    public static let magic = 0
    public static let version = 4
    public static let flags = 8
    public static let moduleCount = 12
    public static let moduleList = 16
    public static let commandLine = 24
    public static let rsdp = 32
    public static let memoryMap = 40
    public static let memoryMapCount = 48
    public static let moduleEntrySize = 32
    public static let memoryMapEntrySize = 24
}
