#compdef doorkey
# Completions of doorkey for zsh. The program itself completes: doorkey completions zsh -- WORDS
_doorkey() {
    local -a candidates
    candidates=("${(@f)$(${words[1]} completions zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n $candidates ]]; then
        _describe doorkey candidates
    else
        _files
    fi
}
if [[ $funcstack[1] == _doorkey ]]; then _doorkey "$@"; else compdef _doorkey doorkey; fi
