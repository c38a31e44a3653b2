import Glibc
import HostIO

extension HostThread {
    /// Names the calling thread for `ps -L` and debuggers; at most 15 bytes.
    static func nameCurrent(_ name: String) { unsafe pthread_setname_np(pthread_self(), name) }
}
