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
