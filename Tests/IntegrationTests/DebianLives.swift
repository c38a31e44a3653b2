import Foundation
import Glibc
import Testing

/// A Debian guest with a disk, a network and two vCPUs that lives five times: it starts another kernel by kexec, lets a watchdog expire,
/// panics, and reboots. All the while somebody else wants its disk.
///
/// One boot takes most of a minute, so that several tests look at this guest. Each part catches its own errors; what comes after a part
/// that failed fails as well.
final class DebianLives: Sendable {
    static let result = Result { try DebianLives() }
    static let prompt = "root@debian:~# "
    /// Where the ACPI tables of a PVH guest begin. A kernel that is not entered through the PVH entry has to be told.
    static let kexec =
        "kexec -s -l /boot/vmlinuz-$(uname -r) --initrd=/boot/initrd.img-$(uname -r) --reuse-cmdline --append=\"acpi_rsdp=$ROOT\""
    static let findTables = "ROOT=$(dmesg | sed -n 's/.*ACPI: RSDP \\(0x[0-9A-F]*\\).*/\\1/p')"

    /// What is looked at in a life.
    struct Life: Sendable {
        var domainID: String
        var state: Answer
        /// What the first life wrote on the disk.
        var data: Answer
        var processors: Answer
        var commandLine: Answer
        var address: Answer
        var ping: Answer
        var log: Answer
        /// How often somebody tried to take the disk since the life before, and what he was told when he got it or failed otherwise.
        var attempts = 0
        var surprises: [String] = []
    }

    let first: Life
    let afterKexec: Result<Life, any Error>
    let afterWatchdog: Result<Life, any Error>
    let afterPanic: Result<Life, any Error>
    let afterReboot: Result<Life, any Error>
    let end: Result<(run: Run, check: Run, remains: [String]), any Error>
    /// The log of the guest's process, and the beginning of its core.
    let log: String
    let core: [UInt8]

    private init() throws {
        try DebianImage.require()
        let workshop = try Workshop()
        let root = try DebianImage.copy(into: workshop.path)
        let words = ["vcpus=2", "on_watchdog=\"restart\"", "on_crash=\"coredump-restart\""]
        let guest = try GuestShell(
            workshop, prompt: Self.prompt, seconds: 600, arguments: DebianImage.arguments(root: root, interfaces: [""]) + words)
        _ = try guest.run("echo 'written by the first' > /root/data; sync")
        first = try Self.look(guest, workshop)
        let round = Round(guest: guest, workshop: workshop, root: root)
        afterKexec = Result { try round.nextLife(after: "\(Self.findTables); \(Self.kexec) && sync && kexec -e") }
        afterWatchdog = Result { try round.nextLife(after: "modprobe xen_wdt timeout=5; sync; exec 3>/dev/watchdog") }
        afterPanic = Result { try round.nextLife(after: "sync; echo c > /proc/sysrq-trigger") }
        afterReboot = Result { try round.nextLife(after: "reboot") }
        end = Result {
            guest.type("poweroff\n")
            let run = try guest.session.finish(seconds: 200)
            return (run, try HostTool.run("e2fsck", "-f", "-n", root), workshop.remains())
        }
        log = (try? String(contentsOfFile: "\(workshop.path)/log/debian.log", encoding: .utf8)) ?? ""
        core = (try? HostTool.bytes(of: "\(workshop.path)/log/debian.core", at: 0, count: 4096)) ?? []
    }

    private static func look(_ guest: GuestShell, _ workshop: Workshop) throws -> Life {
        Life(
            domainID: try workshop.martlet("domid", "debian", seconds: 20).output,
            state: try guest.run("systemctl is-system-running --wait", seconds: 300),
            data: try guest.run("cat /root/data"), processors: try guest.run("nproc"), commandLine: try guest.run("cat /proc/cmdline"),
            address: try guest.run("ip -o -4 address show dev enX0"), ping: try guest.run("ping -c 3 -W 20 10.0.2.2"),
            log: try guest.run("dmesg"))
    }

    private struct Round {
        let guest: GuestShell
        let workshop: Workshop
        let root: String

        /// Ends the present life by a command, and looks at the next.
        func nextLife(after command: String) throws -> Life {
            var attempts = 0
            var surprises: [String] = []
            guest.type(command + "\n")
            try guest.awaitShell(DebianLives.prompt, seconds: 600) {
                let thief = try workshop.martlet(
                    "create", "-p", "-q", "/dev/null", "name=\"thief\"", "type=\"pvh\"", "kernel=\"\(Installation.kernel)\"", "memory=64",
                    "disk=[\"\(root),raw,xvda,rw\"]", seconds: 60)
                attempts += 1
                if thief.code == 0 || !thief.errors.contains("is in use") { surprises.append("\(thief.code): \(thief.errors)") }
            }
            var life = try DebianLives.look(guest, workshop)
            (life.attempts, life.surprises) = (attempts, surprises)
            return life
        }
    }
}

extension DebianImage {
    /// Whether the guest has what these tests use; an image built by an earlier version may not.
    static let kexecObstacle: String? = {
        if let obstacle { return obstacle }
        let found = (try? HostTool.run("debugfs", "-R", "stat /usr/sbin/kexec", "\(directory)/root.img"))?.output.contains("Inode:") == true
        return found ? nil : "there is no kexec in \(directory)/root.img; scripts/debian-image builds it anew"
    }()
}
