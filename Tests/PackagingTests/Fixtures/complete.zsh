# Prints what zsh offers for a command line.
#   zsh -f complete.zsh DIRECTORY 'COMMAND LINE'
# The directory holds _martlet and takes the file `offered'. A shell on a terminal of its own completes the line; compadd, through which
# all offers go, is asked for them on the way.
zmodload zsh/zpty
rm -f $1/offered
touch $1/offered
zpty inner zsh -f -i
zpty -w inner "fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u; OFFERED=$1/offered"
zpty -w inner 'compadd() { if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi; typeset -a hits; builtin compadd -A hits "$@"; print -rl -- $hits >>$OFFERED; builtin compadd "$@" }'
zpty -w inner 'done-mark() { print END >>$OFFERED }; zle -N done-mark; bindkey "^X" done-mark'
zpty -n -w inner "$2"$'\t\x18'
for i in {1..200}; do
    zpty -r -t inner >/dev/null
    grep -q END $1/offered && break
    sleep 0.05
done
grep -v -e '^END$' -e '^$' $1/offered
zpty -d inner
