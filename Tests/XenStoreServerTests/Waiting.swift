import Glibc

func breathe() { usleep(500) }

/// Waits until `condition` holds; false after many seconds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<20_000 {
        if try condition() { return true }
        breathe()
    }
    return false
}

/// A directory of its own for one test; goes with its files.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/martlet-test-XXXXXX".utf8CString)
        path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)!) }
    }

    deinit {
        for name in ["x.sock"] { unsafe unlink(path + "/" + name) }
        unsafe rmdir(path)
    }
}

func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

/// Runs a shell command and returns what it printed, stderr included, and its exit code.
func shell(_ command: String) -> (output: String, status: Int32) {
    guard let pipe = unsafe popen("( \(command) ) 2>&1", "r") else { return ("popen failed", -1) }
    var bytes: [UInt8] = []
    while case let byte = unsafe getc(pipe), byte != EOF { bytes.append(UInt8(byte)) }
    let status = unsafe pclose(pipe)
    return (String(decoding: bytes, as: UTF8.self), status >> 8)
}
