/// The completion script for fish.
enum FishCompletion {
    static func script(_ reference: CommandReference) -> String {
        let keys = CompletedValue.words(.key, reference).map { $0 + "=" }.joined(separator: " ")
        let globals = GlobalOptions.all.map {
            "complete -c martlet -n __fish_use_subcommand -s \($0.spelling.dropFirst()) -d \(quoted($0.meaning))\n"
        }.joined()
        return """
            # fish completion for martlet(1)

            # Guests by name, from their directories; no process is started.
            function __martlet_domains
                set -l directory /tmp/martlet-(id -u)
                if test -n "$MARTLET_RUNTIME_DIR"
                    set directory $MARTLET_RUNTIME_DIR
                else if test -n "$XDG_RUNTIME_DIR"
                    set directory $XDG_RUNTIME_DIR/martlet
                else if test (id -u) = 0
                    set directory /run/martlet
                end
                for file in $directory/*/guest.json
                    string replace -rf '^  "name" : "([^"\\\\\\\\]*)".*' '$1' <$file
                end
            end

            function __martlet_keys
                string split ' ' '\(keys)'
            end

            # VERB POSITION VALUED…: whether the cursor is at this word after the verb, or with POSITION+ at a later one. VALUED are the
            # options that take the word behind them.
            function __martlet_at
                set -l words (commandline -opc)
                set -e words[1]
                while string match -q -- '-*' "$words[1]"
                    set -e words[1]
                end
                test "$words[1]" = $argv[1]; or return 1
                set -e words[1]
                set -l count 0
                set -l skips no
                for word in $words
                    if test $skips = yes
                        set skips no
                    else if contains -- $word $argv[3..-1]
                        set skips yes
                    else if not string match -q -- '-*' $word
                        set count (math $count + 1)
                    end
                end
                string match -q '*+' $argv[2]; and test $count -ge (string trim -c + $argv[2]); or test $count = $argv[2]
            end

            complete -c martlet -f
            \(globals)complete -c martlet -n __fish_use_subcommand -l version -d 'Show the version.'
            complete -c martlet -n __fish_use_subcommand -a help -d 'Explain a command.'
            complete -c martlet -n '__fish_seen_subcommand_from help' -a '\(CompletedValue.words(.verb, reference).joined(separator: " "))'
            \(reference.verbs.map { rows($0, reference) }.joined())
            """
    }

    private static func rows(_ verb: CommandReference.Command, _ reference: CommandReference) -> String {
        let condition = "complete -c martlet -n '__fish_seen_subcommand_from \(verb.commandName)'"
        var text = "complete -c martlet -n __fish_use_subcommand -a \(verb.commandName) -d \(quoted(verb.abstract ?? ""))\n"
        for option in verb.options {
            let names = option.spellings.map { $0.hasPrefix("--") ? "-l \($0.dropFirst(2))" : "-s \($0.dropFirst())" }
            let value = option.takesValue ? " \(option.value == .file ? "-r" : "-x") \(offer(option.value, reference))" : ""
            text += "\(condition) \(names.joined(separator: " "))\(value) -d \(quoted(option.abstract ?? ""))\n"
        }
        let valued = verb.options.filter(\.takesValue).flatMap(\.spellings).joined(separator: " ")
        for (position, word) in verb.words.enumerated() where word.value != .nothing {
            let place = "__martlet_at \(verb.commandName) \(position)\(word.isRepeating ? "+" : "") \(valued)"
            text += "complete -c martlet -n '\(place)' \(offer(word.value, reference))\n"
        }
        return text
    }

    private static func offer(_ value: CompletedValue, _ reference: CommandReference) -> String {
        switch value {
        case .domain: "-a '(__martlet_domains)'"
        case .file: "-F"
        case .config: "-F -a '(__martlet_keys)'"
        case .key: "-a '(__martlet_keys)'"
        case .engine, .trigger, .verb, .shell: "-a '\(CompletedValue.words(value, reference).joined(separator: " "))'"
        case .nothing: ""
        }
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "\\'") + "'"
    }
}
