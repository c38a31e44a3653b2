/// Copies by guest-physical address. Each byte is read or written once; an access may cross pages.
extension GuestMemory {
    /// Copies `buffer.count` bytes out of guest memory.
    ///
    /// - Throws: ``GuestMemoryError/notPopulated(_:)``; a part of `buffer` may be written then.
    public func read(_ address: GuestPhysicalAddress, into buffer: UnsafeMutableRawBufferPointer) throws(GuestMemoryError) {
        var done = 0
        while done < buffer.count {
            let at = address + UInt64(done)
            guard let (frame, _) = lookup(at.frame) else { throw .notPopulated(at) }
            let count = min(buffer.count - done, Self.pageSize - at.pageOffset)
            unsafe (buffer.baseAddress! + done).copyMemory(from: unsafePointer(frame) + at.pageOffset, byteCount: count)
            done += count
        }
    }

    /// Copies bytes into guest memory, and tells the engines where they had decoded it.
    ///
    /// - Throws: ``GuestMemoryError/notPopulated(_:)``, ``GuestMemoryError/readOnly(_:)``; a part may be written then.
    public func write(_ address: GuestPhysicalAddress, from buffer: UnsafeRawBufferPointer) throws(GuestMemoryError) {
        var done = 0
        while done < buffer.count {
            let at = address + UInt64(done)
            guard let (frame, isWritable) = lookup(at.frame) else { throw .notPopulated(at) }
            guard isWritable else { throw .readOnly(at) }
            let count = min(buffer.count - done, Self.pageSize - at.pageOffset)
            unsafe (unsafePointer(frame) + at.pageOffset).copyMemory(from: buffer.baseAddress! + done, byteCount: count)
            noteWrite(frame, offset: at.pageOffset, byteCount: count)
            done += count
        }
    }

    public func write(_ address: GuestPhysicalAddress, bytes: some Sequence<UInt8>) throws(GuestMemoryError) {
        let array = Array(bytes)
        var failure: GuestMemoryError?
        unsafe array.withUnsafeBytes { buffer in
            do throws(GuestMemoryError) { unsafe try write(address, from: buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    public func bytes(_ address: GuestPhysicalAddress, count: Int) throws(GuestMemoryError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        var failure: GuestMemoryError?
        unsafe result.withUnsafeMutableBytes { buffer in
            do throws(GuestMemoryError) { unsafe try read(address, into: buffer) } catch { failure = error }
        }
        if let failure { throw failure }
        return result
    }

    /// Loads one little-endian integer.
    public func load<T: FixedWidthInteger & BitwiseCopyable>(_ address: GuestPhysicalAddress, as: T.Type) throws(GuestMemoryError) -> T {
        var value: T = 0
        var failure: GuestMemoryError?
        unsafe withUnsafeMutableBytes(of: &value) { buffer in
            do throws(GuestMemoryError) { unsafe try read(address, into: buffer) } catch { failure = error }
        }
        if let failure { throw failure }
        return T(littleEndian: value)
    }

    /// Stores one little-endian integer.
    public func store<T: FixedWidthInteger & BitwiseCopyable>(_ address: GuestPhysicalAddress, _ value: T) throws(GuestMemoryError) {
        var failure: GuestMemoryError?
        unsafe withUnsafeBytes(of: value.littleEndian) { buffer in
            do throws(GuestMemoryError) { unsafe try write(address, from: buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
