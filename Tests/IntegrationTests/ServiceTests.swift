import Foundation
import Testing

extension GuestTests {
    /// The systemd units under a real systemd: that of a Debian guest, in which Martlet runs guests of its own.
    @Suite(
        "Guests as services", .serialized,
        .enabled(if: DebianImage.obstacle == nil || Installation.isRequired, Comment(rawValue: DebianImage.obstacle ?? "")))
    struct ServiceTests {
        @Test("systemd starts, stops and watches guests by their units")
        func units() throws {
            try DebianImage.require()
            let workshop = try Workshop()
            let host = try ServiceHost(workshop)
            try oneGuest(host)
            try endings(host)
            try autostart(host)
        }

        private func oneGuest(_ host: ServiceHost) throws {
            try host.succeeds("systemctl start martlet@web")
            #expect(try host.eventually("grep -q 'I am here' /var/log/martlet/web.console.log"))
            #expect(try host.guests() == ["web"])
            try host.succeeds("systemctl stop martlet@web")
            #expect(try host.state("martlet@web") == "inactive success 0")
            let journal = try host.journal("martlet@web")
            #expect(journal.contains("has shut down (poweroff, reason code 0)"), "\(journal)")
            #expect(!journal.contains("SIGKILL"), "a guest that has ended is not in the way: \(journal)")
            #expect(try host.shell.run("ls -1 /run/martlet").lines == ["last-domid", "lock"])
        }

        private func endings(_ host: ServiceHost) throws {
            for (end, state) in [
                ("martlet shutdown web", "inactive success 0"),
                ("martlet sysrq web c", "failed exit-code 30"), ("kill -KILL $(pidof martlet-guest)", "failed exit-code 31"),
                // SIGTERM reaches both processes: whichever is first, the guest is gone by order.
                ("systemctl kill martlet@web", "inactive success"),
            ] {
                try host.succeeds("systemctl start martlet@web")
                #expect(try host.eventually("martlet list web | grep -q -- -b---"))
                try host.succeeds(end)
                #expect(try host.eventually("! systemctl is-active --quiet martlet@web"), "\(end)")
                let found = try host.state("martlet@web")
                #expect(found.hasPrefix(state), "\(end): \(found)")
                #expect(try host.guests() == [], "\(end)")
            }
        }

        private func autostart(_ host: ServiceHost) throws {
            try host.succeeds(
                "mkdir /etc/martlet/auto && cd /etc/martlet/auto && ln -s ../web.cfg one.cfg && ln -s ../web.cfg two.cfg && echo type= >broken.cfg"
            )
            try host.succeeds("systemctl start martlet-autostart")
            #expect(try host.guests() == ["one", "two"])
            #expect(try host.state("martlet-autostart") == "active success 1", "the others go on, and the failure is on record")
            #expect(try host.journal("martlet-autostart").contains("broken did not start"))
            try host.succeeds("systemctl stop martlet-autostart")
            #expect(try host.guests() == [])
            #expect(try host.state("martlet-autostart") == "inactive success 0")
            #expect(try !host.journal("martlet-autostart").contains("SIGKILL"))
        }
    }
}

/// A Debian guest with Martlet installed, and a configuration `web` of a tiny guest.
struct ServiceHost {
    let shell: GuestShell

    init(_ workshop: Workshop) throws {
        let disk = try Self.disk(workshop)
        let root = try DebianImage.copy(into: workshop.path)
        shell = try GuestShell(
            workshop, prompt: "root@debian:~# ", seconds: 600, arguments: DebianImage.arguments(root: root, disks: ["\(disk),raw,xvdb,ro"]))
        // Links are made faster than copies; systemd wants its units themselves.
        try succeeds(
            "mount -o ro /dev/xvdb /mnt && cp -rsn /mnt/. / && cp -r --remove-destination /mnt/usr/lib/systemd /usr/lib && ldconfig")
        try succeeds("systemctl daemon-reload && mkdir /etc/martlet")
        try succeeds("printf 'type=\"pvh\"\\nkernel=\"/usr/share/obedient\"\\nmemory=16\\n' >/etc/martlet/web.cfg")
    }

    /// An image of what `scripts/install` installs, the libraries it needs, and the tiny guest's kernel.
    private static func disk(_ workshop: Workshop) throws -> String {
        let kernel = Installation.package + "/guests/obedient"
        try #require(FileManager.default.isReadableFile(atPath: kernel), "there is no \(kernel); scripts/hostile-guest builds it")
        let tree = workshop.path + "/tree"
        let script = """
            set -e
            DESTDIR=\(tree) PREFIX=/usr BINARIES=\(Installation.programs) \(Installation.package)/scripts/install
            for program in martlet martlet-guest; do ldd \(tree)/usr/bin/$program; done | sed -n 's|.*=> \\(/[^ ]*\\).*|\\1|p' | sort -u |
                grep -v -E '/(libc|libm)[.]so' | while read -r library; do
                    case $library in /lib/*) place=/usr$library ;; *) place=$library ;; esac
                    mkdir -p "\(tree)${place%/*}"
                    cp -L "$library" "\(tree)$place"
                done
            mkdir -p \(tree)/usr/share
            cp \(kernel) \(tree)/usr/share/
            mke2fs -q -t ext4 -d \(tree) \(tree).img 512M
            """
        let made = try HostTool.run("sh", "-c", script)
        try #require(made.code == 0, "\(made.errors)")
        return tree + ".img"
    }

    func succeeds(_ command: String) throws {
        let answer = try shell.run(command)
        #expect(answer.status == 0, "\(command): \(answer.text)")
    }

    /// Waits, at most half a minute.
    func eventually(_ condition: String) throws -> Bool {
        try shell.run("for try in $(seq 100); do if \(condition); then break; fi; sleep 0.3; done; \(condition)").status == 0
    }

    func guests() throws -> [String] {
        try shell.run("martlet vm-list").lines.dropFirst().compactMap { $0.split(separator: " ").last.map(String.init) }.sorted()
            .filter { $0 != "Domain-0" }
    }

    /// State, result and the exit status of the main process.
    func state(_ unit: String) throws -> String {
        try shell.run(
            "echo $(systemctl show --value -p ActiveState \(unit)) $(systemctl show --value -p Result \(unit)) "
                + "$(systemctl show --value -p ExecMainStatus \(unit))"
        ).word
    }

    func journal(_ unit: String) throws -> String { try shell.run("journalctl -u \(unit) --no-pager -o cat | cat").text }
}
