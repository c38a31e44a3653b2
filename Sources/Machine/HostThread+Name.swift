import CLinux
import HostIO

extension HostThread {
    /// Names the calling thread for `ps -L` and debuggers; at most 15 bytes.
    static func nameCurrent(_ name: String) { unsafe martlet_name_thread(name) }
}
