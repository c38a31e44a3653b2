import ControlProtocol
import TestSupport
import Testing

/// The scripts of `martlet completion`, in the shells they are for.
@Suite("Completion") struct CompletionTests {
    enum Shell: String { case bash, zsh, fish }

    /// A command line, and what is offered; `…` stands for more.
    static let offers: [(line: String, offered: [String], isAll: Bool)] = [
        ("martlet vm", ["vm-list"], true), ("martlet pause ", ["web", "wiki"], true), ("martlet pause wi", ["wiki"], true),
        ("martlet rename web ", [], true), ("martlet list web w", ["web", "wiki"], true),
        ("martlet list --lo", ["--long"], true), ("martlet create gu", ["guest.cfg"], true),
        ("martlet create --engine ", ["auto", "interpreter"], false), ("martlet trigger web n", ["nmi"], true),
        ("martlet run --ramdisk gu", ["guest.cfg"], true), ("martlet help dump", ["dump-core"], true),
        ("martlet completion f", ["fish"], true),
    ]

    let directory = TemporaryDirectory()

    init() {
        for (number, name) in ["web", "wiki"].enumerated() {
            let home = "\(directory.path)/run/\(number + 1)"
            _ = shell("mkdir -p \(home)")
            let guest = GuestDescription(
                domainID: UInt16(number + 1), name: name, uuid: "22fc9f50-42cc-414c-9063-b24e8f359fce", kernelPath: "/k", memoryKiB: 65536)
            TestFiles.write(home + "/guest.json", guest.json())
        }
        directory.write("guest.cfg", "")
    }

    private func complete(_ line: String, in shell: Shell) -> [String] {
        let script = "\(directory.path)/_martlet"
        let fixtures = TestFiles.inRepository("Tests/PackagingTests/Fixtures")
        let made = TestSupport.shell("\(BuiltProduct.path("martlet")) completion \(shell) >\(script)")
        #expect(made.status == 0, "\(made.output)")
        let command =
            switch shell {
            case .bash: "bash \(fixtures)/complete.bash \(script) \(line.hasSuffix(" ") ? line + "''" : line)"
            case .zsh: "zsh -f \(fixtures)/complete.zsh \(directory.path) '\(line)'"
            case .fish: "fish --no-config -c 'source \(script); complete -C \"\(line)\"'"
            }
        let result = TestSupport.shell("cd \(directory.path); export MARTLET_RUNTIME_DIR=\(directory.path)/run; timeout 60 \(command)")
        return result.output.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }
    }

    /// Verbs, options, guests, files, values and keys.
    private func expectOffers(in shell: Shell) {
        for (line, offered, isAll) in Self.offers {
            let words = complete(line, in: shell)
            #expect(isAll ? Set(words) == Set(offered) : Set(words).isSuperset(of: offered), "\(line): \(words)")
        }
        let keys = complete("martlet create guest.cfg maxv", in: shell)
        #expect(keys.map { $0.hasSuffix("=") ? String($0.dropLast()) : $0 } == ["maxvcpus"])
    }

    @Test("bash offers verbs, options, guests, files, values and keys") func bash() { expectOffers(in: .bash) }

    @Test(
        "zsh offers them", .enabled(if: hasProgram("zsh"), "zsh is not installed"),
        .enabled(if: PseudoTerminal.obstacle == nil, Comment(rawValue: PseudoTerminal.obstacle ?? "")))
    func zsh() { expectOffers(in: .zsh) }

    @Test("fish offers them", .enabled(if: hasProgram("fish"), "fish is not installed")) func fish() { expectOffers(in: .fish) }

    @Test("a verb that is not written out is known all the same, in bash") func abbreviation() {
        #expect(complete("martlet -v unp w", in: .bash) == ["web", "wiki"])
    }

    @Test("another shell is an error") func otherShell() {
        let result = shell("\(BuiltProduct.path("martlet")) completion tcsh")
        #expect(result.status != 0 && result.output.contains("bash, zsh, fish"))
    }
}
