/// CPUID leaves and MSRs that show Xen (`public/arch-x86/cpuid.h`).
public enum XenCPUID {
    public static let base: UInt32 = 0x4000_0000
    /// Leaves from `base` on.
    public static let lastOffset: UInt32 = 5
    /// "XenVMMXenVMM" in EBX, ECX, EDX.
    public static let signature: (ebx: UInt32, ecx: UInt32, edx: UInt32) = (0x566e_6558, 0x6558_4d4d, 0x4d4d_566e)
    public static let tscEmulated: UInt32 = 1 << 0
    public static let hostTSCReliable: UInt32 = 1 << 1
    public static let hasRDTSCP: UInt32 = 1 << 2
    public static let apicRegisterVirtualisation: UInt32 = 1 << 0
    public static let x2apicVirtualisation: UInt32 = 1 << 1
    public static let iommuMappings: UInt32 = 1 << 2
    public static let vcpuIDPresent: UInt32 = 1 << 3
    public static let domainIDPresent: UInt32 = 1 << 4
    public static let upcallVector: UInt32 = 1 << 6
    /// The MSR that asks for a hypercall page.
    public static let hypercallPageMSR: UInt32 = 0x4000_0000
    public static let lastMSR: UInt32 = 0x4000_01ff
    /// The port whose writes go to the hypervisor's log.
    public static let logPort: UInt16 = 0xe9
}
