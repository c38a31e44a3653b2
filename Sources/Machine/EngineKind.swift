public import ControlProtocol
public import GuestMemory
public import VirtualCPU
import X86Interpreter

/// Makes the engine of one vCPU.
public typealias EngineFactory =
    @Sendable (
        _ index: Int, _ memory: GuestMemory, _ environment: any VirtualCPUEnvironment
    ) -> any VirtualCPU

/// The CPU engines this program has.
public enum EngineKind: String, CaseIterable, Sendable {
    case interpreter

    /// The fastest one this machine offers.
    public static var best: EngineKind { .interpreter }

    public init(_ choice: EngineChoice) {
        switch choice {
        case .auto: self = .best
        case .interpreter: self = .interpreter
        }
    }

    public var factory: EngineFactory {
        switch self {
        case .interpreter: { Interpreter(index: $0, memory: $1, environment: $2) }
        }
    }
}
