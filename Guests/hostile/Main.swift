import _Volatile

/// A guest that mistreats its disk and its network interface from a real processor, and expects errors for itself and harm to nobody.
/// It prints a line for each attack, ends with SUCCESS or FAILURE, and stays.
@_cdecl("guest_main")
public func guestMain(_ startInfo: UInt32) {
    Console.setUp()
    XenStore.setUp()
    Grants.setUp()
    attackDisk()
    attackNetwork()
    if failures == 0 {
        Console.put("SUCCESS")
    } else {
        Console.put("FAILURE: ")
        Console.put(failures)
        Console.put(" of the attacks")
    }
    Console.endLine()
    stop()
}

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
