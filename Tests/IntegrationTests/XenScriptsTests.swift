import Foundation
import Testing

extension GuestTests {
    /// Debian's scripts around xl, as its package xen-utils-common has them.
    @Suite("Scripts written for xl") struct XenScriptsTests {
        private static let scripts = Installation.package + "/guests/xen-scripts"

        /// A directory with `xl` and Debian's other name for it.
        private func programs(_ workshop: Workshop) throws -> String {
            let directory = workshop.path + "/bin"
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            for name in ["xl", "xen"] {
                try FileManager.default.createSymbolicLink(atPath: "\(directory)/\(name)", withDestinationPath: Installation.martlet)
            }
            return directory
        }

        /// `xendomains` with the places of this test, and without its look for Xen's device on the host.
        private func xendomains(_ workshop: Workshop) throws -> String {
            var lines = try String(contentsOfFile: Self.scripts + "/xendomains", encoding: .utf8).components(separatedBy: "\n")
            let device = try #require(lines.firstIndex { $0.contains("/proc/xen/privcmd") })
            #expect(lines[device + 2] == "fi")
            lines.removeSubrange(device...device + 2)
            let text = lines.joined(separator: "\n").replacing("/usr/lib/xen-common/bin", with: Self.scripts)
                .replacing(". /lib/init/vars.sh", with: "").replacing("/etc/default/xendomains", with: workshop.path + "/defaults")
            return try workshop.write("xendomains", text.utf8)
        }

        private func shell(_ workshop: Workshop, _ path: String, _ words: String..., seconds: Int = 120) throws -> Run {
            let script = "export PATH=\(path):/usr/sbin:/usr/bin:/sbin:/bin; \"$@\""
            return try workshop.start(["-c", script, "bash"] + words, program: "/bin/bash").finish(seconds: seconds)
        }

        private func waitForShell(_ name: String, _ workshop: Workshop) throws {
            let log = "\(workshop.path)/log/\(name).console.log"
            for _ in 0..<600 {
                let text = String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
                if text.contains("Enter 'help' for a list") { return }
                usleep(100_000)
            }
            Issue.record("\(name) shows no shell")
        }

        @Test("Debian's xendomains starts what lies in the directory for it, leaves running guests alone, and shuts all down")
        func startAndStop() throws {
            let workshop = try Workshop()
            let path = try programs(workshop)
            let script = try xendomains(workshop)
            let automatic = workshop.path + "/auto"
            try FileManager.default.createDirectory(atPath: automatic, withIntermediateDirectories: true)
            for name in ["one", "two"] {
                try FileManager.default.moveItem(
                    atPath: try workshop.configuration(name: name, memory: 128), toPath: "\(automatic)/\(name).cfg")
            }
            _ = try workshop.write(
                "defaults", "XENDOMAINS_AUTO=\(automatic)\nXENDOMAINS_SAVE=\nXENDOMAINS_STOP_MAXWAIT=60\n".utf8)

            let start = try shell(workshop, path, "bash", script, "start")
            #expect(start.code == 0 && start.output.contains("Starting Xen domain one"), "\(start)")
            #expect(!start.output.contains("failed"), "\(start)")
            let names = try shell(workshop, path, "\(Self.scripts)/xen-init-list").lines.map { $0.split(separator: " ").last }
            #expect(names == ["one", "two"])
            let again = try shell(workshop, path, "bash", script, "start")
            #expect(again.output.contains("Xen domain two already running"), "\(again)")
            for name in ["one", "two"] { try waitForShell(name, workshop) }
            let stop = try shell(workshop, path, "bash", script, "stop")
            #expect(stop.code == 0 && !stop.output.contains("failed"), "\(stop)")
            #expect(workshop.remains().isEmpty)
        }

        @Test("bash completion of Xen's package finds the commands")
        func completion() throws {
            let workshop = try Workshop()
            let script = "source \(Self.scripts)/xl; COMP_WORDS=(xl crea); COMP_CWORD=1; _xl; printf '%s' \"${COMPREPLY[*]}\""
            #expect(try shell(workshop, try programs(workshop), "bash", "-c", script).output == "create ")
        }
    }
}
