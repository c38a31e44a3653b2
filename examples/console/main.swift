import Glibc
import Martlet

// Creates a guest, types a command into its console and prints the answer:
//
//     example-console guests/vmlinuz guests/initramfs.gz 'uname -r'

/// Everything but the guest's prompt is the answer; the terminal's echo of the command comes first.
func answer(to command: String, on console: inout ConsoleConnection) throws(OperatorError) -> String {
    let prompt = "/ # "
    _ = try console.read(until: prompt, timeoutMilliseconds: 300_000)
    try console.write(command + "\n")
    let text = try console.read(until: prompt, timeoutMilliseconds: 60_000)
    let lines = text.split(whereSeparator: \.isNewline)
    return lines.dropFirst().dropLast().joined(separator: "\n")
}

func run(kernel: String, ramdisk: String, command: String) throws(OperatorError) -> String {
    let configuration = """
        name = "example-\(getpid())"
        type = "pvh"
        kernel = \(ConfigText.quote(kernel))
        ramdisk = \(ConfigText.quote(ramdisk))
        extra = "console=hvc0 quiet"
        memory = 256
        """
    let file = ConfigurationFile(content: Array(configuration.utf8), source: "example")
    let environment = Environment.current
    let registry = try GuestRegistry(directory: environment.runtimeDirectory)
    let creation = GuestCreation(registry: registry, environment: environment)
    let guest = try creation.create(try file.accepted(), options: CreationOptions()).entry
    defer { try? guest.destroy() }
    var console = try ConsoleConnection(guest)
    try guest.unpause()
    return try answer(to: command, on: &console)
}

guard CommandLine.arguments.count == 4 else {
    print("usage: example-console KERNEL RAMDISK COMMAND")
    exit(2)
}
do throws(OperatorError) {
    print(try run(kernel: CommandLine.arguments[1], ramdisk: CommandLine.arguments[2], command: CommandLine.arguments[3]))
} catch {
    print(error.cause + "\n  " + error.remedy)
    exit(error.code.rawValue)
}
