import _Volatile

/// Output to the console's ring.
enum Console {
    nonisolated(unsafe) private static var ring = Shared(address: 0)
    nonisolated(unsafe) private static var port: UInt32 = 0

    static func setUp() {
        ring = Shared(address: Xen.parameter(17) << 12)
        port = Xen.parameter(18)
    }

    static func put(_ byte: UInt8) {
        let producer = ring.word(3084).load()
        _ = Xen.wait { producer &- ring.word(3080).load() < 2048 }
        ring.byte(1024 + producer & 2047).store(byte)
        ring.word(3084).store(producer &+ 1)
    }

    static func put(_ text: StaticString) { text.withUTF8Buffer { for byte in $0 { put(byte) } } }

    static func put(_ number: Int32) {
        if number < 0 { put(UInt8(ascii: "-")) }
        var rest = number.magnitude
        var divisor: UInt32 = 1
        while rest / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / divisor))
            rest %= divisor
            divisor /= 10
        }
    }

    static func endLine() {
        put(UInt8(ascii: "\n"))
        Xen.notify(port)
    }
}

/// Says whether something is as it should be; the guest goes on in any case.
func check(_ name: StaticString, _ value: Int32, _ expected: Int32) {
    Console.put(name)
    if value == expected {
        Console.put(": ok")
    } else {
        failures += 1
        Console.put(": FAILED, ")
        Console.put(value)
        Console.put(" instead of ")
        Console.put(expected)
    }
    Console.endLine()
}

func check(_ name: StaticString, _ isTrue: Bool) { check(name, isTrue ? 1 : 0, 1) }

nonisolated(unsafe) var failures: Int32 = 0

/// Without this nothing else can be tried.
func fail(_ reason: StaticString) -> Never {
    Console.put("FAILURE: ")
    Console.put(reason)
    Console.endLine()
    stop()
}

/// Stays where it is, so that the host can look at a guest that lives.
func stop() -> Never {
    while true { Xen.yield() }
}
