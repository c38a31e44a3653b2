internal import ControlProtocol
internal import DomainConfig
internal import Glibc
internal import KernelImage

extension Preflight {
    mutating func checkBootFiles(_ domain: DomainDescription) {
        checkKernel(domain)
        checkRamdisk(domain)
    }

    private mutating func checkKernel(_ domain: DomainDescription) {
        guard domain.bootloader == nil else { return checkBootloader(domain) }
        guard let kernel = domain.kernel else { return }
        do throws(OperatorError) {
            let report = ImageReport(try KernelFile.read(kernel), fileName: kernel)
            guard report.verdict.canBoot else {
                return add(
                    .error, domain, "kernel", "kernel=\"\(kernel)\" cannot boot as PVH: \(report.verdict.reason)",
                    remedy: report.verdict.remedy ?? "`martlet inspect \(kernel)' tells more")
            }
            add(.fine, domain, "kernel", "\(kernel): \(report.kind)" + (report.kernelVersion.map { ", \($0)" } ?? ""))
            checkRoom(domain, needed: report.image?.endAddress ?? 0)
        } catch {
            add(.error, domain, "kernel", "kernel=\"\(kernel)\": \(error.cause)", remedy: "check the path in kernel=")
        }
    }

    /// - Parameter needed: where the kernel ends in the guest's memory.
    private mutating func checkRoom(_ domain: DomainDescription, needed: UInt64) {
        guard needed > domain.effectiveMemoryKiB << 10 else { return }
        let mebibytes = (needed + (1 << 20) - 1) >> 20
        add(
            .error, domain, "memory", "memory=\(domain.effectiveMemoryKiB / 1024): the kernel alone takes the first \(mebibytes) MiB",
            remedy: "raise memory= to more than that")
    }

    /// What it finds nobody knows before it has run.
    private mutating func checkBootloader(_ domain: DomainDescription) {
        guard let word = domain.bootloader else { return }
        guard let program = BootloaderDescription.path(of: word, environment) else {
            return add(
                .error, domain, "bootloader", "bootloader=\"\(word)\": there is no such program", remedy: BootloaderDescription.remedy)
        }
        add(.fine, domain, "bootloader", "\(program) finds the kernel")
    }

    private mutating func checkRamdisk(_ domain: DomainDescription) {
        guard let ramdisk = domain.ramdisk, domain.bootloader == nil else { return }
        let subject = "ramdisk=\"\(ramdisk)\""
        var status = stat()
        guard unsafe stat(ramdisk, &status) == 0, unsafe access(ramdisk, R_OK) == 0 else {
            return add(.error, domain, "ramdisk", "\(subject): \(SystemError.text(errno))", remedy: "check the path in ramdisk=")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            return add(.error, domain, "ramdisk", "\(subject): not a regular file", remedy: "check the path in ramdisk=")
        }
        guard status.st_size > 0 else {
            return add(
                .error, domain, "ramdisk", "\(subject): the file is empty", remedy: "give an initramfs as ramdisk=, or leave ramdisk= out")
        }
        let size = UInt64(status.st_size) / 1024
        guard size < domain.effectiveMemoryKiB else {
            return add(
                .error, domain, "ramdisk", "\(subject) has \(size / 1024) MiB, more than the guest's memory", remedy: "raise memory=")
        }
        guard isSound(ramdisk) else {
            return add(
                .warning, domain, "ramdisk", "\(subject) starts as gzip does, but does not unpack: it is cut off or damaged",
                remedy: "make or copy it again; `gzip -t \(ramdisk)' tells more")
        }
        add(.fine, domain, "ramdisk", "\(ramdisk): \(size) KiB")
    }

    /// What is no gzip file is for the guest's kernel to judge.
    private func isSound(_ ramdisk: String) -> Bool {
        guard Files.start(of: ramdisk, count: 2) == [0x1f, 0x8b], let bytes = try? Files.read(ramdisk, limit: 1 << 30) else { return true }
        return Ramdisk.unpacked(bytes, limit: 4 << 30) != nil
    }
}
