#!/usr/bin/env bash
# Makes a Docker engine for tests on a Linux machine that has none and cannot pull images. You need this script only
# for `make compose-test` on such a machine: everywhere else, install Docker.
#
#   scripts/container-engine.sh start         install, start, make the base images, say how to use it; again does nothing
#   scripts/container-engine.sh exec COMMAND  run COMMAND in the engine's network, where published ports are
#   scripts/container-engine.sh stop          stop everything; the files stay for the next start
#
# The engine runs in namespaces of its own: the machine's network, mounts and processes are untouched. It needs root,
# Debian's packages, and the machine's own Rust toolchain for the stand-in of the `rust` image. The stand-ins carry the
# names that the Dockerfiles use, and hold Debian's packages instead of the published images' files.
set -euo pipefail

project=$(cd "$(dirname "$0")/.." && pwd)
home=${NEWSWIRE_ENGINE:-$project/.tools/engine}
root=$home/root
run=$home/run
# Read by every docker client that this script's users start.
export DOCKER_HOST=unix://$run/docker.sock

say() { echo "container-engine: $*" >&2; }

alive() { [ -s "$run/pid" ] && kill -0 "$(cat "$run/pid")" 2>/dev/null; }

install_tools() {
    local missing=()
    for tool in debootstrap slirp4netns iptables; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} = 0 ] && return
    say "installing ${missing[*]} from the system's packages"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# A Debian in $1 with the release $2 and the packages $3; made beside, so that an interrupted one is not taken for whole.
debian() {
    [ -d "$1" ] && return
    say "making $1 ($2: $3)"
    rm -rf "$1.new"
    debootstrap --variant=minbase --include="$3" "$2" "$1.new" >"$home/debootstrap.log" 2>&1 ||
        { tail -n 5 "$home/debootstrap.log" >&2; exit 1; }
    rm -rf "$1.new"/var/cache/apt/archives/*.deb "$1.new"/var/lib/apt/lists/*
    mv "$1.new" "$1"
}

engine_packages=docker.io,docker-compose,docker-buildx,docker-cli,iptables,iproute2,ca-certificates,procps

# Process 1 of the engine's namespaces: mounts, then dockerd.
boot() {
    mount --make-rprivate /
    mount --bind "$root" "$root"
    mkdir -p "$root/$project" "$root/$run" "$root/tmp" "$root/dev" "$root/.old"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/run"
    # Build contexts and bind mounts have the same paths inside.
    mount --bind /tmp "$root/tmp"
    mkdir -p "$root/$project" "$root/$run"
    mount --bind "$project" "$root/$project"
    mount --bind "$run" "$root/$run"
    mkdir -p "$home/docker" "$root/var/lib/docker"
    mount --bind "$home/docker" "$root/var/lib/docker"
    echo "nameserver 10.0.2.3" >"$root/etc/resolv.conf"
    ip link set lo up 2>/dev/null || chroot "$root" ip link set lo up
    cd "$root"
    pivot_root . .old
    umount -l /.old
    until ip -4 addr show tap0 2>/dev/null | grep -q inet; do sleep 0.1; done
    exec dockerd --host "unix://$run/docker.sock" --data-root /var/lib/docker --storage-driver overlay2 \
        --pidfile /run/dockerd.pid --exec-root /run/docker --log-level warn
}

start_daemon() {
    alive && return
    mkdir -p "$run"
    rm -f "$run/docker.sock"
    setsid unshare --mount --net --pid --uts --ipc --fork --kill-child \
        "$0" boot </dev/null >"$run/dockerd.log" 2>&1 &
    echo $! >"$run/unshare"
    local child=
    for _ in $(seq 100); do
        child=$(cat "/proc/$(cat "$run/unshare")/task/$(cat "$run/unshare")/children" 2>/dev/null || true)
        [ -n "$child" ] && break
        sleep 0.1
    done
    [ -n "$child" ] || { cat "$run/dockerd.log" >&2; exit 1; }
    echo "${child%% *}" >"$run/pid"
    # Builds need the package registries; nothing inside can reach this machine's own loopback.
    setsid slirp4netns --configure --mtu=1400 --disable-host-loopback "$(cat "$run/pid")" tap0 \
        </dev/null >"$run/slirp4netns.log" 2>&1 &
    echo $! >"$run/slirp4netns"
    for _ in $(seq 300); do
        [ -S "$run/docker.sock" ] && client info >/dev/null 2>&1 && return
        alive || break
        sleep 0.2
    done
    tail -n 20 "$run/dockerd.log" >&2
    exit 1
}

# The engine's own client and plugins, in the engine's mounts and the caller's folder.
client() { nsenter --target "$(cat "$run/pid")" --mount --net -- sh -c 'cd "$0" && exec /usr/bin/docker "$@"' "$PWD" "$@"; }

write_client() {
    mkdir -p "$home/bin"
    cat >"$home/bin/docker" <<SCRIPT
#!/bin/sh
exec nsenter --target "\$(cat "$run/pid")" --mount --net -- \\
    sh -c 'cd "\$0" && exec /usr/bin/docker "\$@"' "\$PWD" "\$@"
SCRIPT
    chmod +x "$home/bin/docker"
}

has_image() { client image inspect "$1" >/dev/null 2>&1; }

import_folder() { tar -C "$2" --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* -c . | client import "${@:3}" - "$1" >/dev/null; }

# The names of the FROM lines, so that the stand-ins follow the Dockerfile.
base() { sed -n "s/^ARG $1=//p" "$project"/deploy/Dockerfile "$project"/deploy/*/Dockerfile; }

import_images() {
    local rust runtime nats nginx prometheus work
    rust=$(base RUST_IMAGE) runtime=$(base RUNTIME_IMAGE) nats=$(base NATS_IMAGE) nginx=$(base NGINX_IMAGE) prometheus=$(base PROMETHEUS_IMAGE)
    if ! has_image "$rust"; then
        say "making the stand-in of $rust"
        debian "$home/rust" bookworm gcc,libc6-dev,ca-certificates
        mkdir -p "$home/rust/usr/local/rust" "$home/rust/usr/local/cargo" "$home/rust/etc/ssl/certs"
        cp -a "$(rustc --print sysroot)"/{bin,lib} "$home/rust/usr/local/rust/"
        # Where a proxy signs anew what comes from the registries, only the machine's own list knows it.
        cp -L /etc/ssl/certs/ca-certificates.crt "$home/rust/etc/ssl/certs/"
        import_folder "$rust" "$home/rust" --change 'ENV CARGO_HOME=/usr/local/cargo' \
            --change 'ENV PATH=/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    fi
    if ! has_image "$runtime"; then
        say "making the stand-in of $runtime"
        work=$(mktemp -d)
        for package in base-files libc6 libgcc-s1 ca-certificates netbase tzdata; do
            (cd "$work" && apt-get download -qq "$package")
        done
        mkdir "$work/root"
        for file in "$work"/*.deb; do dpkg-deb -x "$file" "$work/root"; done
        mkdir -p "$work/root/etc/ssl/certs" "$work/root/tmp"
        chmod 1777 "$work/root/tmp"
        cp -L /etc/ssl/certs/ca-certificates.crt "$work/root/etc/ssl/certs/"
        rm -rf "$work"/root/usr/share/{doc,man,locale}
        import_folder "$runtime" "$work/root"
        rm -rf "$work"
    fi
    if ! has_image "$nats"; then
        say "making the stand-in of $nats"
        debian "$home/small" trixie wget,ca-certificates
        work=$(mktemp -d)
        cp -a "$home/small/." "$work"
        (cd "$project" && scripts/nats-server.sh)
        cp "$(PATH=$project/.tools:$PATH command -v nats-server)" "$work/usr/local/bin/nats-server"
        import_folder "$nats" "$work"
        rm -rf "$work"
    fi
    if ! has_image "$nginx"; then
        say "making the stand-in of $nginx"
        debian "$home/nginx" trixie nginx,wget,ca-certificates
        import_folder "$nginx" "$home/nginx" --change 'CMD ["nginx", "-g", "daemon off;"]' --change 'STOPSIGNAL SIGQUIT'
    fi
    if ! has_image "$prometheus"; then
        say "making the stand-in of $prometheus"
        debian "$home/prometheus" trixie prometheus,wget,ca-certificates
        install -d -o 65534 -g 65534 "$home/prometheus/prometheus"
        import_folder "$prometheus" "$home/prometheus" --change 'ENTRYPOINT ["/usr/bin/prometheus"]' \
            --change 'CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]'
    fi
}

start() {
    [ "$(id -u)" = 0 ] || { say "needs root"; exit 1; }
    mkdir -p "$home"
    install_tools
    debian "$root" trixie "$engine_packages"
    write_client
    start_daemon
    import_images
    say "ready: export DOCKER_HOST=$DOCKER_HOST PATH=$home/bin:\$PATH, and reach published ports through \`$0 exec curl …\`"
}

# Only processes that `start` began.
stop() {
    if alive; then
        client ps --quiet | xargs -r -n 20 "$home/bin/docker" stop --time 5 >/dev/null 2>&1 || true
        kill -TERM "$(cat "$run/pid")" 2>/dev/null || true
        for _ in $(seq 100); do alive || break; sleep 0.1; done
        alive && kill -KILL "$(cat "$run/pid")" 2>/dev/null || true
    fi
    [ -s "$run/slirp4netns" ] && kill "$(cat "$run/slirp4netns")" 2>/dev/null || true
    rm -f "$run"/pid "$run"/unshare "$run"/slirp4netns "$run"/docker.sock
    # What the containers leave in the machine's control groups: empty folders.
    find /sys/fs/cgroup -depth -type d -path '*/docker*' -exec rmdir {} + 2>/dev/null || true
    say "stopped; its files are in $home"
}

case "${1:-}" in
    start) start ;;
    boot) boot ;;
    exec) alive || { say "not running"; exit 1; }
          shift
          PATH=$home/bin:$PATH exec nsenter --target "$(cat "$run/pid")" --net -- "$@" ;;
    stop) stop ;;
    *) sed -n '2,8p' "$0" >&2; exit 2 ;;
esac
