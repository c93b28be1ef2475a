# Functions for transfer actions written in bash, by the names that OpenNebula's have, for drivers of others that
# source this file. Our own actions do not use it.

if [ -n "$ONE_LOCATION" ]; then
    ONE_LOCAL_VAR=$ONE_LOCATION/var
    ONE_LIB=$ONE_LOCATION/lib
    DS_DIR=$ONE_LOCATION/var/datastores
else
    ONE_LOCAL_VAR=/var/lib/one
    ONE_LIB=/usr/lib/one
    DS_DIR=/var/lib/one/datastores
fi
ONE_SH=$ONE_LIB/sh

. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../scripts_common.sh"

# arg_host HOST:PATH, arg_path HOST:PATH [NOFIX]: its parts; with NOFIX slashes stay as they are.
arg_host() { printf '%s\n' "${1%%:*}"; }
arg_path() {
    if [ "$2" = NOFIX ]; then
        printf '%s\n' "${1#*:}"
    else
        fix_dir_slashes "${1#*:}"
    fi
}

# is_disk PATH: prints 1 for a disk, 0 for a folder.
is_disk() {
    case $1 in
        */disk.[0-9]*) echo 1 ;;
        *) echo 0 ;;
    esac
}

# make_relative PATH FOLDER: the path as seen from the folder.
make_relative() { realpath -m -s --relative-to="$2" -- "$1"; }

# _of_vm VM_ID XPATH: an element of the VM's document.
_of_vm() {
    onevm show -x "$1" | "$ONE_LOCAL_VAR/remotes/datastore/xpath.rb" --stdin "$2" | tr -d '\0'
    echo
}

# disk_type: TYPE of the disk DST_PATH of the VM VMID. lcm_state [VM_ID]: the number of a VM's state.
disk_type() { _of_vm "$VMID" "/VM/TEMPLATE/DISK[DISK_ID=${DST_PATH##*.}]/TYPE"; }
lcm_state() { _of_vm "${1:-$VMID}" /VM/LCM_STATE; }

# migrate_other "$@": runs the same action of the drivers of the VM's other disks (TEMPLATE_64 is its document),
# once each, with the name of this driver as a sixth argument. Does nothing when there is one already.
migrate_other() {
    local folder own name seen=' '
    [ -z "$6" ] || return 0
    folder=$(dirname -- "$0")
    own=$(basename -- "$(cd -- "$folder" && pwd)")
    for name in $(printf '%s' "$TEMPLATE_64" | base64 -d | "$folder/../../datastore/xpath.rb" --stdin \
        '%m%/VM/TEMPLATE/DISK/TM_MAD' | tr -d '\0'); do
        case $seen in *" $name "*) continue ;; esac
        seen="$seen$name "
        [ "$name" != "$own" ] || continue
        log "Call $name/${0##*/}"
        printf '%s' "$TEMPLATE_64" | "$folder/../$name/${0##*/}" "$@" "$own"
    done
}
