#!/bin/sh
# crond.sh CONF: logrotate every hour, as the user that the logs belong to.
state=/var/log/one/.logrotate.status
while sleep 3600; do
    /usr/sbin/logrotate --state "$state" "$1" || echo "crond: logrotate ended with code $?; trying again in an hour" >&2
done
