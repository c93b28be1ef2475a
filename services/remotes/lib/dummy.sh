# Shared by the dummy drivers: nothing but shell built-ins where it can be, so that an action costs about
# as much as starting a shell.
#
# A dummy domain is a file, <var>/dummy/<host>/<deploy id>: the drivers keep real state, so that a machine
# started twice, or stopped when it is not there, fails as it would on a hypervisor. It lists what was attached
# to it and its snapshots. Disks are files below <var>/dummy/.disks/<host>, if KEEP_DISKS says so.
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
DISKS=$DOMAINS/.disks
SUBSYSTEM=${0%/dummy/*}
SUBSYSTEM=${SUBSYSTEM##*/}
ACTION=${0##*/}
DELAY_S=
POST_DELAY_S=
DELAY_ACTION=
FAIL=
KEEP_DISKS=

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

# on_running DEPLOY_ID ARGUMENTS...: for actions on a machine that must be there.
on_running() {
    begin_vmm "$@"
    need_domain
}

# has LINE: whether the machine has that (NIC=…, DISK=…, SNAPSHOT=…).
has() {
    grep -qxF "$1" "$DOMAIN"
}

# gain LINE, lose LINE: the machine gets it, or has one of it less.
gain() {
    echo "$1" >>"$DOMAIN"
}
lose() {
    lost=
    while IFS= read -r line; do
        if [ -z "$lost" ] && [ "$line" = "$1" ]; then lost=yes; else echo "$line"; fi
    done <"$DOMAIN" >"$DOMAINS/.$DEPLOY_ID.part"
    mv -f "$DOMAINS/.$DEPLOY_ID.part" "$DOMAIN"
}

# begin_tm LOCATION VM_ID: LOCATION is HOST:PATH. With KEEP_DISKS, the path that stands for it is in $AT.
begin_tm() {
    HOST=${1%%:*}
    check_name "the host" "$HOST"
    settings "$HOST" "$2"
    simulate
    if keeps_disks; then AT=$(stands_for "$1") || exit 1; fi
}

# begin_migrate SRC_HOST DST_HOST FOLDER VM_ID DS_ID: for what comes with a live migration.
begin_migrate() {
    check_name "the source" "$1"
    check_name "the destination" "$2"
    settings "$2" "$4"
    vm_settings "$(base64 -d | sed -n "$DUMMY_VECTOR")"
    simulate
    SOURCE=$(stands_for "$1:$3") || exit 1
    DESTINATION=$(stands_for "$2:$3") || exit 1
}

# keeps_disks: whether disks are files.
keeps_disks() {
    case $KEEP_DISKS in [yY]*) return 0 ;; *) return 1 ;; esac
}

# stands_for HOST:PATH: the path of the file that stands for a disk or a folder.
stands_for() {
    check_path "${1#*:}"
    echo "$DISKS/${1%%:*}${1#*:}"
}

# image SOURCE: the path of the file that stands for an image.
image() {
    echo "$DOMAINS/.images/$(echo "${1#*:}" | tr / _)"
}

# check_path PATH: absolute, and leading nowhere else.
check_path() {
    case $1/ in
        / | // | */../* | [!/]*) fail "dummy $SUBSYSTEM $ACTION: the path must be absolute, found '$1'" ;;
    esac
}

# put TEXT: what the disk holds.
put() {
    keeps_disks || return 0
    mkdir -p "${AT%/*}" && echo "$1" >"$AT" || fail "cannot write $AT"
}

# copy FROM TO: a file, which must be there.
copy() {
    keeps_disks || return 0
    [ -e "$1" ] || fail "$1 does not exist"
    mkdir -p "${2%/*}" && cp "$1" "$2" || fail "cannot copy $1"
}

# on_folder WITHOUT_FILES HOST FOLDER KEY [NAME...]: what tm/transit does, on the files that stand for a
# folder; without files it prints WITHOUT_FILES.
on_folder() {
    said=$1
    HOST=$2
    VM_ID=${3##*/}
    case $VM_ID in disk.*) VM_ID=${3%/*} VM_ID=${VM_ID##*/} ;; esac
    check_name "the host" "$HOST"
    settings "$HOST" "$VM_ID"
    simulate
    if keeps_disks; then
        path=$(stands_for "$2:$3") || exit 1
        shift 3
        mkdir -p "${path%/*}"
        "${0%/*}/../transit/$ACTION" "$path" "$@" || exit 1
    elif [ -n "$said" ]; then
        echo "$said"
    fi
    done_after_delay
}

# begin_ds MESSAGE64: for actions on images, datastores and appliances, which get a document in base64. The
# first DUMMY=[...] in it counts: the image's or appliance's, else the datastore's or marketplace's.
begin_ds() {
    settings "" ""
    DOCUMENT=$(echo "$1" | base64 -d)
    if value "$DOCUMENT" DUMMY; then vm_settings "$VALUE"; fi
    simulate
}

# capacity PREFIX TOTAL USED FREE: prints what <PREFIX>_TOTAL_MB and <PREFIX>_USED_MB set, else the rest.
capacity() {
    eval "TOTAL=\${$1_TOTAL_MB:-} USED=\${$1_USED_MB:-}"
    if [ -z "$TOTAL$USED" ]; then
        TOTAL=$2 USED=$3 FREE=$4
    else
        TOTAL=${TOTAL:-$2} USED=${USED:-0}
        FREE=$((TOTAL - USED))
    fi
    echo "USED_MB=$USED"
    echo "TOTAL_MB=$TOTAL"
    echo "FREE_MB=$FREE"
}
