# Completions of doorkey for bash. The program itself completes: doorkey completions bash -- WORDS
_doorkey() {
    local IFS=$'\n'
    COMPREPLY=($("${COMP_WORDS[0]}" completions bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    # A word that ends with = goes on with its value.
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
}
complete -o bashdefault -o default -F _doorkey doorkey
