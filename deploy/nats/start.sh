#!/bin/sh
# Gives the nats-server its passwords. They are files, and permissions.conf takes them from the environment; from this
# environment, which `docker inspect` does not show.
set -eu

for user in admin gateway article projection notification push; do
    file=${NEWSWIRE_SECRETS:-/run/secrets}/nats_$user
    password=$(cat "$file")
    if [ -z "$password" ]; then
        echo "the password of the NATS user $user is empty: $file" >&2
        exit 1
    fi
    name=NEWSWIRE_NATS_$(echo "$user" | tr '[:lower:]' '[:upper:]')_PASSWORD
    # In quotes, or the server takes a password of digits for a number.
    export "$name=\"$password\""
done
exec nats-server "$@"
