internal import GuestMemory
internal import Glibc

/// Translated code of one block.
struct Translation {
    /// Position in the guest's memory and mode: see ``TranslationTable/key(_:_:tlb:allowsSSE:)``.
    var key: UInt64
    /// Entry with the guest's flags in RFLAGS.
    var hostEntry: Int32
    /// Entry with the flags in memory; negative where the first instruction is one for the interpreter.
    var entry: Int32
    /// What the entry jumps to once the block is dropped.
    var leave: Int32
    /// Numbers of other translations, -1 at the end.
    var hashNext: Int32 = -1
    var frameNext: Int32 = -1

    var isTranslated: Bool { entry >= 0 }
}

/// All translations of one vCPU: found by physical position and mode, dropped by frame, all thrown away when code memory is full.
@safe
final class TranslationTable {
    private static let capacity = 1 << 20
    private static let bucketCount = 1 << 16
    private let entries: UnsafeMutablePointer<Translation>
    private var count: Int32 = 0
    private let buckets: UnsafeMutablePointer<Int32>
    /// For each frame its first translation's number plus one.
    private let frames: UnsafeMutablePointer<Int32>
    private let frameCount: Int

    init(memory: GuestMemory) {
        frameCount = memory.poolPageCount
        unsafe entries = Self.reserve(Self.capacity)
        unsafe frames = Self.reserve(frameCount)
        unsafe buckets = .allocate(capacity: Self.bucketCount)
        unsafe buckets.initialize(repeating: -1, count: Self.bucketCount)
    }

    deinit {
        unsafe munmap(entries, Self.capacity * MemoryLayout<Translation>.stride)
        unsafe munmap(frames, frameCount * MemoryLayout<Int32>.stride)
        unsafe buckets.deallocate()
    }

    /// Zeroed memory that costs what is touched.
    private static func reserve<T>(_ count: Int) -> UnsafeMutablePointer<T> {
        let byteCount = count * MemoryLayout<T>.stride
        let mapping = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
            preconditionFailure("no address space for \(byteCount) bytes of translations")
        }
        return unsafe mapping.assumingMemoryBound(to: T.self)
    }

    @inline(__always)
    static func key(_ frame: FrameIndex, _ position: Int, tlb: Int, allowsSSE: Bool) -> UInt64 {
        UInt64(frame.rawValue) &<< 12 | UInt64(truncatingIfNeeded: position) | UInt64(truncatingIfNeeded: tlb) &<< 56
            | (allowsSSE ? 1 &<< 58 : 0)
    }

    /// The same place in the page under the same mode.
    @inline(__always)
    static func key(_ key: UInt64, position: UInt32) -> UInt64 { key & ~0xfff | UInt64(position) }

    @inline(__always)
    static func frame(_ key: UInt64) -> FrameIndex { FrameIndex(UInt32(truncatingIfNeeded: key &>> 12)) }

    @inline(__always)
    static func hash(_ key: UInt64) -> Int { Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) &>> 48) }

    @inline(__always)
    func find(_ key: UInt64) -> Translation? {
        var number = unsafe buckets[Self.hash(key)]
        while number >= 0 {
            let candidate = unsafe entries[Int(number)]
            if candidate.key == key { return candidate }
            number = candidate.hashNext
        }
        return nil
    }

    var isFull: Bool { Int(count) == Self.capacity }

    func insert(_ translation: Translation) {
        var translation = translation
        let bucket = Self.hash(translation.key)
        let frame = Int(Self.frame(translation.key).rawValue)
        translation.hashNext = unsafe buckets[bucket]
        translation.frameNext = unsafe frames[frame] - 1
        unsafe (entries + Int(count)).initialize(to: translation)
        unsafe buckets[bucket] = count
        count += 1
        unsafe frames[frame] = count
    }

    /// Forgets the translations of a frame; `body` is told each.
    func drop(_ frame: FrameIndex, _ body: (Translation) -> Void) {
        var number = unsafe frames[Int(frame.rawValue)] - 1
        unsafe frames[Int(frame.rawValue)] = 0
        while number >= 0 {
            let translation = unsafe entries[Int(number)]
            unlink(number, translation.key)
            body(translation)
            number = translation.frameNext
        }
    }

    private func unlink(_ number: Int32, _ key: UInt64) {
        let bucket = Self.hash(key)
        var candidate = unsafe buckets[bucket]
        if candidate == number {
            unsafe buckets[bucket] = entries[Int(number)].hashNext
            return
        }
        while candidate >= 0 {
            let next = unsafe entries[Int(candidate)].hashNext
            if next == number {
                unsafe entries[Int(candidate)].hashNext = entries[Int(number)].hashNext
                return
            }
            candidate = next
        }
    }

    func dropAll() {
        for number in 0..<Int(count) { unsafe frames[Int(Self.frame(entries[number].key).rawValue)] = 0 }
        unsafe buckets.update(repeating: -1, count: Self.bucketCount)
        count = 0
    }
}
