import ControlProtocol
import DomainBuilder
import KernelImage

/// Reads a guest's kernel and ramdisk and builds what its memory holds at the start.
enum BootFiles {
    /// Far beyond any kernel; keeps a wrong path from filling the host's memory.
    private static let largestKernel = 1 << 30

    /// - Throws: an error that names the file at fault.
    static func image(for description: GuestDescription) throws(OperatorError) -> BootImage {
        let boot = description.boot
        var request = BuildRequest(
            kernel: try kernel(boot.kernelPath), memoryKiB: description.memoryKiB, maximumMemoryKiB: description.maxMemoryKiB,
            onlineVCPUs: description.vcpus, maximumVCPUs: description.maxVCPUs)
        if let path = boot.ramdiskPath {
            request.ramdisk = try HostFile.read(
                key: "ramdisk", path: path, limit: Int(clamping: description.memoryKiB) * 1024,
                limitReason: "it does not fit the guest's memory of \(description.memoryKiB / 1024) MiB", limitRemedy: "raise memory=")
            guard request.ramdisk?.isEmpty != true else {
                throw OperatorError(
                    "ramdisk=\"\(path)\": the file is empty", remedy: "give an initramfs as ramdisk=, or leave ramdisk= out",
                    code: .creationFailed)
            }
        }
        if let text = boot.commandLine, !text.isEmpty { request.commandLine = Array(text.utf8) }
        do {
            return try DomainBuilder.build(request)
        } catch {
            throw OperatorError(error.cause, remedy: error.remedy, code: .creationFailed)
        }
    }

    private static func kernel(_ path: String) throws(OperatorError) -> KernelImage {
        let bytes = try HostFile.read(
            key: "kernel", path: path, limit: largestKernel, limitReason: "no kernel is that large", limitRemedy: "name a kernel")
        let kernel: KernelImage
        do {
            kernel = try KernelImage.parse(bytes, fileName: path)
        } catch {
            throw OperatorError(error.headline, remedy: error.remedy, code: .invalid)
        }
        let verdict = PVHVerdict(kernel)
        guard verdict.canBoot else {
            throw OperatorError(
                "\(path): this kernel cannot boot as a PVH guest: \(verdict.reason)", remedy: verdict.remedy ?? "", code: .invalid)
        }
        return kernel
    }
}
