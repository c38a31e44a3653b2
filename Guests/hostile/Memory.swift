import _Volatile

// What the compiler calls for copies and fills. Volatile stores keep it from calling these in themselves.

@_cdecl("memset")
public func fillMemory(_ address: UInt32, _ value: Int32, _ count: UInt32) -> UInt32 {
    let memory = Shared(address: address)
    var offset: UInt32 = 0
    while offset < count {
        memory.byte(offset).store(UInt8(truncatingIfNeeded: value))
        offset += 1
    }
    return address
}

@_cdecl("memcpy")
public func copyMemory(_ target: UInt32, _ source: UInt32, _ count: UInt32) -> UInt32 {
    var offset: UInt32 = 0
    while offset < count {
        Shared(address: target).byte(offset).store(Shared(address: source).byte(offset).load())
        offset += 1
    }
    return target
}
