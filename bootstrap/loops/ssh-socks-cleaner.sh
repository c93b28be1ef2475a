#!/bin/sh
# ssh-socks-cleaner.sh DIR: ends shared connections (control sockets in DIR) that are older than a minute.
# A client that comes while a master closes its socket fails. Renamed first, no client finds the old one: the next opens a
# new connection, and those that use the old one keep it until they are done.
dir=$1
while sleep 30; do
    find "$dir" -maxdepth 1 -type s -name 'ctl-M-*.sock' -mmin +1 2>/dev/null | while read -r socket; do
        old=$socket.old
        mv -f "$socket" "$old" 2>/dev/null || continue
        ssh -S "$old" -O stop unused </dev/null >/dev/null 2>&1
        rm -f "$old"
    done
done
