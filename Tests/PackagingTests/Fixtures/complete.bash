# Prints what bash offers for the words given, the last one being written.
#   bash complete.bash SCRIPT WORD…
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_martlet
printf '%s\n' "${COMPREPLY[@]}"
