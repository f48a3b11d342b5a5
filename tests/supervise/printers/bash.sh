# Prints each value as shells and the tools beside them do. The values' names are the arguments.
set -f
export LC_ALL=${LOCALE:-C.UTF-8}
is() { printf '\n=-=-=%s%s %s=-=-=\n' "$1" "$IN" "$name"; }
for name; do
    v=${!name}
    is 'bash: set -x'; (set -x; : "$v") 2>&1
    is 'bash: printf %q'; printf '%q' "$v"
    is 'bash: ${v@Q}'; printf '%s' "${v@Q}"
    is 'bash: declare -p'; declare -p v
    is 'bash: alias'; (alias "x=$v"; alias x)
    is 'bash: trap -p'; (trap -- "$v" USR1; trap -p USR1)
    [ -z "$IN" ] || continue
    is 'bash: echo'; echo "$v"
    is 'bash: echo $v, without quotes'; echo $v
    is 'bash: <<<'; cat <<<"$v"
    is 'dash: export -p'; env -i V="$v" dash -c 'export -p'
    is 'dash: set -x'; dash -xc ': "$1"' dash "$v" 2>&1
    is 'coreutils: no such file'; cat -- "$v" 2>&1
    is 'coreutils: no such file, in C'; LC_ALL=C cat -- "$v" 2>&1
    is 'coreutils: printf %q'; env printf %q "$v"
    is 'git: GIT_TRACE'; GIT_TRACE=1 git rev-parse --sq-quote "$v" 2>&1
    is 'coreutils: base64'; printf %s "$v" | base64
    is 'coreutils: echo | base64'; echo "$v" | base64
    is 'coreutils: base64 -w0'; printf '12%s' "$v" | base64 -w0
    is 'coreutils: base32'; printf %s "$v" | base32 -w0
    is 'coreutils: od'; printf %s "$v" | od -An -c
    is 'coreutils: cat -A'; printf %s "$v" | cat -A
    is 'sed: l'; printf %s "$v" | sed -n 'l 0'
    is 'openssl: base64'; printf %s "$v" | openssl base64
    is 'awk: print'; V="$v" awk 'BEGIN { print ENVIRON["V"] }'
    is 'env'; env -i V="$v" env
    is 'printenv'; env -i V="$v" printenv V
done
exit 0
