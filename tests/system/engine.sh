# shellcheck shell=sh
# A container engine for the tests: the one that runs, or else one of their own, started in a
# directory of its own and stopped by its process id. To be sourced; sets DOCKER_HOST and ENGINE.

# A client that can build with BuildKit: since version 23 that takes the buildx component.
find_client() {
    for client in docker /usr/bin/docker; do
        command -v "$client" >/dev/null || continue
        major=$("$client" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
        if [ "${major:-99}" -lt 23 ] || "$client" buildx version >/dev/null 2>&1; then
            command -v "$client"
            return
        fi
    done
}

# need_engine: whether there is one. Where this could have started one, its absence is a failure.
need_engine() {
    [ -z "${ENGINE:-}" ] || return 0
    step "start an engine"
    if tests/setup.sh engine && start_engine; then return; fi
    ENGINE=""
    [ "$(id -u)" -ne 0 ] || fail "there is no container engine"
    loudly_skip "no container engine runs, and only root can start one"
    return 1
}

start_engine() {
    ENGINE=$(find_client)
    [ -n "$ENGINE" ] || { echo "engine: no docker client that can build" >&2; return 1; }
    if "$ENGINE" info >/dev/null 2>&1; then
        echo "engine: using the one that runs (${DOCKER_HOST:-its usual socket})" >&2
        return
    fi
    [ "$(id -u)" -eq 0 ] || { echo "engine: none runs, and starting one needs root" >&2; return 1; }
    dockerd=$(command -v dockerd || command -v /usr/sbin/dockerd) || { echo "engine: no dockerd" >&2; return 1; }
    engine_dir=$(mktemp -d "${TMPDIR:-/tmp}/caldp-engine.XXXXXX")
    DOCKER_HOST=unix://$engine_dir/docker.sock
    export DOCKER_HOST
    # No bridge and no firewall rules: containers use the host's network, and nothing of the host changes.
    "$dockerd" --host "$DOCKER_HOST" --data-root "$engine_dir/data" --exec-root "$engine_dir/exec" \
        --pidfile "$engine_dir/pid" --bridge=none --iptables=false --ip-forward=false --ip-masq=false \
        --storage-driver=overlay2 --host-gateway-ip=127.0.0.1 >"$engine_dir/log" 2>&1 &
    engine_pid=$!
    tries=0
    until "$ENGINE" info >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 60 ] || ! kill -0 "$engine_pid" 2>/dev/null; then
            echo "engine: it did not start:" >&2
            tail -n 20 "$engine_dir/log" >&2
            return 1
        fi
        sleep 0.5
    done
    echo "engine: started one in $engine_dir" >&2
}

# processes_of NAME: those that have it in their command line.
processes_of() {
    for process in /proc/[0-9]*; do
        command=$({ tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null) || continue
        case $command in *"$1"*) printf '%s %s\n' "${process#/proc/}" "$command" ;; esac
    done
}

# Stops the engine if it was started here, and says so when it leaves a process or a mount behind.
stop_engine() {
    [ -n "${engine_pid:-}" ] || return 0
    kill "$engine_pid" 2>/dev/null || true
    wait "$engine_pid" 2>/dev/null || true
    engine_pid=""
    # An engine that was killed does not unmount its own directory.
    umount "$engine_dir/data" 2>/dev/null || true
    # Nor does any engine take away the name of the host's network that its containers used.
    umount "$engine_dir/exec/netns/default" 2>/dev/null || true
    left=$(processes_of "$engine_dir/")
    if [ -n "$left" ]; then
        printf 'engine: it left these processes behind:\n%s\n' "$left" >&2
        return 1
    fi
    left=$(awk -v dir="$engine_dir/" 'index($2, dir) == 1 { print $2 }' /proc/self/mounts)
    if [ -n "$left" ]; then
        printf 'engine: it left these mounts behind:\n%s\n' "$left" >&2
        return 1
    fi
    rm -rf "$engine_dir"
}

# base_image NAME: the base that the Dockerfile pins where it can be pulled; else one made from
# Debian's packages, for machines that reach no image registry.
base_image() {
    "$ENGINE" image inspect "$1" >/dev/null 2>&1 && return
    pinned=$(sed -n 's/^ARG DEBIAN_IMAGE=//p' docker/Dockerfile)
    if timeout 120 "$ENGINE" pull --quiet "$pinned" >/dev/null 2>&1; then
        "$ENGINE" tag "$pinned" "$1"
        return
    fi
    archive=target/system/debian.tar
    if [ ! -s "$archive" ]; then
        [ "$(id -u)" -eq 0 ] || { echo "engine: making a base image needs root" >&2; return 1; }
        mkdir -p target/system
        root=$(mktemp -d "${TMPDIR:-/tmp}/caldp-debian.XXXXXX")
        debootstrap --variant=minbase bookworm "$root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$root.log" 2>&1 ||
            { tail -n 20 "$root.log" >&2; rm -rf "$root"; return 1; }
        # Anybody may enter its root, which a temporary directory forbids.
        chmod 755 "$root"
        tar --directory "$root" --create --file "$archive.new" .
        mv "$archive.new" "$archive"
        rm -rf "$root" "$root.log"
    fi
    "$ENGINE" import "$archive" "$1" >/dev/null
}
