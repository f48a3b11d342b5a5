# Completions of doorkey for fish. The program itself completes: doorkey completions fish -- WORDS
function __doorkey_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] completions fish -- $words[2..] 2>/dev/null
end
complete -c doorkey -n 'test -n "$(__doorkey_complete)"' -f -a '(__doorkey_complete)'
