import FuzzTargets
import Glibc
import TestSupport
import Testing

/// The fuzz targets for a moment, with mutations from a seed. `scripts/fuzz` runs them without end, guided by coverage.
@Suite("Fuzz targets") struct FuzzTests {
    /// What once led to a crash.
    static func corpus(_ target: FuzzTarget) -> [[UInt8]] {
        let folder = TestFiles.inRepository("Fuzz/Corpus/\(target.rawValue)")
        return TestFiles.names(in: folder).compactMap { TestFiles.bytes(folder + "/" + $0) }
    }

    @Test("seeds and what once was wrong are taken", arguments: FuzzTarget.allCases) func known(target: FuzzTarget) {
        let inputs = target.seeds + Self.corpus(target)
        #expect(inputs.count >= 2 && inputs.allSatisfy { !$0.isEmpty })
        for input in inputs { Self.run(target, input) }
    }

    @Test("mutations harm nothing", arguments: FuzzTarget.allCases) func mutations(target: FuzzTarget) {
        var mutator = ByteMutator(
            seed: FuzzRun.seed, inputs: target.seeds + Self.corpus(target), maximumByteCount: target.maximumByteCount)
        for _ in 0..<FuzzRun.cases(300) { Self.run(target, mutator.next()) }
    }

    /// Keeps the input in a file while it is tried: a trap ends the process, and then the file tells what did it.
    private static func run(_ target: FuzzTarget, _ input: [UInt8]) {
        let path = "/tmp/martlet-fuzz-\(getpid())-\(target.rawValue)"
        TestFiles.write(path, input)
        target.run(input)
        TestFiles.remove(path)
    }
}
