import ControlProtocol
import Glibc
import GuestMemory
import HostIO
import X86
import XenABI

/// A guest's memory and registers as an ELF core, as `xl dump-core` writes it and `crash` reads it.
///
///     ELF header | section headers | .note.Xen | .xen_prstatus | .xen_pfn | (to a page) .xen_pages | .shstrtab
///
/// `.xen_pfn` names the frame of each page of `.xen_pages`. Pages the host never had to back are holes in the file. The pages are those
/// of the guest's memory map; what a guest put elsewhere, such as the shared page, is not among them.
///
/// Reference: Xen `docs/misc/dump-core-format.txt`, `public/elfnote.h`.
struct CoreDump: Sendable {
    struct VCPU: Sendable {
        var registers: RegisterState
        /// 512 bytes of FXSAVE; nil when the engine has none to show.
        var floatingPoint: [UInt8]?
        var isOnline: Bool
    }

    let memory: GuestMemory
    let memoryMap: [XenABI.MemoryMapEntry]
    let version: ControlProtocol.XenVersion
    let vcpus: [VCPU]

    /// Writes the core, and gives it its name once it is whole, in place of an earlier one.
    ///
    /// - Throws: an error that names the path; the unfinished file is gone then. So it is when this process is killed; see ``UnfinishedFile``.
    func write(to path: String, _ cancellation: Cancellation) throws(OperatorError) {
        do {
            let file = try UnfinishedFile(for: path)
            try file.write { (descriptor) throws(OperatorError) in try write(to: descriptor, path, cancellation) }
            try file.finish()
        } catch let error as SystemError {
            throw Self.failure(path, error.errno)
        } catch {
            throw error as? OperatorError ?? OperatorError("the core \(path) cannot be written: \(error)")
        }
    }

    private func write(to file: Descriptor, _ path: String, _ cancellation: Cancellation) throws(OperatorError) {
        let frames = populatedFrames()
        let layout = CoreLayout(
            notes: notes(pageCount: frames.count), registers: vcpus.flatMap(CoreRegisters.context),
            frameNumbers: frames.flatMap { CoreLayout.little($0.gfn) }, pageCount: frames.count)
        let (head, tail) = layout.bytes
        var code = file.writeAll(head[...]).code
        guard code == 0 else { throw Self.failure(path, code) }
        let backed = BackedPages(memory)
        var position = 0
        while position < frames.count {
            guard !cancellation.isCancelled else { throw OperatorError("\(path): the dump was given up because the guest ended") }
            let run = length(of: frames[position...], backed)
            if backed.contains(frames[position].frame) {
                code = write(frames[position].frame, run, to: file, at: layout.pagesOffset + position * GuestMemory.pageSize)
                guard code == 0 else { throw Self.failure(path, code) }
            }
            position += run
        }
        guard lseek(file.rawValue, layout.pagesOffset + frames.count * GuestMemory.pageSize, SEEK_SET) >= 0 else {
            throw Self.failure(path, errno)
        }
        code = file.writeAll(tail[...]).code
        guard code == 0 else { throw Self.failure(path, code) }
    }

    private typealias Frame = (gfn: UInt64, frame: FrameIndex)

    private func populatedFrames() -> [Frame] {
        var gfns: Set<UInt64> = []
        for entry in memoryMap { gfns.formUnion(entry.address >> 12..<(entry.address + entry.size + 0xfff) >> 12) }
        return gfns.sorted().compactMap { gfn in memory.populated(GuestFrameNumber(gfn)).map { (gfn, $0.frame) } }
    }

    /// Pages from the first on that lie side by side in the pool and are all backed, or all not; at most 16 MiB.
    private func length(of frames: ArraySlice<Frame>, _ backed: BackedPages) -> Int {
        let first = frames[frames.startIndex].frame
        let isBacked = backed.contains(first)
        var count = 1
        while count < min(frames.count, 4096) {
            let next = frames[frames.startIndex + count].frame
            guard next.rawValue == first.rawValue + UInt32(count), backed.contains(next) == isBacked else { break }
            count += 1
        }
        return count
    }

    /// - Returns: 0 or the `errno`.
    private func write(_ frame: FrameIndex, _ count: Int, to file: Descriptor, at offset: Int) -> Int32 {
        var done = 0
        let total = count * GuestMemory.pageSize
        while done < total {
            let result = unsafe pwrite(file.rawValue, memory.unsafePointer(frame) + done, total - done, offset + done)
            if result < 0, errno != EINTR { return errno }
            done += max(0, result)
        }
        return 0
    }

    private static func failure(_ path: String, _ code: Int32) -> OperatorError {
        OperatorError(
            "the core \(path) cannot be written: \(SystemError.text(code))", remedy: "name a file in a directory with enough room")
    }
}

/// Which pages of a guest's pool the host has ever backed: in memory or swapped out.
struct BackedPages {
    private let bits: [UInt64]
    private let isKnown: Bool

    init(_ memory: GuestMemory) {
        var bits = [UInt64](repeating: 0, count: memory.poolPageCount / 64 + 1)
        isKnown = Self.read(memory, &bits)
        self.bits = bits
    }

    /// True where nothing is known.
    func contains(_ frame: FrameIndex) -> Bool { !isKnown || bits[Int(frame.rawValue) / 64] >> UInt64(frame.rawValue % 64) & 1 != 0 }

    /// Bits 63 (present) and 62 (swapped) of each entry of `/proc/self/pagemap`, which any process may read of itself.
    private static func read(_ memory: GuestMemory, _ bits: inout [UInt64]) -> Bool {
        let number = unsafe open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return false }
        defer { close(number) }
        var entries = [UInt64](repeating: 0, count: 1 << 14)
        let start = unsafe Int(bitPattern: memory.unsafePoolBase) / GuestMemory.pageSize
        var page = 0
        while page < memory.poolPageCount {
            let wanted = min(entries.count, memory.poolPageCount - page)
            let count = unsafe pread(number, &entries, wanted * 8, (start + page) * 8)
            guard count >= 8 else { return false }
            for index in 0..<count / 8 where entries[index] >> 62 != 0 { bits[(page + index) / 64] |= 1 << UInt64((page + index) % 64) }
            page += count / 8
        }
        return true
    }
}
