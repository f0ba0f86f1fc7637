#!/bin/sh
# Runs scripts/compose-test on the container engine at hand, or on one that is made for it.
set -eu

cd "$(dirname "$0")/.."
project=$PWD
scripts/python-tools.sh
export PYTHONPATH="$project/.tools/python"

if docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
    exec python3 scripts/compose-test "$@"
fi
engine=$project/scripts/container-engine.sh
"$engine" start
trap '"$engine" stop' EXIT
"$engine" exec python3 scripts/compose-test "$@"
