/// Whether a kernel can start as a PVH guest, and if not, why and what would.
public struct PVHVerdict: Equatable, Sendable {
    public var canBoot: Bool
    /// One sentence without a full stop.
    public var reason: String
    /// What to do, or what to do better; nil when nothing need be done.
    public var remedy: String?

    /// The verdict on a kernel that could be read.
    public init(_ image: KernelImage) {
        if let entry = image.pvhEntry {
            self = Self.withEntry(image, UInt64(entry))
        } else if Self.isPVHv1(image) {
            self.init(
                no: "it was built for the first, experimental PVH of 2014 (PVHv1: feature strings, but no PHYS32_ENTRY note), which no hypervisor offers any more",
                "Use Linux 4.11 or later with CONFIG_XEN_PVH=y; all current distribution kernels for x86-64 have it")
        } else if image.notes.contains(where: { $0.kind == .entry || $0.kind == .xenVersion }) {
            self.init(
                no: "it is a Xen PV kernel: it has Xen notes, but no PHYS32_ENTRY note, so it can start only with PV paging",
"For Linux, build with CONFIG_XEN_PVH=y or take a current distribution kernel; a system that knows only PV needs type=\"pv\" on a Xen host")
        } else {
            self.init(
                no: "it carries no Xen notes at all: it was built without Xen guest support",
                "For Linux, build with CONFIG_HYPERVISOR_GUEST=y, CONFIG_PARAVIRT=y, CONFIG_XEN=y and CONFIG_XEN_PVH=y, or take the distribution's cloud or generic kernel")
        }
    }

    /// The verdict on a file that is no kernel.
    init(_ error: ImageError) {
        self.init(no: error.cause, error.remedy)
    }

    private init(no reason: String, _ remedy: String) {
        canBoot = false
        self.reason = reason
        self.remedy = remedy
    }

    private init(yes reason: String, _ remedy: String?) {
        canBoot = true
        self.reason = reason
        self.remedy = remedy
    }

    private static func withEntry(_ image: KernelImage, _ entry: UInt64) -> PVHVerdict {
        guard (image.lowestAddress..<image.endAddress).contains(entry) else {
            return PVHVerdict(
                no: "its PHYS32_ENTRY \(hex(entry)) lies outside of the kernel (\(hex(image.lowestAddress)) to \(hex(image.endAddress)))",
                damagedRemedy)
        }
        guard image.endAddress <= 1 << 32 else {
            return PVHVerdict(
                no: "it asks for memory up to \(hex(image.endAddress)), but a kernel that starts in 32-bit mode must lie below 4 GiB",
                "Use a kernel whose segments have physical load addresses (p_paddr) below 4 GiB")
        }
        if case .bzImage = image.container, image.note(.guestOS) == nil {
            return PVHVerdict(
                yes: "it has a 32-bit entry point at \(hex(entry)), but knows nothing else of Xen (built with CONFIG_PVH, without CONFIG_XEN): expect no console, disk or network",
                "Build it with CONFIG_XEN=y, CONFIG_XEN_PVH=y and the Xen front-end drivers")
        }
        return PVHVerdict(yes: "its PHYS32_ENTRY note gives a 32-bit entry point at \(hex(entry))", nil)
    }

    /// The strings kernels of 2014 (Linux 3.14 to 4.10) announced PVH with.
    private static func isPVHv1(_ image: KernelImage) -> Bool {
        image.features.contains(.autoTranslatedPhysmap) && image.features.contains(.hvmCallbackVector)
            && image.features.contains(.supervisorModeKernel)
    }
}
