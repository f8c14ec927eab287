# shellcheck shell=bash
# Helpers that every script here sources. Bash 3.2 or newer, so that the one macOS ships will do.
set -euo pipefail

# shellcheck disable=SC2034  # used by those who source this
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# What is built or downloaded once lives outside the tree: `git clean` and a fresh clone cost nothing.
CACHE=${TIDELOCK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidelock}

# stdout belongs to what a script prints for others to read; what people read goes to stderr.
say() { printf '%s\n' "$*" >&2; }

die() {
    say "${0##*/}: $*"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# need COMMAND HINT: stops, naming the command and where it comes from, if it isn't there.
need() { have "$1" || die "needs '$1', which is not on PATH ($2)"; }

FLOCK_FROM="Linux: util-linux; macOS: brew install flock"

# once NAME COMMAND...: runs COMMAND while no other script does so under that NAME, in any process.
# COMMAND looks first whether the work is done: the second caller finds it so.
once() {
    local name=$1
    shift
    need flock "$FLOCK_FROM"
    mkdir -p "$CACHE/locks"
    (
        flock 9 || die "can't lock $CACHE/locks/$name"
        # Not inherited: a process that outlives COMMAND must not keep the lock.
        "$@" 9>&-
    ) 9>"$CACHE/locks/$name"
}

# quietly LOG COMMAND...: COMMAND's output into LOG; shown, in part, only if it fails.
quietly() {
    local log=$1
    shift
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 && return
    tail -n 25 "$log" >&2
    say "(the whole of it: $log)"
    return 1
}

# As low a priority as the system gives: a build that runs once must not stall the machine.
gently() {
    if have nice; then nice -n 10 "$@"; else "$@"; fi
}

# cargo_tool NAME VERSION [FLAG...]: prints the path of a program that is built from its crate, once, into the cache.
# Always this version: one on PATH may judge or build by other rules.
cargo_tool() {
    local folder=$CACHE/$1-$2
    [ -x "$folder/bin/$1" ] || once "$1" install_cargo_tool "$folder" "$@" || return 1
    echo "$folder/bin/$1"
}

install_cargo_tool() {
    local folder=$1 name=$2 version=$3
    [ ! -x "$folder/bin/$name" ] || return 0
    say "Building $name $version, once (some minutes) ..."
    # A target directory of its own, and gone afterwards: ours must not be rebuilt for it.
    CARGO_TARGET_DIR=$CACHE/$name-target quietly "$CACHE/logs/$name-build.log" \
        gently cargo install "$name" --locked --version "$version" --root "$folder" "${@:4}" ||
        die "could not build $name $version (is crates.io reachable?)"
    rm -rf "$CACHE/$name-target"
}

# Is there something that accepts connections on this loopback port?
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A loopback port that nobody listens on, below the range from which systems hand out ports of their own.
# Whoever binds it can still lose a race: start_server tries another then.
free_port() {
    local port
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        port_taken "$port" || {
            echo "$port"
            return
        }
    done
    die "found no free port on 127.0.0.1 in ten tries"
}

# http_get PORT PATH: the whole answer, headers included; no curl needed.
http_get() {
    (
        exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
        printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\n\r\n' "$2" "$1" >&3
        timeout 5 cat <&3
    ) 2>/dev/null
}

# A container engine that answers, for what can't be built here.
docker_answers() { have docker && timeout 10 docker version >/dev/null 2>&1; }
