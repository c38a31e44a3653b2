internal import CLinux

extension HostFeatures {
    /// Those of the processor this runs on.
    static var detected: HostFeatures {
        var features = HostFeatures()
        let basic = leaf(1, 0)
        let extended = leaf(7, 0)
        let amd = leaf(0x8000_0001, 0)
        features.sse3 = basic.c & 1 != 0
        features.pclmul = basic.c & 1 << 1 != 0
        features.ssse3 = basic.c & 1 << 9 != 0
        features.sse41 = basic.c & 1 << 19 != 0
        features.sse42 = basic.c & 1 << 20 != 0
        features.movbe = basic.c & 1 << 22 != 0
        features.popcnt = basic.c & 1 << 23 != 0
        features.aes = basic.c & 1 << 25 != 0
        features.bmi1 = extended.b & 1 << 3 != 0
        features.bmi2 = extended.b & 1 << 8 != 0
        features.adx = extended.b & 1 << 19 != 0
        features.sha = extended.b & 1 << 29 != 0
        features.lzcnt = amd.c & 1 << 5 != 0
        return features
    }

    private static func leaf(_ leaf: UInt32, _ subleaf: UInt32) -> (b: UInt32, c: UInt32) {
        var registers: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
        unsafe withUnsafeMutableBytes(of: &registers) {
            unsafe martlet_cpuid(leaf, subleaf, $0.baseAddress!.assumingMemoryBound(to: UInt32.self))
        }
        return (registers.1, registers.2)
    }
}
