import TestSupport
import Testing

/// Directories of one test in which guests are stand-ins; its command line.
struct StandInHost {
    let directory = TemporaryDirectory()
    let martlet = BuiltProduct.path("martlet")

    init() { directory.write("kernel", "not looked at by the stand-in") }

    /// Assignments for a shell.
    var settings: String {
        "MARTLET_RUNTIME_DIR=\(directory.path)/run MARTLET_LOG_DIR=\(directory.path)/log MARTLET_GUEST=\(BuiltProduct.path("fake-guest"))"
    }

    /// Writes a configuration and returns its path.
    func configuration(_ name: String, _ lines: String = "") -> String {
        directory.write("\(name).cfg", "type='pvh'\nname='\(name)'\nkernel='\(directory.path)/kernel'\nmemory=64\n\(lines)")
    }

    func run(_ arguments: String) -> (output: String, status: Int32) { shell("\(settings) \(martlet) \(arguments)") }

    func create(_ name: String, _ lines: String = "") {
        let result = run("create -q \(configuration(name, lines))")
        #expect(result.status == 0, "\(result.output)")
    }

    func destroy(_ name: String) -> Bool { run("destroy \(name)").status == 0 }
}
