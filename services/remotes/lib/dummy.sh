# Shared by the dummy drivers: nothing but shell built-ins where it can be, so that an action costs about
# as much as starting a shell.
#
# A dummy domain is a file, <var>/dummy/<host>/<deploy id>: the drivers keep real state, so that a machine
# started twice, or stopped when it is not there, fails as it would on a hypervisor.
#
# Settings, the later ones win: etc/dummy/dummyrc, etc/dummy/hosts/<host>, etc/dummy/vms/<vm id> (shell
# variables), then DUMMY=[...] of the VM. See README.md.

if [ -n "${ONE_LOCATION:-}" ]; then
    VAR=$ONE_LOCATION/var
else
    VAR=/var/lib/one
fi
SETTINGS=$VAR/remotes/etc/dummy
DOMAINS=$VAR/dummy
SUBSYSTEM=${0%/dummy/*}
SUBSYSTEM=${SUBSYSTEM##*/}
ACTION=${0##*/}
DELAY_S=
POST_DELAY_S=
DELAY_ACTION=
FAIL=

# fail TEXT...: the action failed, for this reason.
fail() {
    {
        echo "ERROR MESSAGE --8<------"
        echo "$*"
        echo "ERROR MESSAGE ------>8--"
    } >&2
    exit 1
}

# check_name WHAT NAME: names become file names, so they must not lead anywhere else.
check_name() {
    case $2 in
        '' | .* | */*) fail "dummy $SUBSYSTEM $ACTION: $1 must be a plain name, found '$2'" ;;
    esac
}

# settings HOST VM_ID: read the setting files; either may be empty.
settings() {
    if [ -r "$SETTINGS/dummyrc" ]; then . "$SETTINGS/dummyrc"; fi
    if [ -n "$1" ] && [ -r "$SETTINGS/hosts/$1" ]; then . "$SETTINGS/hosts/$1"; fi
    if [ -n "$2" ] && [ -r "$SETTINGS/vms/$2" ]; then . "$SETTINGS/vms/$2"; fi
}

# value BLOCK NAME: the text of an element, from CDATA or plain, in $VALUE; fails when there is none.
value() {
    VALUE=${1#*"<$2>"}
    if [ "$VALUE" = "$1" ]; then return 1; fi
    VALUE=${VALUE%%"</$2>"*}
    VALUE=${VALUE#"<![CDATA["}
    VALUE=${VALUE%"]]>"}
}

# The last DUMMY vector of a document: a VM's user template comes after its template, so it wins. By sed: the
# shell's own pattern matching takes ten times as long on a document of some kilobytes.
DUMMY_VECTOR='s|.*<DUMMY>\(.*\)</DUMMY>.*|\1|p'

# vm_settings VECTOR: take the settings of DUMMY=[...].
vm_settings() {
    [ -n "$1" ] || return 0
    if value "$1" DELAY_S; then DELAY_S=$VALUE; fi
    if value "$1" POST_DELAY_S; then POST_DELAY_S=$VALUE; fi
    if value "$1" DELAY_ACTION; then DELAY_ACTION=$VALUE; fi
    if value "$1" FAIL; then FAIL=$VALUE; fi
}

# listed NAMES: whether this action is in a list (ACTION or SUBSYSTEM/ACTION or all, by comma or space).
listed() {
    set -f
    old_ifs=$IFS
    IFS=' ,'
    for name in $1; do
        case $name in
            all | "$ACTION" | "$SUBSYSTEM/$ACTION") IFS=$old_ifs; set +f; return 0 ;;
        esac
    done
    IFS=$old_ifs
    set +f
    return 1
}

# pause SECONDS: nothing for an empty or zero time.
pause() {
    case $1 in
        '' | 0) return 0 ;;
        *[!0-9.]*) fail "dummy $SUBSYSTEM $ACTION: a delay must be seconds, found '$1'" ;;
    esac
    if [ -z "$DELAY_ACTION" ] || listed "$DELAY_ACTION"; then
        sleep "$1"
    fi
}

# simulate: wait and fail as the settings say; called before anything changes.
simulate() {
    pause "$DELAY_S"
    if listed "$FAIL"; then fail "dummy $SUBSYSTEM $ACTION: failed as its settings ask"; fi
}

# done_after_delay: the change is made, but its report takes a while.
done_after_delay() {
    pause "$POST_DELAY_S"
    exit 0
}

# begin_vmm DEPLOY_ID ARGUMENTS...: for actions that end in VM_ID HOST and get the action XML (base64).
begin_vmm() {
    DEPLOY_ID=$1
    shift
    while [ $# -gt 2 ]; do shift; done
    VM_ID=$1
    HOST=$2
    check_name "the deploy id" "$DEPLOY_ID"
    check_name "the host" "$HOST"
    settings "$HOST" "$VM_ID"
    vm_settings "$(base64 -d | sed -n "$DUMMY_VECTOR")"
    simulate
    DOMAIN=$DOMAINS/$HOST/$DEPLOY_ID
}

# need_domain: the machine must be on its host.
need_domain() {
    if [ ! -e "$DOMAIN" ]; then fail "domain $DEPLOY_ID not found on host $HOST"; fi
}

# on_running DEPLOY_ID ARGUMENTS...: an action that only needs the machine to be there.
on_running() {
    begin_vmm "$@"
    need_domain
    pause "$POST_DELAY_S"
}

# begin_tm LOCATION VM_ID: nothing is written; LOCATION is HOST:PATH.
begin_tm() {
    HOST=${1%%:*}
    check_name "the host" "$HOST"
    settings "$HOST" "$2"
    simulate
}
