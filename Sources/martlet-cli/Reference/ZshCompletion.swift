/// The completion script for zsh.
enum ZshCompletion {
    static func script(_ reference: CommandReference) -> String {
        let verbs = reference.verbs.map { "        \(quoted(colonsEscaped($0.commandName) + ":" + ($0.abstract ?? "")))\n" }.joined()
        let globals = GlobalOptions.all.map { quoted("\($0.spelling)[\(bracketsEscaped($0.meaning))]") }.joined(separator: " ")
        return """
            #compdef martlet
            # zsh completion for martlet(1)

            # Guests by name, from their directories; no process is started.
            _martlet_domain() {
                local directory=${MARTLET_RUNTIME_DIR:-} file text
                local -a names match mbegin mend
                if [[ -z $directory ]]; then
                    if [[ -n ${XDG_RUNTIME_DIR:-} ]]; then directory=$XDG_RUNTIME_DIR/martlet
                    elif (( EUID == 0 )); then directory=/run/martlet
                    else directory=/tmp/martlet-$EUID; fi
                fi
                for file in $directory/*/guest.json(N); do
                    text=$(<$file)
                    [[ $text =~ $'\\n  "name" : "([^"\\\\\\\\]*)"' ]] && names+=$match[1]
                done
                compadd -a names
            }

            _martlet_file() { _files }
            _martlet_key() { compadd -S '=' -- \(CompletedValue.words(.key, reference).joined(separator: " ")) }
            _martlet_config() { _alternative 'files:file:_files' 'keys:key:_martlet_key' }
            _martlet_engine() { compadd -- \(CompletedValue.words(.engine, reference).joined(separator: " ")) }
            _martlet_trigger() { compadd -- \(CompletedValue.words(.trigger, reference).joined(separator: " ")) }
            _martlet_shell() { compadd -- bash zsh fish }
            _martlet_nothing() { _message value }
            _martlet_verb() {
                local -a verbs=(
            \(verbs)        'help:Explain a command.'
                )
                _describe command verbs
            }

            _martlet() {
                local context state state_descr line
                typeset -A opt_args
                _arguments -C \(globals) '--version[Show the version.]' '1:command:_martlet_verb' '*::argument:->words'
                [[ $state == words ]] || return
                case $words[1] in
            \(reference.verbs.map(row).joined())    help) _arguments '1:command:_martlet_verb' ;;
                esac
            }

            if [[ $funcstack[1] == _martlet ]]; then _martlet "$@"; else compdef _martlet martlet; fi

            """
    }

    private static func row(_ verb: CommandReference.Command) -> String {
        let options = verb.options.map { option -> String in
            let value = option.takesValue ? ":\(colonsEscaped(option.valueName ?? "value")):_martlet_\(option.value.rawValue)" : ""
            let text = "[\(bracketsEscaped(option.abstract ?? ""))]\(value)"
            // Each spelling on its own, and none of them after one of them.
            let exclusion = option.isRepeating ? "*" : option.spellings.count > 1 ? "(\(option.spellings.joined(separator: " ")))" : ""
            return option.spellings.map { quoted(exclusion + $0 + text) }.joined(separator: " ")
        }
        let words = verb.words.map { word in
            quoted(
                "\(word.isRepeating ? "*" : "")\(word.isOptional && !word.isRepeating ? ":" : "")"
                    + ":\(colonsEscaped(word.valueName ?? "")):_martlet_\(word.value.rawValue)")
        }
        return "    \(verb.commandName)) _arguments -s \((options + words).joined(separator: " ")) ;;\n"
    }

    private static func quoted(_ text: String) -> String { "'" + escaped(text, "'", with: "'\\''") + "'" }
    private static func bracketsEscaped(_ text: String) -> String { escaped(escaped(text, "[", with: "\\["), "]", with: "\\]") }
    private static func colonsEscaped(_ text: String) -> String { escaped(text, ":", with: "\\:") }

    private static func escaped(_ text: String, _ character: Character, with replacement: String) -> String {
        text.split(separator: character, omittingEmptySubsequences: false).joined(separator: replacement)
    }
}
