#!/bin/sh
# Installs what the tests need from PyPI into .tools/python, without touching the system.
set -eu

cd "$(dirname "$0")/.."
target=.tools/python
if [ -f "$target/requirements.txt" ] && cmp -s scripts/requirements.txt "$target/requirements.txt"; then
    exit 0
fi
echo "installing the tests' Python tools into $target/"
rm -rf "$target"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
    --target "$target" --requirement scripts/requirements.txt
cp scripts/requirements.txt "$target/requirements.txt"
