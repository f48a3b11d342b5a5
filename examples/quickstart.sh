#!/bin/sh
# Makes an encrypted store, keeps one name in all three scopes, and launches a workload with it.
# Leaves nothing behind.
set -eu
cd "$(dirname "$0")/.."

cargo build --release --quiet
doorkey=$PWD/target/release/doorkey
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
export DOORKEY_STORE=age:secrets DOORKEY_KEY_FILE="$place/key.txt" DOORKEY_QUIET=1

echo "1. a store, and a key"
"$doorkey" store init secrets
ls -d secrets key.txt

echo
echo "2. db_password in all three scopes, two more names in one each"
echo 'of-the-team' | "$doorkey" secret set db_password --team
echo 'of-the-cluster' | "$doorkey" secret set db_password --cluster eu
echo 'of p@rt web' | "$doorkey" secret set db_password --project web
echo 'mail.example' | "$doorkey" secret set smtp_host --team
echo '{"id": "web", "retries": 3}' | "$doorkey" secret set client --cluster eu
find secrets -type f | sort

echo
echo "3. what the workload's references resolve to"
export DB_PASSWORD='secret:db_password'
export TEAM_PASSWORD='secret:team/db_password'
export DB_URL='postgres://app:${secret:db_password|urlencode}@db/app'
export SMTP_HOST='secret:smtp_host'
export CLIENT_ID='secret:client#id'
export FEATURE='secret:feature?off'
"$doorkey" check --project web --cluster eu

echo
echo "4. the workload itself: the project's value has won"
unset DOORKEY_QUIET
"$doorkey" run --project web --cluster eu -- sh -c '
    for name in DB_PASSWORD TEAM_PASSWORD DB_URL SMTP_HOST CLIENT_ID FEATURE; do
        eval "echo \"   $name=\$$name\""
    done'
