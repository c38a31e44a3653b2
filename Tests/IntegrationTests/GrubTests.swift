import Foundation
import Testing

extension GuestTests {
    @Suite("GRUB in the guest") struct GrubTests {
        /// A disk with a kernel, an initramfs and GRUB's menu.
        private func disk(_ workshop: Workshop) throws -> String {
            let root = workshop.path + "/root"
            try FileManager.default.createDirectory(atPath: root + "/boot/grub", withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: Installation.kernel, toPath: root + "/boot/vmlinuz")
            try FileManager.default.copyItem(atPath: Installation.ramdisk, toPath: root + "/boot/initrd")
            let menu = """
                set timeout=0
                menuentry "Linux" {
                  linux /boot/vmlinuz console=hvc0
                  initrd /boot/initrd
                }

                """
            _ = try workshop.write("root/boot/grub/grub.cfg", menu.utf8)
            let image = workshop.path + "/disk.img"
            let made = try HostTool.run("mke2fs", "-q", "-t", "ext2", "-d", root, image, "48M")
            try #require(made.code == 0, "\(made.errors)")
            return image
        }

        @Test("It loads Linux from the guest's own disk, and Linux takes over disk, console and xenstore from it")
        func handover() throws {
            let workshop = try Workshop()
            let image = try disk(workshop)
            let file = try workshop.configuration(name: "grub", kernel: Installation.grub, ramdisk: nil, memory: 512, extra: "")
            let guest = try GuestShell(
                workshop, prompt: "/ # ", seconds: 200, arguments: ["--timeout=600", file, "disk=[\"\(image),raw,xvda,r\"]"])
            #expect(guest.session.output.contains("GRUB"))
            #expect(try guest.run("cat /proc/cmdline").word == "BOOT_IMAGE=/boot/vmlinuz console=hvc0")
            let seen = try guest.run("dd if=/dev/xvda bs=1M count=48 2>/dev/null | sha256sum")
            #expect(try seen.word.prefix { $0 != " " } == HostTool.run("sha256sum", image).output.prefix { $0 != " " })
            guest.type("poweroff -f\n")
            #expect(try guest.session.finish(seconds: 60).code == 0)
            #expect(workshop.remains().isEmpty)
        }
    }
}
