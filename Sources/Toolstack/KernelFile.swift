public import ControlProtocol
public import DomainConfig
internal import KernelImage

/// Kernels as the operator names them.
public enum KernelFile {
    /// The content of a kernel file, at most 2 GiB.
    ///
    /// - Throws: an error that names the file.
    public static func read(_ path: String) throws(OperatorError) -> [UInt8] {
        do throws(SystemError) {
            return try Files.read(path, limit: 2 << 30)
        } catch {
            throw OperatorError("\(path): \(SystemError.text(error.errno))", remedy: "name a kernel file that this user can read")
        }
    }

    /// Whether a kernel is one for PVH guests, for configurations that do not say.
    public static func probe(_ path: String) -> KernelProbe {
        do throws(OperatorError) {
            let verdict = ImageReport(try read(path), fileName: path).verdict
            return verdict.canBoot ? .carriesPVHEntry : .noPVHEntry("no PVH kernel: \(verdict.reason)")
        } catch {
            return .unreadable(error.cause)
        }
    }
}
