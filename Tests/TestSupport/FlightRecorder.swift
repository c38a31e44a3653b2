import Glibc

/// The program the host runs right now, in a file that outlives the process: after an abnormal end it says which one did it.
///
/// `MARTLET_FLIGHT_RECORDER` names the file; without it nothing is kept. The file holds one line of text at a time, the registers and
/// the code in hexadecimal, padded with spaces to ``byteCount``; `idle` between programs.
@safe
final class FlightRecorder: @unchecked Sendable {
    static let byteCount = 16384
    private let page: UnsafeMutableRawPointer

    /// - Returns: nil when the variable is not set. A file that cannot be written stops the run.
    init?() {
        guard let path = unsafe getenv("MARTLET_FLIGHT_RECORDER") else { return nil }
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0, ftruncate(descriptor, off_t(Self.byteCount)) == 0,
            let mapping = unsafe mmap(nil, Self.byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), unsafe mapping != MAP_FAILED
        else { fatalError("MARTLET_FLIGHT_RECORDER: \(unsafe String(cString: path)) cannot be written (errno \(errno))") }
        close(descriptor)
        unsafe page = mapping
        record("idle")
    }

    func record(_ code: [UInt8], _ state: MachineState, _ mode: HostCPU.Mode) {
        let registers = state.gpr.map { String($0, radix: 16) }.joined(separator: " ")
        record(
            "\(mode) rflags \(String(state.rflags, radix: 16)) gpr \(registers) code \(code.map { String($0, radix: 16) }.joined(separator: " "))"
        )
    }

    func record(_ text: String) {
        let bytes = Array(text.utf8.prefix(Self.byteCount - 1))
        let line = bytes + [UInt8](repeating: 0x20, count: Self.byteCount - 1 - bytes.count) + [0x0a]
        unsafe line.withUnsafeBytes { unsafe page.copyMemory(from: $0.baseAddress!, byteCount: Self.byteCount) }
    }
}
