#!/bin/sh
# What Supervisor runs as the program "bootstrap": the parameters come from where the entrypoint kept them.
set -eu

note=/run/one/bootstrap.failed

. /run/supervisor/environment
unset ONE_LOCATION LD_PRELOAD LD_LIBRARY_PATH PYTHONHOME PYTHONPATH PYTHONSTARTUP
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

code=0
/usr/lib/one/venv/bin/python -m bootstrap || code=$?
[ "$code" != 0 ] || exit 0

# Normally bootstrap has noted why and told Supervisor to end; after a crash of its own it has not.
[ -s "$note" ] || echo "bootstrap: ended with code $code, see the messages above" > "$note"
kill -TERM "$PPID" 2>/dev/null || true
exit "$code"
