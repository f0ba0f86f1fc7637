#!/bin/sh
# Ends the nats-server whose process is $1 when it can no longer write although there is room in the folder $2 again: after one
# failed write a stream takes nothing more until the server starts anew. Whoever runs the container starts it again.
#
# Until there is room it is left running, because reads go on. One that still opens its streams is not well either, and is left
# alone: it lets nobody in before it has opened them, and no write can fail before somebody is in.
set -u

server=$1
folder=$2
health=$3
pause=1
# So often in a row it has to be sick.
sick_looks=3

clients=${health%/healthz}/varz

has_had_clients() { wget -q -O - "$clients" 2>/dev/null | grep -q '"total_connections": *[1-9]'; }

is_well() { wget -q -O - "$health" 2>/dev/null | grep -q '"status":"ok"'; }

# Only a write proves that something can be written.
is_room() {
    if dd if=/dev/zero of="$folder/room" bs=65536 count=16 2>/dev/null && sync; then room=0; else room=1; fi
    rm -f "$folder/room"
    return $room
}

was_open=false
sick=0
while kill -0 "$server" 2>/dev/null; do
    if is_well; then
        was_open=true
        sick=0
    elif $was_open || has_had_clients; then
        was_open=true
        sick=$((sick + 1))
    fi
    if [ "$sick" -ge "$sick_looks" ] && is_room; then
        echo "nats-server cannot write although there is room: it is ended, to be started again" >&2
        kill -TERM "$server"
        exit 0
    fi
    sleep $pause
done
