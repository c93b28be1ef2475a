# Runs a script for sh, POSIX mode, so that the line at which it fails can be noted.
__onebox_script=$1
shift
. "${BASH_SOURCE%/*}/note.bash"
set -o posix
shopt -s xpg_echo
BASH_ARGV0=$__onebox_script
. "$__onebox_script"
