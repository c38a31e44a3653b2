import Glibc
import TestSupport
import Testing

/// What differs on a terminal.
@Suite("On a terminal", .enabled(if: PseudoTerminal.obstacle == nil, Comment(rawValue: PseudoTerminal.obstacle ?? "")))
struct TerminalTests {
    let host = StandInHost()

    /// Runs `martlet` on a terminal of its own and returns all that it wrote.
    private func onTerminal(_ arguments: String, _ variables: String = "TERM=xterm NO_COLOR=") -> String {
        let terminal = PseudoTerminal("\(host.settings) \(variables) exec \(host.martlet) \(arguments)", columns: 300)
        #expect(terminal.end() != nil)
        return terminal.text
    }

    @Test("errors are red, remedies faint") func colours() {
        let text = onTerminal("pause none")
        #expect(text.contains("\u{1b}[1;31m") && text.contains("\u{1b}[2m"))
    }

    @Test("NO_COLOR, a dumb terminal and a pipe are left plain") func plain() {
        for variables in ["TERM=xterm NO_COLOR=1", "TERM=dumb NO_COLOR=", "TERM= NO_COLOR="] {
            #expect(!onTerminal("pause none", variables).contains("\u{1b}"), "\(variables)")
        }
        #expect(!shell("\(host.settings) TERM=xterm \(host.martlet) pause none").output.contains("\u{1b}"))
    }

    @Test("work that takes long shows that it goes on, and takes the sign away") func progress() {
        let slow = host.configuration("slow", "extra='stuck'\n")
        let terminal = PseudoTerminal("\(host.settings) TERM=xterm exec \(host.martlet) create \(slow)")
        #expect(terminal.shows { $0.text.contains("Building the guest (0 s)") })
        #expect(terminal.shows { $0.text.contains("Building the guest (1 s)") })
        kill(terminal.processID, SIGKILL)
        #expect(terminal.end() == 128 + SIGKILL)
        #expect(host.destroy("slow"))
        #expect(!onTerminal("create \(host.configuration("quick"))").contains("Building"))
        #expect(host.destroy("quick"))
        let piped = shell("\(host.settings) TERM=xterm timeout -s KILL 2 \(host.martlet) create \(slow)")
        #expect(!piped.output.contains("Building"))
        #expect(host.destroy("slow"))
    }

    @Test("a sign that was shown is gone when the work is done") func signIsTakenAway() {
        host.create("late", "extra='busy'\n")
        let terminal = PseudoTerminal("\(host.settings) TERM=xterm exec \(host.martlet) shutdown -w late")
        #expect(terminal.shows { $0.text.contains("(0 s)") }, "\(terminal.screen.text)")
        #expect(host.destroy("late"))
        #expect(terminal.end() != nil)
        #expect(!terminal.screen.text.contains(" s)"), "\(terminal.screen.text)")
    }

    @Test("the console gives the terminal its own settings for as long as it is attached") func console() {
        host.create("web")
        let terminal = PseudoTerminal("\(host.settings) TERM=xterm exec \(host.martlet) console web")
        #expect(terminal.shows { _ in !terminal.isAsItWas })
        terminal.type("\u{1d}")
        #expect(terminal.end() == 0)
        #expect(terminal.isAsItWas)
        #expect(host.destroy("web"))
    }
}
