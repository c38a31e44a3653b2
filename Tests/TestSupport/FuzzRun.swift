import Glibc

/// Which randomised run this is: `MARTLET_SEED` picks another one than every day's, `MARTLET_FUZZ_FACTOR` makes it longer.
public enum FuzzRun {
    /// What every generator of a test starts from.
    public static let seed = number("MARTLET_SEED") ?? 2

    /// As many cases as `usual`, times the factor.
    public static func cases(_ usual: Int) -> Int { usual * Int(number("MARTLET_FUZZ_FACTOR") ?? 1) }

    /// - Returns: nil when the variable is not set; a value that is no number stops the run, so that no typing error passes.
    private static func number(_ name: String) -> UInt64? {
        guard let text = unsafe getenv(name).map({ unsafe String(cString: $0) }) else { return nil }
        guard let value = UInt64(text) else { fatalError("\(name)=\(text) is not a number") }
        return value
    }
}
