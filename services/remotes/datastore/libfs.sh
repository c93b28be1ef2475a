# Functions for datastore drivers written in bash, by the names that OpenNebula's have; README.md lists them.
# shellcheck shell=bash

_libfs_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# set_up_datastore BASE_PATH RESTRICTED_DIRS SAFE_DIRS: export them, the front-end's own folders restricted too.
set_up_datastore() {
    BASE_PATH=$1
    RESTRICTED_DIRS="${ONE_LOCATION:+$ONE_LOCATION/var} ${ONE_LOCATION:+$ONE_LOCATION/etc} $HOME $2"
    if [ -z "${ONE_LOCATION:-}" ]; then
        RESTRICTED_DIRS="/var/lib/one /etc/one $RESTRICTED_DIRS"
    fi
    SAFE_DIRS=$3
    export BASE_PATH RESTRICTED_DIRS SAFE_DIRS
}

# check_restricted PATH: prints 0 when an image may be copied from there, else 1.
check_restricted() {
    "$_libfs_folder/inspect" restricted "$1"
}

# image_format FILE, image_vsize FILE: prints the format, or the size of the disk in bytes; nothing for no image.
image_format() {
    "$_libfs_folder/inspect" format "$1" 2>/dev/null
}
image_vsize() {
    "$_libfs_folder/inspect" vsize "$1" 2>/dev/null
}

# file_size FILE: prints its bytes.
file_size() {
    stat -L -c %s -- "$1"
}

# generate_image_hash: prints a new name for the image of $ID. generate_image_path: its path below $BASE_PATH.
generate_image_hash() {
    printf '%s:%s:%s' "$(date +%s.%N)" "${ID:-}" "$$" | md5sum | cut -c 1-32
}
generate_image_path() {
    if [ -z "${BASE_PATH:-}" ]; then
        echo "generate_image_path: BASE_PATH is not set" >&2
        exit 1
    fi
    echo "$BASE_PATH/$(generate_image_hash)"
}

# set_downloader_args MD5 SHA1 NO_DECOMPRESS LIMIT SOURCE TARGET: prints the downloader's arguments, quoted for eval;
# an empty one is left out.
set_downloader_args() {
    local arguments=()
    if [ -n "$1" ]; then arguments+=(--md5 "$1"); fi
    if [ -n "$2" ]; then arguments+=(--sha1 "$2"); fi
    case $3 in [yY][eE][sS]) arguments+=(--nodecomp) ;; esac
    if [ -n "$4" ]; then arguments+=(--limit "$4"); fi
    if [ -n "$5" ]; then arguments+=("$5"); fi
    if [ -n "$6" ]; then arguments+=("$6"); fi
    local argument
    for argument in "${arguments[@]}"; do
        printf "'%s' " "${argument//\'/\'\\\'\'}"
    done
}

# fs_size SOURCE NO_DECOMPRESS LIMIT: prints the size in MB that it has as an image; else why not, and fails.
fs_size() {
    local said
    if said=$("$_libfs_folder/inspect" size "$1" "${2:-}" "${3:-}" 2>&1); then
        echo "$said"
    else
        echo "$said" | grep -v '^ERROR MESSAGE'
        return 1
    fi
}

# remove_off_hosts HOSTS: prints those that are not off, in error or disabled; all when the core does not answer.
remove_off_hosts() {
    local off host kept=()
    if ! off=$(onehost list --no-pager --csv --filter="STAT=off,STAT=err,STAT=dsbl" --list=NAME,STAT 2>/dev/null); then
        echo "$1"
        return 1
    fi
    off=$(echo "$off" | tail -n +2 | cut -d, -f1)
    for host in $1; do
        grep -qxF -- "$host" <<<"$off" || kept+=("$host")
    done
    echo "${kept[*]}"
}

# get_destination_host [NUMBER]: prints one of BRIDGE_LIST that is on, in turn by the number, else by chance.
get_destination_host() {
    local hosts
    read -r -a hosts <<<"$(remove_off_hosts "${BRIDGE_LIST:-}")"
    if [ ${#hosts[@]} -eq 0 ]; then
        printf 'ERROR MESSAGE --8<------\n%s\nERROR MESSAGE ------>8--\n' \
            "All hosts from 'BRIDGE_LIST' are offline, error or disabled" >&2
        exit 1
    fi
    echo "${hosts[$((${1:-$RANDOM} % ${#hosts[@]}))]}"
}
