import _Volatile

/// The guest's end of the xenstore's ring; one request at a time.
enum XenStore {
    nonisolated(unsafe) private static var ring = Shared(address: 0)
    nonisolated(unsafe) private static var port: UInt32 = 0
    /// The last answer's content.
    nonisolated(unsafe) private static var answer = Shared(address: 0)
    nonisolated(unsafe) private static var answerLength: UInt32 = 0

    static func setUp() {
        ring = Shared(address: Xen.parameter(1) << 12)
        port = Xen.parameter(2)
        answer = Pages.take()
    }

    /// Writes a node below a directory; "N" stands for a number.
    static func write(_ directory: Path, _ name: StaticString, _ value: StaticString) {
        begin(11, length: directory.length + UInt32(name.utf8CodeUnitCount) + 2 + UInt32(value.utf8CodeUnitCount))
        send(directory, name)
        value.withUTF8Buffer { for byte in $0 { send(byte) } }
        finish()
    }

    static func write(_ directory: Path, _ name: StaticString, _ value: UInt32) {
        var divisor: UInt32 = 1
        var digits: UInt32 = 1
        while value / divisor >= 10 {
            divisor *= 10
            digits += 1
        }
        begin(11, length: directory.length + UInt32(name.utf8CodeUnitCount) + 2 + digits)
        send(directory, name)
        while divisor > 0 {
            send(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
        finish()
    }

    /// The number in a node; -1 when there is none.
    static func number(_ directory: Path, _ name: StaticString) -> Int32 {
        begin(2, length: directory.length + UInt32(name.utf8CodeUnitCount) + 2)
        send(directory, name)
        finish()
        var value: Int32 = -1
        var index: UInt32 = 0
        while index < answerLength {
            let digit = answer.byte(index).load()
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return -1 }
            value = (value < 0 ? 0 : value &* 10) &+ Int32(digit - UInt8(ascii: "0"))
            index += 1
        }
        return value
    }

    /// The path a node holds.
    static func path(_ directory: Path, _ name: StaticString) -> Path {
        begin(2, length: directory.length + UInt32(name.utf8CodeUnitCount) + 2)
        send(directory, name)
        finish()
        let copy = Pages.take()
        var index: UInt32 = 0
        while index < answerLength {
            copy.byte(index).store(answer.byte(index).load())
            index += 1
        }
        return Path(text: copy, length: answerLength)
    }

    /// Asks to be told of changes of a node, once the store gets to it. There is one watch: its token says nothing.
    static func watch(_ directory: Path, _ name: StaticString) {
        begin(4, length: directory.length + UInt32(name.utf8CodeUnitCount) + 4)
        send(directory, name)
        send(UInt8(ascii: "-"))
        send(0 as UInt8)
        finish()
    }

    /// The first byte of what a node holds; 0 when it is empty or not there.
    static func firstByte(_ directory: Path, _ name: StaticString) -> UInt8 {
        begin(2, length: directory.length + UInt32(name.utf8CodeUnitCount) + 2)
        send(directory, name)
        finish()
        return answerLength > 0 ? answer.byte(0).load() : 0
    }

    /// The event channel on which the store says that something has come.
    static var eventChannel: UInt32 { port }

    /// Takes what has come by itself, which is events of watches.
    static func takeEvents() {
        while hasEvents { _ = receivePacket() }
    }

    static var hasEvents: Bool { ring.word(2060).load() != ring.word(2056).load() }

    private static func begin(_ type: UInt32, length: UInt32) {
        send(word: type)
        send(word: 0)
        send(word: 0)
        send(word: length)
    }

    /// Path and the zero byte behind it.
    private static func send(_ directory: Path, _ name: StaticString) {
        var index: UInt32 = 0
        while index < directory.length {
            send(directory.text.byte(index).load())
            index += 1
        }
        send(UInt8(ascii: "/"))
        name.withUTF8Buffer { for byte in $0 { send(byte) } }
        send(0 as UInt8)
    }

    private static func send(word: UInt32) {
        var rest = word
        for _ in 0..<4 {
            send(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    private static func send(_ byte: UInt8) {
        let producer = ring.word(2052).load()
        if producer &- ring.word(2048).load() >= 1024 {
            Xen.notify(port)
            if !Xen.wait(until: { producer &- ring.word(2048).load() < 1024 }) { fail("the xenstore takes no request") }
        }
        ring.byte(producer & 1023).store(byte)
        ring.word(2052).store(producer &+ 1)
    }

    /// Waits for the answer, which the event of a watch is not. An error counts as an answer without content.
    private static func finish() {
        Xen.notify(port)
        while receivePacket() == 15 {}
    }

    private static func receivePacket() -> UInt32 {
        let type = receiveWord()
        _ = receiveWord()
        _ = receiveWord()
        let length = receiveWord()
        answerLength = 0
        var index: UInt32 = 0
        while index < length {
            answer.byte(index & 4095).store(receive())
            index += 1
        }
        if type != 16 { answerLength = length }
        Xen.notify(port)
        return type
    }

    private static func receiveWord() -> UInt32 {
        var word: UInt32 = 0
        for place in 0..<4 as Range<UInt32> { word |= UInt32(receive()) << (place * 8) }
        return word
    }

    private static func receive() -> UInt8 {
        let consumer = ring.word(2056).load()
        if !Xen.wait(until: { ring.word(2060).load() != consumer }) { fail("the xenstore does not answer") }
        let byte = ring.byte(1024 + consumer & 1023).load()
        ring.word(2056).store(consumer &+ 1)
        return byte
    }
}

/// A directory of the xenstore.
struct Path {
    var text: Shared
    var length: UInt32

    init(text: Shared, length: UInt32) {
        self.text = text
        self.length = length
    }

    init(_ name: StaticString) {
        text = Pages.take()
        length = UInt32(name.utf8CodeUnitCount)
        var index: UInt32 = 0
        name.withUTF8Buffer {
            for byte in $0 {
                text.byte(index).store(byte)
                index += 1
            }
        }
    }
}
