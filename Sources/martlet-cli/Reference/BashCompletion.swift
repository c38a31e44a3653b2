/// The completion script for bash.
enum BashCompletion {
    static func script(_ reference: CommandReference) -> String {
        let table = reference.verbs.map(row).joined()
        let verbs = CompletedValue.words(.verb, reference).joined(separator: " ")
        return """
            # bash completion for martlet(1)

            # Guests by name, from their directories; no process is started.
            _martlet_domains() {
                local directory=${MARTLET_RUNTIME_DIR:-} file line
                if [[ -z $directory ]]; then
                    if [[ -n ${XDG_RUNTIME_DIR:-} ]]; then directory=$XDG_RUNTIME_DIR/martlet
                    elif [[ $EUID == 0 ]]; then directory=/run/martlet
                    else directory=/tmp/martlet-$EUID; fi
                fi
                for file in "$directory"/*/guest.json; do
                    [[ -r $file ]] || continue
                    while IFS= read -r line; do
                        [[ $line =~ ^\\ \\ \\"name\\"\\ :\\ \\"([^\\"\\\\]*)\\" ]] || continue
                        [[ ${BASH_REMATCH[1]} != "$1"* ]] || COMPREPLY+=("${BASH_REMATCH[1]}")
                    done <"$file"
                done
            }

            _martlet_choose() { # WORDS CURRENT
                local word
                for word in $1; do [[ $word != "$2"* ]] || COMPREPLY+=("$word"); done
            }

            _martlet_files() {
                local file
                while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$1")
                compopt -o filenames 2>/dev/null
            }

            _martlet_keys() {
                _martlet_choose '\(CompletedValue.words(.key, reference).map { $0 + "=" }.joined(separator: " "))' "$1"
                compopt -o nospace 2>/dev/null
            }

            _martlet_value() { # KIND CURRENT WORDS-BEFORE
                case $1 in
                domain) _martlet_domains "$2" ;;
                file) _martlet_files "$2" ;;
                config)
                    [[ $3 != 0 ]] || _martlet_files "$2"
                    [[ ${#COMPREPLY[@]} != 0 ]] || _martlet_keys "$2"
                    ;;
                engine) _martlet_choose '\(CompletedValue.words(.engine, reference).joined(separator: " "))' "$2" ;;
                trigger) _martlet_choose '\(CompletedValue.words(.trigger, reference).joined(separator: " "))' "$2" ;;
                verb) _martlet_choose "$_martlet_verbs" "$2" ;;
                shell) _martlet_choose 'bash zsh fish' "$2" ;;
                esac
            }

            _martlet_verbs='\(verbs) help'

            # Sets options, valued (option:kind) and words (kinds; the last is repeated when * follows it).
            _martlet_verb() {
                case $1 in
            \(table)    help) words='verb' ;;
                esac
            }

            _martlet() {
                local current=${COMP_WORDS[COMP_CWORD]} verb='' options='' valued='' words='' pending='' kind='' word i count=0
                local -a kinds=()
                COMPREPLY=()
                for ((i = 1; i < COMP_CWORD; i++)); do
                    [[ ${COMP_WORDS[i]} == -* ]] || { verb=${COMP_WORDS[i]}; break; }
                done
                if [[ -z $verb ]]; then
                    if [[ $current == -* ]]; then
                        _martlet_choose '\(GlobalOptions.all.map(\.spelling).joined(separator: " ")) --help --version' "$current"
                    else
                        _martlet_choose "$_martlet_verbs" "$current"
                    fi
                    return
                fi
                for word in $_martlet_verbs; do
                    [[ $word != "$verb"* ]] || kinds+=("$word")
                    [[ $word != "$verb" ]] || { kinds=("$word"); break; }
                done
                [[ ${#kinds[@]} == 1 ]] || return
                _martlet_verb "${kinds[0]}"
                for ((i++; i < COMP_CWORD; i++)); do
                    word=${COMP_WORDS[i]}
                    if [[ -n $pending ]]; then
                        [[ $word == = ]] || pending=''
                    elif [[ $word == -* ]]; then
                        for kind in $valued; do [[ ${kind%%:*} != "$word" ]] || pending=${kind#*:}; done
                    elif [[ $word == = ]]; then
                        ((++i < COMP_CWORD)) || return
                    else
                        ((++count))
                    fi
                done
                # bash takes the sign of --option=value and key=value for a word of its own.
                [[ $current != = ]] || current=''
                if [[ -n $pending ]]; then
                    _martlet_value "$pending" "$current" 1
                elif [[ $current == -* ]]; then
                    _martlet_choose "$options --help" "$current"
                else
                    read -ra kinds <<<"$words"
                    if ((count < ${#kinds[@]})); then kind=${kinds[count]}; else kind=${kinds[-1]:-}; [[ $kind == *'*' ]] || kind=''; fi
                    _martlet_value "${kind%'*'}" "$current" "$count"
                fi
            }

            complete -F _martlet martlet xl

            """
    }

    private static func row(_ verb: CommandReference.Command) -> String {
        let options = verb.options.flatMap(\.spellings).joined(separator: " ")
        let valued = verb.options.filter(\.takesValue).flatMap { option in option.spellings.map { "\($0):\(option.value.rawValue)" } }
            .joined(separator: " ")
        let words = verb.words.map { $0.value.rawValue + ($0.isRepeating ? "*" : "") }.joined(separator: " ")
        return "    \(verb.commandName)) options='\(options)' valued='\(valued)' words='\(words)' ;;\n"
    }
}
