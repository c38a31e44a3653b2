/// Files people hand over in place of a kernel, by their first bytes.
struct ForeignFile {
    var offset: Int
    var magic: [UInt8]
    /// Completes "this is …".
    var description: String
    var remedy: String

    private init(_ offset: Int, _ magic: String, _ description: String, _ remedy: String) {
        self.init(offset, Array(magic.utf8), description, remedy)
    }

    private init(_ offset: Int, _ magic: [UInt8], _ description: String, _ remedy: String) {
        self.offset = offset
        self.magic = magic
        self.description = description
        self.remedy = remedy
    }

    private static let ramdiskRemedy = "Give it as ramdisk= and a kernel (vmlinuz, bzImage or vmlinux) as kernel="
    private static let kernelRemedy = "Give a kernel (vmlinuz, bzImage or vmlinux) as kernel="
    private static let diskRemedy = "Give it as a disk, and as kernel= a kernel or GRUB's PVH image (grub-i386-xen_pvh.bin), which boots from the disk"

    /// The first match wins: EFI files of other machines come before EFI files as such.
    static let all: [ForeignFile] = [
        .init(0, "070701", "an initramfs (cpio archive), not a kernel", ramdiskRemedy),
        .init(0, "070702", "an initramfs (cpio archive), not a kernel", ramdiskRemedy),
        .init(0, "070707", "an initramfs (cpio archive), not a kernel", ramdiskRemedy),
        .init(0, [0xc7, 0x71], "an initramfs (binary cpio archive), not a kernel", ramdiskRemedy),
        .init(0, "#!", "a script, not a kernel", kernelRemedy),
        .init(0x38, "ARM\u{64}", "a kernel for 64-bit ARM, which x86 guests cannot run", "Use a kernel built for x86-64"),
        .init(0x24, [0x18, 0x28, 0x6f, 0x01], "a kernel for 32-bit ARM, which x86 guests cannot run", "Use a kernel built for x86-64"),
        .init(0x38, "RSC\u{05}", "a kernel for RISC-V, which x86 guests cannot run", "Use a kernel built for x86-64"),
        .init(4, "zimg", "an EFI-only image (compressed EFI kernel): it can be started by EFI firmware only", "Use the distribution's bzImage (vmlinuz) or vmlinux with CONFIG_XEN_PVH=y"),
        .init(0, "MZ", "an EFI-only image (PE program without a Linux setup header): it can be started by EFI firmware only", "Use a bzImage or vmlinux with CONFIG_XEN_PVH=y; out of a unified kernel image, `objcopy -O binary -j .linux` takes the kernel"),
        .init(0, "!<arch>", "a package or library archive, not a kernel", "Unpack it (dpkg-deb -x) and give the vmlinuz file in it"),
        .init(0, [0xed, 0xab, 0xee, 0xdb], "an RPM package, not a kernel", "Unpack it and give the vmlinuz file in it"),
        .init(0, "QFI\u{fb}", "a disk image, not a kernel", diskRemedy),
        .init(0, [0x51, 0x46, 0x49, 0xfb], "a disk image (qcow2), not a kernel", diskRemedy),
        .init(0x8001, "CD001", "a CD image (ISO 9660), not a kernel", diskRemedy),
        .init(0, "hsqs", "a squashfs file system, not a kernel", diskRemedy),
        .init(0x438, [0x53, 0xef], "an ext2/3/4 file system, not a kernel", diskRemedy),
        .init(0x1fe, [0x55, 0xaa], "a disk image or boot sector, not a kernel", diskRemedy),
        .init(0, [0x27, 0x05, 0x19, 0x56], "a U-Boot image, not an x86 kernel", kernelRemedy),
    ]

    static func recognise(_ bytes: [UInt8]) -> ForeignFile? {
        all.first { bytes.begins(with: $0.magic, at: $0.offset) }
    }
}
