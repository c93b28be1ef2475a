# Read by bash before a script (BASH_ENV): notes the line and the command at which the script failed or left.
# Commands may hold secrets: only their first word is noted.
unset BASH_ENV
__onebox_note() {
    case "$2 ${3-}" in *__onebox_*) return 0 ;; esac
    set -- "$1" "${2%%[[:space:]]*}"
    printf '%s\t%s\n' "$1" "${2%%=*}" > "$ONEBOX_FAILED_NOTE"
}
# A failed command has been noted; "exit 1" and what the shell itself gives up at have not.
__onebox_exit() {
    case $1/$3 in
        0/*) ;;
        */exit*) __onebox_note "$2" "$3" ;;
        *) if [ ! -e "$ONEBOX_FAILED_NOTE" ]; then __onebox_note "$2" "$3"; fi ;;
    esac
}
# Before each command. Calling a trap counts as one, too, so there the script's own last is the one before.
trap '__onebox_before=${__onebox_last:-} __onebox_last="$LINENO $BASH_COMMAND"' DEBUG
trap '__onebox_note "${__onebox_before%% *}" "${__onebox_before#* }" "$BASH_COMMAND"' ERR
trap '__onebox_exit "$?" "${__onebox_before%% *}" "${__onebox_before#* }"' EXIT
set -o errtrace -o functrace
