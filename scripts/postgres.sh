#!/bin/sh
# Installs the PostgreSQL server that the tests start, from the system's packages, unless there is one.
set -eu

found() {
    command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1 && return 0
    for dir in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin; do
        [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && return 0
    done
    return 1
}

if found; then
    exit 0
fi
missing="PostgreSQL is missing: install its server (Debian: the package postgresql), or put initdb and postgres on PATH"
if ! command -v apt-get >/dev/null 2>&1; then
    echo "$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    root="sudo -n"
else
    echo "$missing; this script may only as root" >&2
    exit 1
fi
echo "installing PostgreSQL from the system's packages"
install() {
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}
$root apt-get update -qq
# Each test has a server of its own: the package need not start one for the system.
install postgresql-common
config=/etc/postgresql-common/createcluster.conf
if [ -f "$config" ]; then
    $root sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' "$config"
fi
install postgresql
if ! found; then
    echo "$missing" >&2
    exit 1
fi
