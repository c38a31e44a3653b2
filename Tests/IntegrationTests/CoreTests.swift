import Foundation
import TestSupport
import Testing

extension GuestTests {
    @Suite("Cores of a guest") struct CoreTests {
        /// Where the kernel's own symbols say they are, as the guest reads them.
        private func symbol(_ name: String, _ shell: GuestShell) throws -> UInt64 {
            let answer = try shell.run("grep ' \(name)$' /proc/kallsyms")
            return try #require(answer.lines.first.flatMap { UInt64($0.prefix(16), radix: 16) }, "\(answer.text)")
        }

        @Test("The kernel's banner is found through the page tables of its first vCPU; the guest goes on")
        func banner() throws {
            let workshop = try Workshop()
            let shell = try GuestShell(
                workshop, prompt: "/ # ", seconds: 300, arguments: ["--timeout=600", try workshop.configuration(), "vcpus=2"])
            let address = try symbol("linux_banner", shell)
            let version = try shell.run("cat /proc/version").word
            #expect(version.hasPrefix("Linux version "))
            let path = "\(workshop.path)/core"
            let dumped = try workshop.martlet("dump-core", "linux", path, seconds: 120)
            #expect(dumped.code == 0, "\(dumped.errors)")
            let core = try CoreFile(path)
            for vcpu in 0..<2 {
                let text = try #require(core.linear(address, version.utf8.count, vcpu: vcpu))
                #expect(String(decoding: text, as: UTF8.self) == version)
            }
            // A kernel has used its vector registers before it shows a prompt; both vCPUs are online.
            for vcpu in 0..<2 {
                let context = Array(core.context(vcpu))
                #expect(CoreFile.number(context, 512, 8) == 1 << 5 | 1 << 0)
                #expect(CoreFile.number(context, 0, 2) & 0x3f == 0x3f && CoreFile.number(context, 24, 4) & 0x1f80 == 0x1f80)
            }
            #expect(try shell.run("echo $((6 * 7))").word == "42")
        }
    }
}
