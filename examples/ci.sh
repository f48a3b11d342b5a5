#!/bin/sh
# A job of any CI: the secrets of this repository's store, for one command.
#
#   sh examples/ci.sh make integration-test
#
# The CI keeps one secret, DOORKEY_KEY: a key of its own, made by `doorkey key new` and let in by
# `doorkey store recipient add`. The job's file has references only.
set -eu

export DOORKEY_STORE=age:secrets
export DB_PASSWORD=secret:db_password
export DB_URL='postgres://app:${secret:db_password|urlencode}@db/app'

# Of a branch that names what is not there yet, this says it before anything runs.
doorkey check --names

# The key does not reach the command; its output is the CI's own to show, so it must print no value.
exec doorkey run -- "$@"
