#!/bin/sh
# A working day of an operator, in lines as operators type them; each says which exit code it must have.
# Needs the one* commands in PATH and, unless it runs as oneadmin on the front-end, ONE_XMLRPC and ONE_AUTH.
# Everything is made with the prefix "tour-" and is gone at the end.
set -u
count=0
id=

fail() {
    echo "line $count: $1" >&2
    exit 1
}

# is CODE COMMAND...: run a command that must end with that code.
is() {
    wanted=$1
    shift
    count=$((count + 1))
    said=$("$@" 2>&1 </dev/null)
    code=$?
    [ "$code" = "$wanted" ] || fail "$* ended with $code instead of $wanted: $said"
}

# new COMMAND...: run a creation; its id is in $id, its template on standard input.
new() {
    count=$((count + 1))
    said=$("$@" 2>&1) || fail "$* ended with $?: $said"
    id=${said##*ID: }
    case $id in *[!0-9]* | '') fail "$* printed no id: $said" ;; esac
}

# shows TEXT COMMAND...: run a command whose output must hold the text.
shows() {
    wanted=$1
    shift
    count=$((count + 1))
    said=$("$@" 2>&1 </dev/null) || fail "$* ended with $?: $said"
    case $said in *"$wanted"*) ;; *) fail "$* does not show $wanted: $said" ;; esac
}

# until_shows TEXT COMMAND...: the same, within half a minute.
until_shows() {
    wanted=$1
    shift
    count=$((count + 1))
    tries=0
    while said=$("$@" 2>&1 </dev/null); do
        case $said in *"$wanted"*) return ;; esac
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "$* does not show $wanted: $said"
        sleep 0.3
    done
    fail "$* failed: $said"
}

# -- the infrastructure
new onecluster create tour-rack
new onehost create tour-a --im dummy --vm dummy --cluster tour-rack
new onehost create tour-b --im dummy --vm dummy --cluster tour-rack
until_shows on onehost list -f NAME=tour-a --csv --no-header -l STAT
until_shows on onehost list -f NAME=tour-b --csv --no-header -l STAT
shows tour-rack onehost show tour-a
new onedatastore create -c tour-rack - <<'T'
NAME="tour-img"
TYPE="IMAGE_DS"
DS_MAD="dummy"
TM_MAD="dummy"
T
new onedatastore create -c tour-rack - <<'T'
NAME="tour-sys"
TYPE="SYSTEM_DS"
TM_MAD="dummy"
T
shows tour-sys onedatastore list -l NAME --adjust NAME
new onevnet create -c tour-rack - <<'T'
NAME="tour-net"
VN_MAD="dummy"
BRIDGE="br7"
AR=[TYPE="IP4",IP="10.77.0.10",SIZE="20"]
T
is 0 onevnet hold tour-net 10.77.0.29
is 0 onevnet release tour-net 10.77.0.29
shows 10.77.0.10 onevnet show tour-net
new onesecgroup create - <<'T'
NAME="tour-web"
RULE=[PROTOCOL="TCP",RULE_TYPE="inbound",RANGE="80,443"]
T
shows 80,443 onesecgroup show tour-web
# -- people, rights and quotas
new onegroup create tour-devs
new oneuser create tour-ann secret-1 --group tour-devs
shows tour-devs oneuser show tour-ann
is 0 oneuser passwd tour-ann secret-2
is 255 oneuser show --user tour-ann --password secret-1
is 0 oneuser show --user tour-ann --password secret-2
is 255 onehost create tour-c -i dummy -v dummy --user tour-ann --password secret-2
new oneacl create '@1 HOST/#0 ADMIN'
acl=$id
shows -H- oneacl list
is 0 oneacl delete "$acl"
count=$((count + 1))
printf 'VM=[VMS="3",MEMORY="4096",CPU="2",SYSTEM_DISK_SIZE="-1"]\n' | oneuser quota tour-ann - || fail "quota"
shows '/       3' oneuser show tour-ann
new onevdc create tour-vdc
is 0 onevdc addgroup tour-vdc tour-devs
is 0 onevdc addcluster tour-vdc 0 tour-rack
# -- images and templates
new oneimage create -d tour-img --name tour-os --type OS --path /etc/hostname --prefix vd
new oneimage create -d tour-img --name tour-data --type DATABLOCK --size 1g --fs ext4 --persistent
until_shows rdy oneimage list -f NAME=tour-os --csv --no-header -l STAT
until_shows rdy oneimage list -f NAME=tour-data --csv --no-header -l STAT
is 0 oneimage chmod tour-os 644
is 0 oneimage lock tour-data --admin
is 255 oneimage delete tour-nothing
is 0 oneimage unlock tour-data
new oneimage clone tour-os tour-os2
until_shows rdy oneimage list -f NAME=tour-os2 --csv --no-header -l STAT
is 0 oneimage disable tour-os2
is 0 oneimage enable tour-os2
is 0 oneimage delete tour-os2
new onetemplate create --name tour-tmpl --cpu 0.1 --vcpu 1 --memory 128 --disk tour-os --nic tour-net --vnc --ssh
shows tour-os onetemplate show tour-tmpl
is 0 onetemplate chmod tour-tmpl 644
new onetemplate clone tour-tmpl tour-tmpl2
is 0 onetemplate rename tour-tmpl2 tour-tmpl3
is 0 onetemplate delete tour-tmpl3
# -- machines
new onetemplate instantiate tour-tmpl --name tour-vm --hold
vm=$id
is 0 onevm deploy tour-vm tour-b tour-sys
is 0 onevm wait tour-vm --timeout 60
shows 10.77.0. onevm list -f NAME=tour-vm --csv --no-header -l IP
shows runn onevm list -f NAME=tour-vm --csv --no-header -l STAT
is 0 onevm suspend tour-vm
is 0 onevm wait tour-vm --state SUSPENDED --timeout 60
is 0 onevm resume tour-vm
is 0 onevm wait tour-vm --timeout 60
is 0 onevm migrate --live tour-vm tour-a
until_shows runn onevm list -f NAME=tour-vm --csv --no-header -l STAT
is 0 onevm migrate --live tour-vm tour-b
is 0 onevm wait tour-vm --timeout 60
shows tour-b onevm show tour-vm
is 0 onevm snapshot-create tour-vm before
is 0 onevm wait tour-vm --timeout 60
is 0 onevm snapshot-revert tour-vm before
is 0 onevm wait tour-vm --timeout 60
is 0 onevm snapshot-delete tour-vm before
is 0 onevm wait tour-vm --timeout 60
is 0 onevm disk-snapshot-create tour-vm 0 first
is 0 onevm wait tour-vm --timeout 60
is 0 onevm disk-attach tour-vm --image tour-data --target vdb
is 0 onevm wait tour-vm --timeout 60
is 0 onevm disk-detach tour-vm 2
is 0 onevm wait tour-vm --timeout 60
is 0 onevm nic-attach tour-vm --network tour-net
is 0 onevm wait tour-vm --timeout 60
is 0 onevm nic-detach tour-vm 1
is 0 onevm wait tour-vm --timeout 60
is 0 onevm poweroff tour-vm
is 0 onevm wait tour-vm --state POWEROFF --timeout 60
is 0 onevm resize tour-vm --memory 256 --cpu 0.2
shows 256M onevm list -f NAME=tour-vm --csv --no-header -l MEM
is 0 onevm resume tour-vm
is 0 onevm wait tour-vm --timeout 60
is 0 onevm undeploy tour-vm --hard
is 0 onevm wait tour-vm --state UNDEPLOYED --timeout 60
is 0 onevm deploy tour-vm tour-a tour-sys
is 0 onevm wait tour-vm --timeout 60
is 0 onevm terminate tour-vm --schedule +86400
is 0 onevm delete-chart tour-vm 0
is 0 onevm reboot tour-vm
is 0 onevm lock tour-vm --all
is 0 onevm unlock tour-vm
is 0 onevm chown tour-vm tour-ann tour-devs
shows tour-vm onevm list --user tour-ann --password secret-2
is 255 onevm recover tour-vm
is 0 onevm recover tour-vm --recreate
is 0 onevm wait tour-vm --timeout 60
shows runn onevm list -f ID="$vm" --csv --no-header -l STAT
is 255 onevm show tour-nothing
is 0 onevm terminate --hard tour-vm
is 0 onevm wait "$vm" --state DONE --timeout 60
# -- and everything away again
is 0 onetemplate delete tour-tmpl
until_shows rdy oneimage list -f NAME=tour-data --csv --no-header -l STAT
is 0 oneimage delete tour-os,tour-data
is 0 onevdc delete tour-vdc
is 0 oneuser delete tour-ann
is 0 onegroup delete tour-devs
is 0 onesecgroup delete tour-web
is 0 onevnet delete tour-net
until_shows '' onedatastore show tour-img
is 0 onehost flush tour-a
is 0 onehost delete tour-a,tour-b
is 0 onecluster deldatastore tour-rack tour-sys
is 0 onecluster deldatastore tour-rack tour-img
is 0 onedatastore delete tour-sys
is 0 onedatastore delete tour-img
is 0 onecluster delete tour-rack
echo "$count lines"
