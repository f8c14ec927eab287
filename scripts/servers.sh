# shellcheck shell=bash
# The life of a test server, the same for each store. Sourced by scripts/minio and scripts/localstack, which define
#   STORE               its name
#   READY_WITHIN        seconds within which it answers
#   provide             makes its program available, once
#   server_command PORT DIR   sets COMMAND (an array)
#   server_ready PORT   succeeds once it serves requests

# Not secrets: the servers listen on loopback alone and hold test data.
ACCESS_KEY=${TIDELOCK_TEST_ACCESS_KEY:-tidelock}
SECRET_KEY=${TIDELOCK_TEST_SECRET_KEY:-tidelock-secret}

SERVER_DIR='' SERVER_PORT='' SERVER_PIDFILE='' SERVER_FOR=2h
SERVER_PID='' SERVER_LOG=''

parse_server_flags() {
    while [ $# -gt 0 ]; do
        [ $# -ge 2 ] || die "$1 needs a value"
        case $1 in
        --dir) SERVER_DIR=$2 ;;
        --port) SERVER_PORT=$2 ;;
        --pidfile) SERVER_PIDFILE=$2 ;;
        --for) SERVER_FOR=$2 ;;
        *) die "unknown flag $1; there are --dir, --port, --pidfile and --for" ;;
        esac
        shift 2
    done
}

# start_server PREFIX...: the server in SERVER_DIR, up and ready. PREFIX goes before its command.
start_server() {
    need flock "$FLOCK_FROM"
    need timeout "Linux: coreutils; macOS: brew install coreutils, with its gnubin folder on PATH"
    provide
    mkdir -p "$SERVER_DIR/data"
    SERVER_DIR=$(cd "$SERVER_DIR" && pwd -P)
    SERVER_LOG=$SERVER_DIR/server.log
    local given=$SERVER_PORT
    for _ in 1 2 3 4 5; do
        SERVER_PORT=${given:-$(free_port)}
        if claim_port "$SERVER_PORT"; then
            launch "$@"
            exec 8>&-
            await_ready && return
        elif [ -n "$given" ]; then
            die "port $given on 127.0.0.1 is in use"
        else
            continue
        fi
        # Somebody else's process was quicker at a port that we chose ourselves: choose another.
        [ -z "$given" ] && grep -qi 'in use' "$SERVER_LOG" || break
    done
    tail -n 20 "$SERVER_LOG" >&2
    die "$STORE ended or was not ready on 127.0.0.1:$SERVER_PORT within $READY_WITHIN s; its log is above"
}

# A port is ours if nobody listens there and we get its lock, which the server inherits and so holds for as long as it
# lives. Binding alone does not tell: two MinIO servers share a port without a word.
claim_port() {
    ! port_taken "$1" || return 1
    mkdir -p "$CACHE/locks"
    exec 8>"$CACHE/locks/port-$1"
    flock -n 8
}

# `timeout` bounds the server's life, whatever becomes of us, and leads a process group that holds it alone.
launch() {
    server_command "$SERVER_PORT" "$SERVER_DIR/data"
    "$@" timeout --kill-after=10 "$SERVER_FOR" "${COMMAND[@]}" </dev/null >"$SERVER_LOG" 2>&1 &
    SERVER_PID=$!
}

# Fails, with the server gone, if it ends or is not ready in time.
await_ready() {
    local deadline=$((SECONDS + READY_WITHIN))
    while [ $SECONDS -lt $deadline ]; do
        kill -0 "$SERVER_PID" 2>/dev/null || return 1
        # Alive is checked again: the answer may come from whoever else has the port.
        if server_ready "$SERVER_PORT"; then
            kill -0 "$SERVER_PID" 2>/dev/null
            return
        fi
        sleep 0.2
    done
    end_process "$SERVER_PID"
    return 1
}

# What tells a process from a later one with the same number; nothing for one that is dead but not yet reaped.
born() { LC_ALL=C ps -o stat= -o lstart= -p "$1" 2>/dev/null | sed -n '/^Z/!s/^[^ ]* *//p' || true; }

# end_process PID: asks it to end, and after ten seconds makes it.
end_process() {
    kill "$1" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL -- "-$1" 2>/dev/null || kill -KILL "$1" 2>/dev/null || true
}

print_connection() {
    printf '%s\n' "ENDPOINT=http://127.0.0.1:$SERVER_PORT" "ACCESS_KEY=$ACCESS_KEY" "SECRET_KEY=$SECRET_KEY" "PID=$SERVER_PID"
}

# start: the server in the background; `stop` with the same pidfile ends it.
server_start() {
    parse_server_flags "$@"
    [ -n "$SERVER_DIR" ] || die "start needs --dir DIR, the folder for its data"
    need ps "Linux: procps"
    SERVER_PIDFILE=${SERVER_PIDFILE:-$SERVER_DIR/server.pid}
    [ ! -e "$SERVER_PIDFILE" ] || ! noted_process "$SERVER_PIDFILE" >/dev/null ||
        die "$STORE already runs there; stop it first: $0 stop --pidfile $SERVER_PIDFILE"
    # Until the pidfile names it, nobody else could stop it.
    end_on_exit
    start_server
    printf '%s\n%s\n' "$SERVER_PID" "$(born "$SERVER_PID")" >"$SERVER_PIDFILE"
    trap - EXIT
    print_connection
}

# stop: exactly the process that `start` noted; one that got its number since is left alone.
server_stop() {
    parse_server_flags "$@"
    local pidfile=${SERVER_PIDFILE:-${SERVER_DIR:+$SERVER_DIR/server.pid}} pid
    [ -n "$pidfile" ] || die "stop needs --pidfile FILE (or --dir DIR)"
    [ -r "$pidfile" ] || die "no such pidfile: $pidfile"
    if pid=$(noted_process "$pidfile"); then end_process "$pid"; fi
    rm -f "$pidfile"
}

# noted_process PIDFILE: the process that it names, if that still runs.
noted_process() {
    local pid birth
    { read -r pid && read -r birth; } <"$1" || die "not a pidfile of mine: $1"
    [ -n "$birth" ] && [ "$(born "$pid")" = "$birth" ] && echo "$pid"
}

# serve: the server for as long as stdin stays open. A test process holds the other end of that pipe, so the server
# ends with it, however it ends. Without --dir the data is in a temporary folder that goes too.
server_serve() {
    parse_server_flags "$@"
    # The traps come first: whatever happens from here on, the server and its data go.
    end_on_exit
    if [ -z "$SERVER_DIR" ]; then
        SERVE_TEMP=$(mktemp -d "${TMPDIR:-/tmp}/tidelock-$STORE.XXXXXX")
        SERVER_DIR=$SERVE_TEMP
    fi
    # On Linux the server is told even when this script is killed outright.
    if have setpriv; then start_server setpriv --pdeathsig TERM; else start_server; fi
    print_connection
    # The builtin, not `cat`: a signal interrupts it at once.
    while read -r _; do :; done
}

end_on_exit() {
    SERVE_TEMP=''
    trap end_server EXIT
    trap 'exit 143' TERM
    trap 'exit 130' INT
    trap 'exit 129' HUP
}

end_server() {
    trap '' INT TERM HUP
    [ -z "$SERVER_PID" ] || end_process "$SERVER_PID"
    [ -z "$SERVE_TEMP" ] || rm -rf "$SERVE_TEMP"
}

# server_main SUBCOMMAND ARGS...: what each store's script ends with, after its own subcommands.
server_main() {
    case ${1-} in
    start | stop | serve) "server_$1" "${@:2}" ;;
    *)
        sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    esac
}
