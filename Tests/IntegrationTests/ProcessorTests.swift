import Foundation
import Testing

extension GuestTests {
    /// What a Linux guest sees of `cpuid=` and `apic=`, and how it comes back after a reboot with a boot loader.
    @Suite("The processor and the boot loader a configuration gives") struct ProcessorTests {
        private func flags(_ run: Run) -> Set<Substring> {
            let line = run.lines.first { $0.hasPrefix("flags") } ?? ""
            return Set(line.split(separator: ":", maxSplits: 1).last?.split(separator: " ") ?? [])
        }

        @Test("Hidden features are not in /proc/cpuinfo, nor what builds on them; numbers are as set; what the engine lacks is warned of")
        func cpuid() throws {
            let workshop = try Workshop()
            let typed = "cat /proc/cpuinfo\npoweroff -f\n"
            let file = try workshop.configuration()
            let plain = flags(try workshop.martlet("create", "-c", "--timeout=300", file, input: typed))
            #expect(plain.isSuperset(of: ["sse4_1", "sse4_2", "xsave", "xsaveopt", "rdrand", "hypervisor"]))
            let text = "cpuid=\"host,sse4_2=0,xsave=0,rdrand=0,family=6,model=62,stepping=4,avx2=1\""
            let run = try workshop.martlet("create", "-c", "--timeout=300", file, text, input: typed)
            #expect(run.code == 0, "\(run.errors)\n\(run.output.suffix(2000))")
            #expect(plain.subtracting(flags(run)).isSuperset(of: ["sse4_2", "xsave", "xsaveopt", "rdrand"]))
            #expect(flags(run).isSubset(of: plain) && flags(run).contains("sse4_1"))
            for line in ["cpu family\t: 6", "model\t\t: 62", "stepping\t: 4"] { #expect(run.lines.contains { $0 == line }) }
            #expect(run.errors.contains("warning: `cpuid': avx2=1: this engine has no avx2"))
        }

        @Test("apic=0 changes nothing, as on Xen: the guest boots with its local APIC and its MADT", arguments: [0, 1])
        func apic(value: Int) throws {
            let workshop = try Workshop()
            let typed = "grep -c -w apic /proc/cpuinfo; ls /sys/firmware/acpi/tables/APIC; poweroff -f\n"
            let run = try workshop.martlet("create", "-c", "--timeout=300", try workshop.configuration(), "apic=\(value)", input: typed)
            #expect(run.code == 0, "\(run.errors)\n\(run.output.suffix(2000))")
            #expect(run.lines.contains("1") && run.lines.contains("/sys/firmware/acpi/tables/APIC"))
            #expect(run.output.contains("Xen HVM callback vector for event delivery is enabled"))
        }

        @Test("A boot loader finds the kernel anew after each reboot, and its files do not stay")
        func bootloader() throws {
            let workshop = try Workshop()
            let script = """
                #!/bin/sh
                for word; do case $word in --output=*) out=${word#*=};; --output-directory=*) dir=${word#*=};; esac; done
                echo x >>'\(workshop.path)/runs'
                cp '\(Installation.kernel)' "$dir/k"; cp '\(Installation.ramdisk)' "$dir/r"
                n=$(wc -l <'\(workshop.path)/runs')
                printf 'kernel %s\\0ramdisk %s\\0args console=hvc0 run=%d\\0' "$dir/k" "$dir/r" "$n" >"$out"
                """
            let program = try workshop.write("loader", script.utf8)
            try #require(unsafe chmod(program, 0o700) == 0)
            let disk = try workshop.write("disk.raw", [UInt8](repeating: 0, count: 1 << 20))
            let text =
                "name='b'\ntype='pvh'\nmemory=256\nbootloader='\(program)'\ndisk=['\(disk),raw,xvda,rw']\n"
            let file = try workshop.write("b.cfg", text.utf8)
            let shell = try GuestShell(workshop, prompt: "/ # ", seconds: 300, arguments: ["--timeout=600", file])
            #expect(try shell.run("cat /proc/cmdline").word == "console=hvc0 run=1")
            let directory = "\(workshop.runtimeDirectory)/1"
            let names = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(!names.contains { $0.hasPrefix("boot") }, "\(names)")
            shell.type("reboot -f\n")
            #expect(shell.session.wait(for: "run=2", seconds: 300))
            let again = try FileManager.default.contentsOfDirectory(atPath: "\(workshop.runtimeDirectory)/2")
            #expect(!again.contains { $0.hasPrefix("boot") }, "\(again)")
            #expect(try workshop.martlet("destroy", "b").code == 0)
            #expect(workshop.remains() == [])
        }
    }
}
