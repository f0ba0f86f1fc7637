#!/bin/sh
# Unpacks Debian's nginx into .tools/nginx, unless there is one on PATH. It is unpacked and not installed: installed it would
# start a web server.
set -eu

cd "$(dirname "$0")/.."
target=.tools/nginx

if command -v nginx >/dev/null 2>&1 || "$target/usr/sbin/nginx" -v 2>/dev/null; then
    exit 0
fi
missing="nginx is missing: put one on PATH (Debian: the package nginx)"
if ! command -v apt-get >/dev/null 2>&1; then
    echo "$missing" >&2
    exit 1
fi
mkdir -p .tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "unpacking nginx into $target/"
download() { (cd "$work" && apt-get download -qq -o APT::Sandbox::User= nginx); }
# Without lists of packages, or with old ones, the package is not found.
download 2>/dev/null || { apt-get update -qq && download; }
rm -rf "$target"
for package in "$work"/*.deb; do dpkg-deb -x "$package" "$target"; done
if ! "$target/usr/sbin/nginx" -v 2>/dev/null; then
    echo "$missing; the unpacked one does not run here: $("$target/usr/sbin/nginx" -v 2>&1)" >&2
    exit 1
fi
