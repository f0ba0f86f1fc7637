#!/bin/sh
# Starts the nats-server with its passwords and the bound for its streams. The passwords are files, and permissions.conf takes
# them from the environment; from this environment, which `docker inspect` does not show.
set -eu

scripts=$(dirname "$0")
data=${NEWSWIRE_NATS_DATA:-/data}
health=${NEWSWIRE_NATS_HEALTH:-http://127.0.0.1:8222/healthz}

# Each user has a password, and permissions.conf says where it reads that.
users=$(sed -n 's/.*\$NEWSWIRE_NATS_\([A-Z_]*\)_PASSWORD.*/\1/p' "$scripts/permissions.conf" | sort -u | tr '[:upper:]' '[:lower:]')
for user in $users; do
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
bytes=$(/bin/sh "$scripts/max-store.sh" "$data/jetstream" "${NEWSWIRE_NATS_MAX_STORE:-4GB}")
export NEWSWIRE_NATS_MAX_STORE_BYTES="$bytes"
# The server takes the place of this shell, so its process has this number.
/bin/sh "$scripts/watch.sh" $$ "$data" "$health" &
exec nats-server "$@"
