// Operations per second through the store's socket: one thread serves, this one asks. Each line is the median of the rounds.
import Glibc
import HostIO
import PVRing
import XenStore
import XenStoreServer

let seconds = CommandLine.arguments.dropFirst().first.flatMap { Double($0) } ?? 1
let rounds = 5

func request(_ type: MessageType, _ payload: String, in transaction: UInt32 = 0) -> [UInt8] {
    Packet(type, requestID: 1, transactionID: transaction, payload: payload.utf8.map { $0 == UInt8(ascii: "|") ? 0 : $0 }).encoded
}

func now() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Repeats `body`, which does `operations`, and prints how many a second that makes.
func measure(_ name: String, operations: Int, _ body: () -> Void) {
    var rates: [Double] = []
    for _ in 0..<rounds {
        let start = now()
        var done = 0
        repeat {
            body()
            done += operations
        } while now() - start < seconds / Double(rounds)
        rates.append(Double(done) / (now() - start))
    }
    rates.sort()
    let number = String(Int(rates[rounds / 2]))
    print(name + String(repeating: " ", count: max(1, 60 - name.count - number.count)) + number)
}

/// `depth` requests on their way at any time.
func pipeline(_ client: Client, _ depth: Int, _ requests: [UInt8]) {
    client.send(requests)
    client.receive(depth)
}

func transaction(_ client: Client, _ number: Int) {
    client.send(request(.transactionStart, "|"))
    let id = UInt32(String(decoding: client.receive(1).dropLast(), as: UTF8.self))!
    let node = "/local/domain/1/data/t\(number)"
    client.send(
        request(.write, node + "|1", in: id) + request(.read, node + "|", in: id) + request(.transactionEnd, "T|", in: id))
    client.receive(3)
}

func run(_ path: String) throws {
    let clients = try (0..<16).map { _ in try Client(path: path) }
    let read = request(.read, "/local/domain/1/name|")
    let write = request(.write, "/local/domain/1/data/value|some text of a usual length")
    let list = request(.directory, "/local/domain/1/control|")
    for (name, one) in [("read", read), ("write", write), ("directory", list)] {
        measure("\(name), one at a time", operations: 1) { pipeline(clients[0], 1, one) }
        let many = Array([[UInt8]](repeating: one, count: 64).joined())
        measure("\(name), 64 under way", operations: 64) { pipeline(clients[0], 64, many) }
        measure("\(name), 16 clients with one each", operations: 16) {
            for client in clients { client.send(one) }
            for client in clients { client.receive(1) }
        }
    }
    var number = 0
    measure("transaction of four requests (requests counted)", operations: 4) {
        number = (number + 1) % 100
        transaction(clients[0], number)
    }
    clients[1].send(request(.watch, "/local/domain/1/data|token|"))
    clients[1].receive(2)
    measure("write that another client watches", operations: 1) {
        pipeline(clients[0], 1, write)
        clients[1].receive(1)
    }
}

/// Another server, such as Xen's own daemon, with what the requests need.
func prepare(_ path: String) throws {
    let client = try Client(path: path)
    let nodes = ["name|guest", "data/value|", "control/shutdown|", "control/sysrq|", "control/feature-poweroff|"]
    for node in nodes { pipeline(client, 1, request(.write, "/local/domain/1/" + node)) }
}

func measureOurs(extraNodes: Int) throws {
    let directory = "/tmp/martlet-bench-\(getpid())"
    guard unsafe mkdir(directory, 0o700) == 0 else { throw HostError("mkdir \(directory)") }
    defer { unsafe rmdir(directory) }
    print("\(extraNodes) nodes beside those of one guest")
    var store = Store.forHost(server: "martlet")
    try DomainTree(
        domain: 1, uuid: "22fc9f50-42cc-414c-9063-b24e8f359fce", name: "guest", maximumMemory: 262144, targetMemory: 262144,
        maximumVCPUs: 4, onlineVCPUs: 4, storePort: 1, storeFrame: 1044476, consolePort: 2, consoleFrame: 1044479,
        consoleTerminal: "/dev/pts/0", startTime: "1.00"
    ).create(in: &store)
    for node in 0..<extraNodes { try store.setText("value", at: "/many/\(node / 316)/\(node % 316)") }
    let server = try XenStoreServer(
        store: store, domain: 1, ring: nil, socketPath: directory + "/store.sock", notifyGuest: EventSender {})
    try server.start()
    defer { server.stop() }
    try run(directory + "/store.sock")
}

do {
    try measureEcho()
    if let other = CommandLine.arguments.dropFirst(2).first {
        print(other)
        try prepare(other)
        try run(other)
    } else {
        for extraNodes in [0, 100_000] { try measureOurs(extraNodes: extraNodes) }
    }
} catch {
    print(error)
    exit(1)
}
