/// The other end of a boot loader's terminal, and what may end its run.
public struct BootloaderConsole {
    /// Gets what the program prints, raw.
    public var show: ([UInt8]) -> Void = { _ in }
    /// Where typing for it comes from; nil for nobody.
    public var input: Int32?
    /// The character that gives up when it is typed.
    public var escape: UInt8 = 0x1d
    /// Asked several times a second whether to give up.
    public var isInterrupted: () -> Bool = { false }
    /// The program is ended after so long; nil: never.
    public var timeoutMilliseconds: Int64?

    public init() {}
}
