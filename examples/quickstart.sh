#!/bin/sh
# Makes an encrypted store, keeps one name in all three scopes, and launches a workload with it.
# Leaves nothing behind but what Cargo has built.
set -eu
cd "$(dirname "$0")/.."

say() {
    printf '\n# %s\n' "$*"
}

# Shows a command, then runs it.
try() {
    echo "\$ $1"
    eval "$1"
}

if ! command -v cc >/dev/null; then
    echo "there is no C compiler, which some libraries need; as root: apt-get install gcc libc6-dev" >&2
    exit 1
fi
if ! command -v cargo >/dev/null; then
    echo "there is no cargo, which builds doorkey; install Rust first" >&2
    exit 1
fi
say "Cargo builds doorkey; the first time takes minutes"
target=${CARGO_TARGET_DIR:-target}
try 'cargo build --release --locked'
PATH=$(cd "$target/release" && pwd):$PATH
export PATH

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
export DOORKEY_QUIET=1
try "export DOORKEY_STORE=age:secrets DOORKEY_KEY_FILE=key.txt"

say "A store, and a key that opens it"
try "doorkey store init secrets"

say "db_password in all three scopes, two more names in one scope each"
try "echo 'of-the-team' | doorkey secret set db_password --team"
try "echo 'of-the-cluster' | doorkey secret set db_password --cluster eu"
try "echo 'of p@rt web' | doorkey secret set db_password --project web"
try "echo 'mail.example' | doorkey secret set smtp_host --team"
try "echo '{\"id\": \"web\", \"retries\": 3}' | doorkey secret set client --cluster eu"
try "find secrets -type f | sort"

say "The references that a workload has in its environment"
try "export DB_PASSWORD='secret:db_password' TEAM_PASSWORD='secret:team/db_password'"
# shellcheck disable=SC2016
try 'export DB_URL='\''postgres://app:${secret:db_password|urlencode}@db/app'\'
try "export SMTP_HOST='secret:smtp_host' CLIENT_ID='secret:client#id' FEATURE='secret:feature?off'"
try "doorkey check --project web --cluster eu"

say "The workload: the project's value has won"
unset DOORKEY_QUIET
try "doorkey run --project web --cluster eu -- \\
    env | grep -E '^(DB_PASSWORD|TEAM_PASSWORD|DB_URL|SMTP_HOST|CLIENT_ID|FEATURE)=' | sort"
