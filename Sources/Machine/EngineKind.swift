import ControlProtocol
public import GuestMemory
public import VirtualCPU
import X86Interpreter
import X86Translator

/// Makes the engine of one vCPU.
public typealias EngineFactory =
    @Sendable (
        _ index: Int, _ memory: GuestMemory, _ environment: any VirtualCPUEnvironment
    ) -> any VirtualCPU

/// The CPU engines this program has.
public enum EngineKind: String, CaseIterable, Sendable {
    case interpreter
    case translator

    /// What `auto` stands for where the host can run it.
    public static let preferred: EngineKind = .translator

    /// The engine for a choice on this host.
    ///
    /// - Parameter tell: gets a line when `auto` does not get the preferred engine.
    /// - Throws: why this host cannot run the engine that was asked for by name.
    init(_ choice: EngineChoice, tell: (String) -> Void) throws(OperatorError) {
        switch choice {
        case .interpreter: self = .interpreter
        case .translator:
            self = .translator
            try check()
        case .auto:
            self = .preferred
            do throws(OperatorError) {
                try check()
            } catch {
                tell("\(error.cause); the guest is interpreted, which is slower")
                self = .interpreter
            }
        }
    }

    private func check() throws(OperatorError) {
        guard self == .translator else { return }
        do throws(TranslatorError) { try Translator.checkHost() } catch { throw Self.failure(error) }
    }

    private static func failure(_ error: TranslatorError) -> OperatorError {
        switch error {
        case .otherArchitecture:
            OperatorError(
                "engine=\"translator\": the translator runs on x86-64 hosts only", remedy: "use engine=\"interpreter\", or \"auto\"",
                code: .creationFailed)
        case .codeMemoryRefused(let number):
            OperatorError(
                "engine=\"translator\": the host refuses memory that can be executed: \(SystemError.text(number))",
                remedy: "allow it (SELinux: execmem; systemd: MemoryDenyWriteExecute=), or use engine=\"interpreter\"",
                code: .creationFailed)
        }
    }

    /// - Parameter tell: gets a line for each vCPU that has to be interpreted after all, because the host has become short of memory.
    func factory(tell: @escaping @Sendable (String) -> Void) -> EngineFactory {
        switch self {
        case .interpreter: { Interpreter(index: $0, memory: $1, environment: $2) }
        case .translator:
            { index, memory, environment in
                do throws(TranslatorError) {
                    return try Translator(index: index, memory: memory, environment: environment)
                } catch {
                    tell("vCPU \(index) is interpreted: \(Self.failure(error).cause)")
                    return Interpreter(index: index, memory: memory, environment: environment)
                }
            }
        }
    }
}
