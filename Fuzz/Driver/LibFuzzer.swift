import FuzzTargets
import Glibc
import TestSupport

// libFuzzer has the main function and calls these two. MARTLET_FUZZ_TARGET names the part to try.

private let target: FuzzTarget = {
    let name = unsafe getenv("MARTLET_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        print("MARTLET_FUZZ_TARGET is one of: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
        exit(2)
    }
    return target
}()

/// With MARTLET_FUZZ_SEEDS, writes the seeds into that directory.
@c(LLVMFuzzerInitialize)
public func initialize(_: UnsafeMutablePointer<Int32>?, _: UnsafeMutableRawPointer?) -> Int32 {
    if let directory = unsafe getenv("MARTLET_FUZZ_SEEDS").map({ unsafe String(cString: $0) }) {
        for (number, seed) in target.seeds.enumerated() { TestFiles.write("\(directory)/seed-\(number)", seed) }
    }
    return 0
}

@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    guard count <= target.maximumByteCount else { return -1 }
    target.run(unsafe Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
