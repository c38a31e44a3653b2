import ControlProtocol
import Glibc
import TestSupport
import Testing

/// `martlet top` on a terminal, with guests whose processes are stand-ins.
@Suite("top on a terminal", .enabled(if: PseudoTerminal.obstacle == nil, Comment(rawValue: PseudoTerminal.obstacle ?? "")))
struct TopOnATerminalTests {
    let host = StandInHost()

    private func top(_ options: String = "-d 60", rows: Int = 24, columns: Int = 80) -> PseudoTerminal {
        PseudoTerminal("\(host.settings) TERM=xterm exec \(host.martlet) top \(options)", rows: rows, columns: columns)
    }

    @Test("one screen of guests and keys, drawn on a page of its own, which q takes away")
    func quits() {
        host.create("web")
        let terminal = top()
        #expect(terminal.shows { $0.text.contains("       web ") && $0.lines[23].hasPrefix("Quit  Delay 60 s") }, "\(terminal.screen.text)")
        #expect(terminal.screen.isAlternate && terminal.screen.hidesCursor)
        #expect(terminal.screen.lines[3].hasPrefix("      NAME  STATE   CPU(sec) CPU(%)     MEM(k)"))
        #expect(!terminal.isAsItWas, "a key is read without Enter")
        terminal.type("q")
        #expect(terminal.end() == 0)
        expectRestored(terminal)
        #expect(host.destroy("web"))
    }

    private func expectRestored(_ terminal: PseudoTerminal) {
        #expect(terminal.isAsItWas && !terminal.screen.isAlternate && !terminal.screen.hidesCursor)
    }

    static let causes: [(cause: String, code: Int32)] = [
        ("Ctrl-C", 0), ("TERM", 128 + SIGTERM), ("HUP", 128 + SIGHUP), ("INT", 128 + SIGINT), ("-i 1", 0),
    ]

    @Test("Ctrl-C, signals and the last picture leave the terminal as it was", arguments: causes)
    func ends(cause: String, code: Int32) {
        let terminal = top(cause == "-i 1" ? "-i 1 -d 0.5" : "-d 60")
        #expect(terminal.shows { $0.text.contains("Domain-0") })
        switch cause {
        case "Ctrl-C": terminal.type("\u{3}")
        case "TERM": kill(terminal.processID, SIGTERM)
        case "HUP": kill(terminal.processID, SIGHUP)
        case "INT": kill(terminal.processID, SIGINT)
        default: break
        }
        #expect(terminal.end() == code)
        expectRestored(terminal)
    }

    @Test("keys show networks, disks and vCPUs, sort, ask for a delay")
    func keys() {
        host.create("web", "vif=[ '' ]\nvcpus=2\n")
        let terminal = top()
        #expect(terminal.shows { $0.text.contains("       web ") })
        terminal.type("n")
        #expect(terminal.shows { $0.text.contains("\nNet0  RX: ") })
        terminal.type("V")
        #expect(terminal.shows { $0.text.contains("\nVCPUs(sec):   0: ") })
        terminal.type("s")
        #expect(terminal.shows { $0.lines[23].contains("Sort NAME") })
        terminal.type("D")
        #expect(terminal.shows { $0.lines[23] == "Seconds between two pictures:" })
        terminal.type("0.5\r")
        #expect(terminal.shows { $0.lines[23].contains("Delay 0.5 s") })
        terminal.type("q")
        #expect(terminal.end() == 0)
        #expect(host.destroy("web"))
    }

    @Test("a terminal that changes its size gets another picture at once")
    func resize() {
        let terminal = top()
        #expect(terminal.shows { $0.lines[23].hasPrefix("Quit") })
        #expect(!terminal.screen.text.contains("SSID"))
        terminal.resize(rows: 10, columns: 170)
        #expect(terminal.shows { $0.lines[9].hasPrefix("Quit") && $0.lines[3].hasSuffix("SSID") }, "\(terminal.screen.text)")
    }

    @Test("a guest that ends is gone from the next picture")
    func guestEnds() {
        host.create("web")
        let terminal = top("-d 0.2")
        #expect(terminal.shows { $0.text.contains("       web ") })
        #expect(host.destroy("web"))
        #expect(terminal.shows { !$0.text.contains("web") && $0.lines[1].hasPrefix("1 domains") })
        terminal.type("q")
        #expect(terminal.end() == 0)
    }

    @Test("where standard input or output is no terminal the error says what to do instead")
    func noTerminal() {
        for streams in ["</dev/null", ">/dev/null"] {
            let terminal = PseudoTerminal("\(host.settings) \(host.martlet) top \(streams); echo code-$?")
            #expect(terminal.shows { $0.text.contains("use -b for a listing") && $0.text.contains("code-1") }, "\(terminal.screen.text)")
        }
    }
}
