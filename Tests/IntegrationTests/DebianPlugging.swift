import Foundation
import Testing

/// A disk and an interface that come and go while the guest runs.
struct Plugging: Sendable {
    var attach: Run
    var write: Answer
    var bytes: [UInt8]
    var list: Run
    var detach: Run
    var gone: Answer
    var interfaceAttach: Run
    var interfaceAddress: Answer
    var interfaceDetach: Run
    var interfaceGone: Answer

    init(_ guest: GuestShell, _ workshop: Workshop) throws {
        let file = try workshop.write("plugged.img", [UInt8](repeating: 0, count: 8 << 20))
        attach = try workshop.martlet("block-attach", "debian", "\(file),raw,xvde,rw", seconds: 60)
        write = try guest.run(
            Self.waiting("[ -b /dev/xvde ]")
                + "; dd if=/root/blob of=/dev/xvde bs=64k conv=fsync status=none && blockdev --getsize64 /dev/xvde")
        bytes = try HostTool.bytes(of: file, at: 0, count: DebianFirstBoot.blob.count)
        list = try workshop.martlet("block-list", "debian", seconds: 60)
        detach = try workshop.martlet("block-detach", "debian", "xvde", seconds: 60)
        gone = try guest.run(Self.waiting("[ ! -b /dev/xvde ]"))
        interfaceAttach = try workshop.martlet("network-attach", "debian", seconds: 60)
        interfaceAddress = try guest.run(
            Self.waiting("ip -o -4 address show dev enX1 2>/dev/null | grep -q inet") + "; ip -o -4 address show dev enX1")
        interfaceDetach = try workshop.martlet("network-detach", "debian", "1", seconds: 60)
        interfaceGone = try guest.run(Self.waiting("[ ! -d /sys/class/net/enX1 ]"))
    }

    /// A shell's loop until a condition holds, half a minute at most; its status says whether it does.
    private static func waiting(_ condition: String) -> String {
        "for try in $(seq 150); do if \(condition); then break; fi; sleep 0.2; done; \(condition)"
    }
}
