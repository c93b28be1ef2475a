#!/bin/sh
# monitord-client_control.sh [start|stop] HYPERVISOR HOST_ID HOST_NAME, MONITOR_CONFIGURATION on stdin: the monitoring agent.
case $1 in
    start | stop) ;;
    *) set -- start "$@" ;;
esac
exec python3 "$(dirname "$(readlink -f "$0")")/../../lib/im_agent.py" "$@"
