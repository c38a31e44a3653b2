import _Volatile

/// A guest that sleeps until the toolstack asks something of it by the xenstore: poweroff, halt and reboot by control/shutdown, and a
/// crash by control/sysrq, as `sysrq c' of Linux is one. It costs nothing: for tests of what is around guests.
@_cdecl("guest_main")
public func guestMain(_ startInfo: UInt32) {
    Console.setUp()
    XenStore.setUp()
    Xen.mapSharedInfo(at: sharedInfo.address)
    let control = Path("control")
    XenStore.watch(control, "shutdown")
    XenStore.watch(control, "sysrq")
    Console.put("I am here.")
    Console.endLine()
    while true {
        XenStore.takeEvents()
        obey(control)
        forgetEvents()
        // What came before they were forgotten is in the ring; what comes now ends the sleep.
        if !XenStore.hasEvents { Xen.sleep(on: XenStore.eventChannel) }
    }
}

/// The marks of pending events, two levels' lower one; nobody looks at the upper.
private func forgetEvents() {
    for word in 0..<32 as Range<UInt32> { sharedInfo.word(2048 + word * 4).store(0) }
}

/// Pages beyond the RAM of a small guest can be had without giving RAM up.
private let sharedInfo = Shared(address: 0x0800_0000)

private func obey(_ control: Path) {
    if XenStore.firstByte(control, "sysrq") == UInt8(ascii: "c") { Xen.shutDown(3) }
    let request = XenStore.firstByte(control, "shutdown")
    if request == 0 { return }
    XenStore.write(control, "shutdown", "")
    Console.put("I obey.")
    Console.endLine()
    if request == UInt8(ascii: "r") { Xen.shutDown(1) }
    if request == UInt8(ascii: "p") || request == UInt8(ascii: "h") { Xen.shutDown(0) }
}
