# Functions for driver actions written in bash, by the names that OpenNebula's have, for drivers of others that
# source this file. Our own actions do not use it. Commands given as one word are run by a shell: never build
# them of what users may choose.

PATH=$PATH:/bin:/sbin:/usr/bin
export PATH

# Programs, each replaceable by a variable of its name.
for _pair in AWK=awk BASH=bash CUT=cut CEPH=ceph DATE=date DD=dd DF=df DU=du GREP=grep ISCSIADM=iscsiadm \
    LVCREATE=lvcreate LVREMOVE=lvremove LVCHANGE=lvchange LVSCAN=lvscan LVEXTEND=lvextend LVS=lvs LN=ln \
    MD5SUM=md5sum MKFS=mkfs MKISOFS=genisoimage MKSWAP=mkswap QEMU_IMG=qemu-img RADOS=rados RBD=rbd \
    READLINK=readlink RM=rm CP=cp SED='sed -r' SSH=ssh SUDO='sudo -n' SYNC=sync TAR=tar TR=tr \
    VGDISPLAY=vgdisplay VMKFSTOOLS=vmkfstools WGET=wget \
    SSH_FWD='ssh -o ForwardAgent=yes -o ControlMaster=no -o ControlPath=none'; do
    _name=${_pair%%=*}
    [ -n "${!_name}" ] || printf -v "$_name" '%s' "${_pair#*=}"
done
unset _pair _name

SCRIPT_NAME=$(basename -- "$0")
_REMOTES=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")

# -- messages ----------------------------------------------------------------------------------------------

# error_message TEXT: what the user shall read.
error_message() {
    printf 'ERROR MESSAGE --8<------\n%s\nERROR MESSAGE ------>8--\n' "$1" >&2
}

# log_function SEVERITY TEXT, and one function for each severity.
log_function() { printf '%s: %s: %s\n' "$1" "$SCRIPT_NAME" "$2" >&2; }
log_info() { log_function INFO "$1"; }
log_error() { log_function ERROR "$1"; }
log_debug() { log_function DEBUG "$1"; }
log() { log_info "$1"; }
log_date() { $DATE '+%a %b %d %T %Y'; }

# _failed COMMAND SAID [TEXT]: note a failed command; TEXT, or what it said, is for the user.
_failed() {
    log_error "Command \"$1\" failed: $2"
    error_message "${3:-Error executing $1: $2}"
}

# -- small things ------------------------------------------------------------------------------------------

# fix_dir_slashes PATH: without doubled slashes and without one at its end.
fix_dir_slashes() { printf '%s\n' "$1" | sed -E 's#/+#/#g; s#(.)/$#\1#'; }

# contains LIST WORD SEPARATOR: whether the word is in the list.
contains() {
    local list=${1//$3/ } word
    for word in $list; do
        [ "$word" != "$2" ] || return 0
    done
    return 1
}

# xml_esc TEXT: as text or attribute of XML.
xml_esc() {
    printf '%s\n' "$1" | sed "s/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/'/\&apos;/g; s/\"/\&quot;/g"
}

# exclusive NAME TIMEOUT_S COMMAND...: run it while nobody else with that name does.
exclusive() {
    local place=/var/lock/one handle code
    [ -w "$place" ] || place=/tmp
    local file="$place/$1" wait_s=$2
    shift 2
    if ! { exec {handle}>"$file"; } 2>/dev/null; then
        log_error "Lock $file cannot be opened"
        exit 254
    fi
    if ! flock -w "$wait_s" "$handle"; then
        log_error "Lock $file was not free within $wait_s s"
        exit 254
    fi
    "$@"
    code=$?
    exec {handle}>&-
    return $code
}

# retry TIMES COMMAND: once a second until it succeeds.
retry() {
    local left=$1
    until $2 >/dev/null; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 1
    done
}

# retry_if PATTERN TIMES PAUSE_S COMMAND...: again as long as it fails with such a message.
retry_if() {
    local pattern=$1 left=$2 pause_s=$3 said code errors
    shift 3
    errors=$(mktemp) || return 1
    while :; do
        said=$("$@" 2>"$errors")
        code=$?
        left=$((left - 1))
        if [ "$code" = 0 ] || [ "$left" -le 0 ] || ! grep -q "$pattern" "$errors"; then
            break
        fi
        sleep "$pause_s"
    done
    cat "$errors" >&2
    rm -f "$errors"
    [ -z "$said" ] || printf '%s\n' "$said"
    return $code
}

# force_shutdown DEPLOY_ID COMMAND: after a command that failed; destroys the machine if FORCE_DESTROY allows it.
force_shutdown() {
    local code=$?
    [ "$code" != 0 ] || return 0
    if [ "$FORCE_DESTROY" != yes ]; then
        error_message "Timed out shutting down $1"
        exit 255
    fi
    log_error "$1 did not shut down in time, it is destroyed"
    $2 >/dev/null
    sleep 2
}

# -- running commands here ---------------------------------------------------------------------------------

# exec_and_log COMMAND [TEXT]: it must succeed, else the action ends with its code. Split at blanks, no shell.
exec_and_log() {
    local said code
    said=$($1 2>&1 >/dev/null)
    code=$?
    if [ "$code" != 0 ]; then
        _failed "$1" "$said" "$2"
        exit $code
    fi
}

# multiline_exec_and_log LINES [TEXT]: the same for lines of a shell.
multiline_exec_and_log() {
    local said code
    said=$(printf '%s\n' "$1" | LANG=C LC_ALL=C bash -s 2>&1 >/dev/null)
    code=$?
    if [ "$code" != 0 ]; then
        _failed "$1" "$said" "$2"
        exit $code
    fi
}

# exec_and_set_error LINE [TEXT]: the same, but ERROR gets the message and the action goes on.
exec_and_set_error() {
    local said
    export ERROR=
    if ! said=$(bash -c "$1" 2>&1 >/dev/null); then
        log_error "Command \"$1\" failed: $said"
        export ERROR="${2:-Error executing $1: $said}"
    fi
}

# multiline_exec_and_set_error LINES [TEXT]
multiline_exec_and_set_error() { exec_and_set_error "export LANG=C LC_ALL=C
$1" "$2"; }

# timeout_exec_and_log TIMEOUT_S COMMAND: it is killed when its time is up.
timeout_exec_and_log() {
    local said code
    said=$(timeout "$1" $2 2>&1 >/dev/null)
    code=$?
    if [ "$code" != 0 ]; then
        [ "$code" != 124 ] || said="it took longer than $1 s"
        _failed "$2" "$said"
        exit $code
    fi
}

# monitor_and_log LINES [NAME]: the output of lines of a shell, which must succeed.
monitor_and_log() {
    local said code
    said=$(printf '%s\n' "$1" | LANG=C LC_ALL=C bash -s 2>/dev/null)
    code=$?
    if [ "$code" != 0 ]; then
        log_error "Command \"${2:-$1}\" failed: $said"
        exit $code
    fi
    printf '%s\n' "$said"
}

# -- running commands on a host ----------------------------------------------------------------------------

# ssh_forward COMMAND...: with our ssh agent, so that the host can go on to another one.
ssh_forward() {
    local SSH=$SSH_FWD
    "$@"
}

# ssh_exec_and_log_no_error HOST LINES [TEXT] [CODE]: the exit code of the lines; CODE is no failure either.
ssh_exec_and_log_no_error() {
    local said code
    said=$(printf 'export LANG=C LC_ALL=C\n%s\n' "$2" | $SSH "$1" bash -s 2>&1 >/dev/null)
    code=$?
    if [ "$code" != 0 ] && [ "$code" != "$4" ]; then
        _failed "$2" "$said" "$3"
    fi
    return $code
}

# ssh_exec_and_log HOST LINES [TEXT]: they must succeed.
ssh_exec_and_log() { ssh_exec_and_log_no_error "$@" || exit $?; }

# ssh_exec_and_log_stdin HOST LINES FILE [TEXT]: the same, with the functions of a file of ours.
ssh_exec_and_log_stdin() {
    local said code
    said=$({
        printf 'export LANG=C LC_ALL=C\n'
        cat -- "$3"
        printf '\n%s\n' "$2"
    } | $SSH "$1" bash -s 2>&1 >/dev/null)
    code=$?
    if [ "$code" != 0 ]; then
        _failed "$2" "$said" "$4"
        exit $code
    fi
}

# ssh_monitor_and_log HOST LINES [NAME]: the output of lines, which must succeed.
ssh_monitor_and_log() {
    local said code
    said=$(printf 'export LANG=C LC_ALL=C\n%s\n' "$2" | $SSH "$1" bash -s 2>/dev/null)
    code=$?
    if [ "$code" != 0 ]; then
        log_error "Command \"${3:-$2}\" failed: $said"
        exit $code
    fi
    printf '%s\n' "$said"
}

# ssh_make_path HOST FOLDER [WORD]: the folder is there; WORD goes to .monitor of the folder above, for the probes.
ssh_make_path() {
    local folder word lines said code
    printf -v folder '%q' "$2"
    printf -v word '%q' "$3"
    lines="set -e; mkdir -p -- $folder"
    if [ -n "$3" ]; then
        lines="$lines; m=\$(dirname -- $folder)/.monitor"
        lines="$lines; [ \"\$(cat \"\$m\" 2>/dev/null)\" = $word ] || echo $word > \"\$m\""
    fi
    said=$(printf '%s\n' "$lines" | $SSH "$1" bash -s 2>&1 >/dev/null)
    code=$?
    if [ "$code" != 0 ]; then
        error_message "Error creating directory $2 at $1: $said"
        exit $code
    fi
}

# -- disks and interfaces ----------------------------------------------------------------------------------

# mkfs_command PATH FORMAT SIZE_MB SUPPORTED_FS FS FS_OPTS: prints the lines that make such a disk.
mkfs_command() {
    local path form=raw
    printf -v path '%q' "$1"
    if [ -n "$5" ]; then
        if ! contains "$4" "$5" ,; then
            log_error "File system $5 is not among $4"
            exit 255
        fi
        printf '%s create -f raw %s %sM\n' "$QEMU_IMG" "$path" "${3:-0}"
        printf '%s -t %s %s %s %s\n' "$MKFS" "$5" "$([ "$5" = xfs ] && echo -f || echo -F)" "$6" "$path"
        if [ "$2" = qcow2 ]; then
            printf '%s convert -f raw -O qcow2 %s %s.qcow2\n' "$QEMU_IMG" "$path" "$path"
            printf 'mv %s.qcow2 %s\n' "$path" "$path"
        fi
    else
        [ "$2" != qcow2 ] || form=qcow2
        printf '%s create -f %s %s %sM\n' "$QEMU_IMG" "$form" "$path" "${3:-0}"
    fi
    [ "$2" != swap ] || printf '%s -L swap %s\n' "$MKSWAP" "$path"
}

# get_source_xml "HOST[:PORT]...": the hosts of a network disk, as libvirt wants them.
get_source_xml() {
    local each
    for each in $1; do
        case $each in
            *:*) printf "<host name='%s' port='%s'/>" "${each%%:*}" "${each#*:}" ;;
            *) printf "<host name='%s'/>" "$each" ;;
        esac
    done
    echo
}

# _take PREFIX NAME...: variables of these names from the elements of the document that _QUERY reads.
_take() {
    local prefix=$1 name paths=()
    shift
    for name in "$@"; do paths+=("$prefix/${name#*=}"); done
    while IFS= read -r -d '' value && [ $# -gt 0 ]; do
        printf -v "${1%%=*}" '%s' "$value"
        shift
    done < <("${_QUERY[@]}" "${paths[@]}")
}

_LIMITS="TOTAL_BYTES_SEC TOTAL_BYTES_SEC_MAX TOTAL_BYTES_SEC_MAX_LENGTH READ_BYTES_SEC READ_BYTES_SEC_MAX
    READ_BYTES_SEC_MAX_LENGTH WRITE_BYTES_SEC WRITE_BYTES_SEC_MAX WRITE_BYTES_SEC_MAX_LENGTH TOTAL_IOPS_SEC
    TOTAL_IOPS_SEC_MAX TOTAL_IOPS_SEC_MAX_LENGTH READ_IOPS_SEC READ_IOPS_SEC_MAX READ_IOPS_SEC_MAX_LENGTH
    WRITE_IOPS_SEC WRITE_IOPS_SEC_MAX WRITE_IOPS_SEC_MAX_LENGTH SIZE_IOPS_SEC"

# get_disk_information FILTER: a disk of the action's document (DRV_ACTION, base64) as variables, such as
# DISK_TARGET, DRIVER, SIZE, TYPE_XML, TYPE_SOURCE, DEVICE, SOURCE, SOURCE_ARGS, SOURCE_HOST, AUTH.
get_disk_information() {
    local prefix="/VMM_DRIVER_ACTION_DATA/VM/TEMPLATE/DISK[$1]"
    _QUERY=("$_REMOTES/datastore/xpath.rb" -b "$DRV_ACTION")
    _take /VMM_DRIVER_ACTION_DATA/VM VMID=ID
    _take "$prefix" DRIVER TYPE READONLY SHAREABLE CACHE DISCARD IMG_SRC=SOURCE DISK_ID CLONE CEPH_HOST CEPH_SECRET \
        CEPH_USER LUKS_SECRET ISCSI_HOST ISCSI_USAGE ISCSI_USER ISCSI_IQN DISK_TYPE POOL_NAME SIZE DISK_TARGET=TARGET \
        DISK_TM_MAD=TM_MAD DISK_IO=IO ORDER $_LIMITS IOTHREAD
    DRIVER=${DRIVER:-$DEFAULT_TYPE}
    TYPE=${TYPE,,} READONLY=${READONLY,,} SHAREABLE=${SHAREABLE,,}
    NAME=$SOURCE TYPE_SOURCE=file TYPE_XML=file DEVICE=disk
    [ -z "$LUKS_SECRET" ] || LUKS="<encryption format='luks'><secret type='passphrase' uuid='$LUKS_SECRET'/></encryption>"
    case $TYPE in
        block) TYPE_SOURCE=dev TYPE_XML=block ;;
        cdrom) DEVICE=cdrom ;;
        iscsi)
            TYPE_SOURCE=name TYPE_XML=network SOURCE=${ISCSI_IQN:-$IMG_SRC} SOURCE_ARGS="protocol='iscsi'"
            SOURCE_HOST=$(get_source_xml "$ISCSI_HOST")
            [ -z "$ISCSI_USAGE" ] || [ -z "$ISCSI_USER" ] ||
                AUTH="<auth username='$ISCSI_USER'><secret type='iscsi' usage='$ISCSI_USAGE'/></auth>"
            ;;
        rbd*)
            [ "$TYPE" != rbd_cdrom ] || DEVICE=cdrom
            SOURCE=$IMG_SRC
            [ "$CLONE" != YES ] || SOURCE="$IMG_SRC-$VMID-$DISK_ID"
            _rbd
            ;;
        *)
            if [ "$DISK_TYPE" = RBD ]; then
                SOURCE="$POOL_NAME/one-sys-$VMID-$DISK_ID"
                _rbd
            elif [ "$DISK_TM_MAD" = fs_lvm ]; then
                TYPE_SOURCE=dev TYPE_XML=block
            fi
            ;;
    esac
}

_rbd() {
    TYPE_SOURCE=name TYPE_XML=network SOURCE_ARGS="protocol='rbd'"
    SOURCE_HOST=$(get_source_xml "$CEPH_HOST")
    [ -z "$CEPH_USER" ] || [ -z "$CEPH_SECRET" ] ||
        AUTH="<auth username='$CEPH_USER'><secret type='ceph' uuid='$CEPH_SECRET'/></auth>"
}

# get_nic_information FILTER: an interface of the document on standard input as variables.
get_nic_information() {
    _QUERY=("$_REMOTES/datastore/xpath.rb" --stdin)
    local document
    document=$(cat)
    _take /VMM_DRIVER_ACTION_DATA/VM VMID=ID <<<"$document"
    _take "/VMM_DRIVER_ACTION_DATA/VM/TEMPLATE/NIC[$1]" NIC_ID BRIDGE BRIDGE_TYPE VN_MAD MAC NIC_TARGET=TARGET SCRIPT \
        MODEL IP FILTER VIRTIO_QUEUES VROUTER_IP INBOUND_AVG_BW INBOUND_PEAK_BW INBOUND_PEAK_KB OUTBOUND_AVG_BW \
        OUTBOUND_PEAK_BW OUTBOUND_PEAK_KB ORDER <<<"$document"
}

# send_to_monitor TYPE RESULT HOST_ID TEXT: a message for the monitoring daemon; RESULT 0 or SUCCESS is one.
send_to_monitor() {
    printf '%s' "$4" | python3 -I -c '
import sys
sys.path.insert(0, sys.argv[1])
import driver, tm_monitor
driver.main(lambda _: tm_monitor.tell(sys.argv[2], sys.argv[3] in ("0", "SUCCESS"), int(sys.argv[4]), sys.stdin.read()))
' "$_REMOTES/lib" "$1" "$2" "$3"
}
