#!/bin/sh
# Makes the secrets of a docker compose installation, each a file, in ./secrets or the folder that NEWSWIRE_SECRETS or the
# first argument names. What is there stays as it is. A .env of an older release gives the values that it has.
set -eu
umask 077

cd "$(dirname "$0")/.."
folder=${1:-${NEWSWIRE_SECRETS:-./secrets}}
mkdir -p "$folder"
# Containers run as other users than the files' owner, so the files are readable, and the folder keeps others out.
chmod 0700 "$folder"

# The value of the variable $1 in .env.
old() { [ ! -f .env ] || sed -n "s/^$1=//p" .env | tail -n 1 | sed "s/^\(['\"]\)\(.*\)\1\$/\2/"; }

# $1 is the file, $2 the variable of older releases, $3 the value without either.
secret() {
    if [ -e "$folder/$1" ]; then
        return
    fi
    value=$(old "$2")
    printf '%s' "${value:-$3}" >"$folder/$1.new"
    chmod 0444 "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
    echo "made $folder/$1${value:+ from .env}"
}

random() { od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n'; }

secret auth_key NEWSWIRE_AUTH_KEY "$(random)"
secret fingerprint_key NEWSWIRE_FINGERPRINT_KEY "$(random)"
# Each user of NATS has a password.
users=$(sed -n 's/.*\$NEWSWIRE_NATS_\([A-Z_]*\)_PASSWORD.*/\1/p' deploy/nats/permissions.conf | sort -u | tr '[:upper:]' '[:lower:]')
for user in $users; do
    secret "nats_$user" "NEWSWIRE_NATS_$(echo "$user" | tr '[:lower:]' '[:upper:]')_PASSWORD" "$(random)"
done
# Empty: mail and read model are files, in the volumes `notification` and `projection`.
# Otherwise smtp://host:port or smtps://user:password@host:port, and postgres://user:password@host:port/db.
secret smtp_url NEWSWIRE_SMTP_URL ""
secret projection_database NEWSWIRE_PROJECTION_DATABASE ""
