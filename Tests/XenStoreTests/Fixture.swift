import Glibc

/// The text of a file below `Fixtures`.
func fixture(_ name: String, from source: String = #filePath) throws -> String {
    let path = source.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/Fixtures/" + name
    guard let file = unsafe fopen(path, "r") else { throw MissingFixture(path: path) }
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = unsafe getc(file), byte != EOF { bytes.append(UInt8(byte)) }
    return String(decoding: bytes, as: UTF8.self)
}

struct MissingFixture: Error { var path: String }
