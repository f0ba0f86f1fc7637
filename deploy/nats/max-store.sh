#!/bin/sh
# Prints how many bytes all streams in the folder $1 may take: the setting $2, such as 4GB, or more when those that are there
# need more. A nats-server with less would not open them; one without a bound would take three quarters of what is free at its
# start, which on a full disk is less than its streams have set aside.
set -eu

folder=$1
setting=$2
gib=1073741824
# What the streams set aside, whatever is in them: dead letters, commands that wait, their outcomes.
set_aside=805306368

wrong() {
    echo "NEWSWIRE_NATS_MAX_STORE is \"$setting\": a size such as 500MB or 4GB was expected" >&2
    exit 1
}

case $setting in
    *KB) unit=1024 ;;
    *MB) unit=1048576 ;;
    *GB) unit=$gib ;;
    *) wrong ;;
esac
number=${setting%?B}
case $number in
    '' | 0* | *[!0-9]* | ?????????*) wrong ;;
esac
wanted=$((number * unit))

needed=0
if [ -d "$folder/jetstream" ]; then
    needed=$(($(du -sk "$folder/jetstream" | cut -f 1) * 1024 + set_aside))
fi
if [ "$needed" -gt "$wanted" ]; then
    wanted=$(((needed / gib + 2) * gib))
    echo "NEWSWIRE_NATS_MAX_STORE is $setting, and the streams that are there need more: $wanted bytes are allowed" >&2
fi
echo "$wanted"
