import TestSupport
import Testing

/// What differs on a terminal.
@Suite("On a terminal", .enabled(if: hasProgram("script"), "script, of util-linux, is not installed")) struct TerminalTests {
    let directory = TemporaryDirectory()

    /// Runs `martlet` on a terminal of its own and returns all that it wrote.
    private func onTerminal(_ arguments: String, _ variables: String = "") -> String {
        shell(
            "\(settings) TERM=xterm NO_COLOR= \(variables) script -qec '\(BuiltProduct.path("martlet")) \(arguments)' /dev/null </dev/null"
        ).output
    }

    private var settings: String {
        "MARTLET_RUNTIME_DIR=\(directory.path)/run MARTLET_LOG_DIR=\(directory.path)/log MARTLET_GUEST=\(BuiltProduct.path("fake-guest"))"
    }

    @Test("errors are red, remedies faint") func colours() {
        let text = onTerminal("pause none")
        #expect(text.contains("\u{1b}[1;31m") && text.contains("\u{1b}[2m"))
    }

    @Test("NO_COLOR, a dumb terminal and a pipe are left plain") func plain() {
        #expect(!onTerminal("pause none", "NO_COLOR=1").contains("\u{1b}"))
        #expect(!onTerminal("pause none", "TERM=dumb").contains("\u{1b}"))
        #expect(!shell("\(settings) TERM=xterm \(BuiltProduct.path("martlet")) pause none").output.contains("\u{1b}"))
    }

    @Test("work that takes long shows that it goes on, and takes the sign away") func progress() {
        directory.write("kernel", "not looked at by the stand-in")
        let config = directory.write("slow.cfg", "type='pvh'\nname='slow'\nkernel='\(directory.path)/kernel'\nmemory=64\nextra='stuck'\n")
        let martlet = BuiltProduct.path("martlet")
        let text = shell("\(settings) TERM=xterm script -qec 'timeout -s KILL 2 \(martlet) create \(config)' /dev/null </dev/null").output
        #expect(text.contains("Building the guest (0 s)\u{1b}[K") && text.contains("Building the guest (1 s)"))
        #expect(shell("\(settings) \(martlet) destroy slow").status == 0)
        let quick = onTerminal(
            "create \(directory.write("quick.cfg", "type='pvh'\nname='q'\nkernel='\(directory.path)/kernel'\nmemory=64\n"))")
        #expect(!quick.contains("Building"))
        #expect(shell("\(settings) \(martlet) destroy q").status == 0)
        let piped = shell("\(settings) TERM=xterm timeout -s KILL 2 \(martlet) create \(config)")
        #expect(!piped.output.contains("Building"))
        #expect(shell("\(settings) \(martlet) destroy slow").status == 0)
    }
}
