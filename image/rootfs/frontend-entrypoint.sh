#!/bin/sh
# The container's first process: prepares what the image cannot hold, then keeps Supervisor in the foreground.
#
# With arguments it runs these as a command instead, without any service.
set -eu
# First of all: the kernel drops signals to a container's first process that has no handler, and a stop would be lost.
trap 'echo "frontend-entrypoint: stopped before the services started"; exit 0' TERM INT QUIT

readonly python=/usr/lib/one/venv/bin/python
readonly failed_note=/run/one/bootstrap.failed
readonly environment=/run/supervisor/environment
# What Supervisor, and so any program, may know of the container's environment; parameters are for bootstrap only.
readonly kept=" PATH HOME LANG LC_ALL LC_CTYPE TZ TMPDIR SSL_CERT_FILE SSL_CERT_DIR \
http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY "

say() { echo "frontend-entrypoint: $*"; }
die() { say "$*"; exit 1; }

# own DIR OWNER:GROUP MODE [-R]: create the folder, give it owner and mode; -R: its content too, when the owner changes.
# Nothing is touched that is right already, so that read-only mounts may be.
own() {
    # Services own some parents: a link they left must not make root change a file elsewhere.
    [ ! -L "$1" ] || die "$1: is a symbolic link, expected a directory"
    if [ ! -d "$1" ]; then
        reason=$(mkdir -p "$1" 2>&1) || die "$1: cannot be created: ${reason##*: }; mount a volume or a tmpfs there"
    fi
    if [ "$(stat -c %U:%G "$1")" != "$2" ]; then
        reason=$(chown -h ${4:+"$4"} "$2" "$1" 2>&1) || die "$1: cannot be given to $2: ${reason##*: }"
    fi
    if [ "$(stat -c %a "$1")" != "$3" ]; then
        reason=$(chmod "$3" "$1" 2>&1) || die "$1: cannot get mode $3: ${reason##*: }"
    fi
}

prepare_root() {
    own /tmp root:root 1777
    own /run root:root 755
    own /run/lock root:root 1777
    own /var/tmp root:root 1777
    # After a restart these hold what the previous run left; mounts below /tmp and everything else in /run
    # (secrets, sockets passed in) are not ours.
    find /tmp -xdev -mindepth 1 -delete 2>/dev/null || true
    rm -rf /run/one /run/supervisor /run/mysqld /run/supervisord.pid
    own /run/one oneadmin:oneadmin 755
    own /run/mysqld mysql:mysql 755
    own /run/supervisor root:root 755
    # Where sshd locks up what talks to clients that have not logged in yet.
    own /run/sshd root:root 755
}

prepare_volumes() {
    own /etc/one root:oneadmin 750
    # -w is true for root even where the file system is read-only, so try.
    (: > /etc/one/.writable) 2>/dev/null || die "/etc/one: is read-only; add --tmpfs /etc/one"
    rm -f /etc/one/.writable
    own /var/lib/one oneadmin:oneadmin 750
    own /var/lib/one/.one oneadmin:oneadmin 700 -R
    own /var/lib/one/.ssh oneadmin:oneadmin 700 -R
    own /var/lib/one/.ssh-oneprovision oneadmin:oneadmin 700 -R
    own /var/lib/one/backups oneadmin:oneadmin 750 -R
    own /var/lib/one/backups/db oneadmin:oneadmin 750 -R
    # Images may be many and large, and belong to whom a driver says: only the folder itself.
    own /var/lib/one/datastores oneadmin:oneadmin 750
    own /var/lib/one/fireedge oneadmin:oneadmin 750 -R
    own /var/log root:root 755
    own /var/log/one oneadmin:oneadmin 750 -R
    own /srv/one root:root 755
    own /srv/one/secret-ssh-host-keys root:root 700
    own /srv/one/secret-tls root:stunnel 750
    # Shared with an SSH server in another container, when a volume is there.
    [ ! -d /var/lib/one/.ssh-copyback ] || own /var/lib/one/.ssh-copyback oneadmin:oneadmin 700 -R
    own /var/lib/mysql mysql:mysql 750 -R
}

# Keep the parameters where only root reads them, then drop them from this process's own environment too.
hand_over() {
    unset ONE_LOCATION
    (umask 077; export -p > "$environment")
    for name in $(export -p | sed -n 's/^export \([A-Za-z_][A-Za-z0-9_]*\).*/\1/p'); do
        case $kept in *" $name "*) ;; *) unset "$name" ;; esac
    done
    exec "$0" --supervise
}

configure_supervisor() {
    conf=$("$python" -m bootstrap.supervisor) || die "Supervisor's configuration cannot be written"
    # The program bootstrap gets its parameters from this script instead of Supervisor's environment.
    sed -i 's|^command = .* -m bootstrap$|command = /frontend-bootstrap.sh|' "$conf"
    grep -q '^command = /frontend-bootstrap.sh$' "$conf" || die "$conf: found no program bootstrap"
}

# Ends with the container: stopping is passed on to Supervisor, which stops the programs in their order.
supervise() {
    supervisor_pid=
    is_stopping=no
    trap 'is_stopping=yes; kill -TERM "$supervisor_pid" 2>/dev/null || true' TERM INT QUIT
    /usr/lib/one/venv/bin/supervisord --nodaemon --configuration "$conf" &
    supervisor_pid=$!
    code=0
    # A signal ends "wait" early; only when the process is gone is its code the real one.
    while :; do
        wait "$supervisor_pid" && code=0 || code=$?
        kill -0 "$supervisor_pid" 2>/dev/null || break
    done
    # Asked to stop, it did: that bootstrap or Supervisor was caught half-way is no fault.
    if [ "$is_stopping" = yes ]; then
        say "stopped"
        exit 0
    fi
    if [ -f "$failed_note" ] && [ ! -L "$failed_note" ]; then
        cat "$failed_note"
        exit 1
    fi
    say "Supervisor ended with code $code"
    exit "$code"
}

cd /
if [ "${1:-}" = --supervise ]; then
    configure_supervisor
    say "starting Supervisor"
    supervise
fi
if [ $# -gt 0 ]; then
    trap - TERM INT QUIT
    exec "$@"
fi

# One stream, so that the order of the log is the order of events.
exec 2>&1
[ "$(id -u)" = 0 ] || die "runs as user $(id -u), expected root: leave --user out (the services themselves do not run as root)"
say "preparing directories"
prepare_root
prepare_volumes
hand_over
