"""The XML-RPC methods of OpenNebula release 6.0, by resource: what this interface is measured by."""

from __future__ import annotations

_METHODS = """
acl: addrule delrule info
cluster: adddatastore addhost addvnet allocate deldatastore delete delhost delvnet info rename
    update
clusterpool: info
datastore: allocate chmod chown delete enable info rename update
datastorepool: info
document: allocate chmod chown clone delete info lock rename unlock update
documentpool: info
group: addadmin allocate deladmin delete info quota update
grouppool: info
groupquota: info update
hook: allocate delete info lock rename retry unlock update
hooklog: info
hookpool: info
host: allocate delete info monitoring rename status update
hostpool: info monitoring
image: allocate chmod chown chtype clone delete enable info lock persistent rename snapshotdelete
    snapshotflatten snapshotrevert unlock update
imagepool: info
market: allocate allocatedb chmod chown delete info rename update updatedb
marketapp: allocate allocatedb chmod chown delete dropdb enable info lock rename unlock update
    updatedb
marketapppool: info
marketpool: info
secgroup: allocate chmod chown clone commit delete info rename update
secgrouppool: info
system: config sql sqlquery version
template: allocate chmod chown clone delete info instantiate lock rename unlock update
templatepool: info
user: addgroup allocate chauth chgrp delete delgroup enable info login passwd quota update
userpool: info
userquota: info update
vdc: addcluster adddatastore addgroup addhost addvnet allocate delcluster deldatastore delete
    delgroup delhost delvnet info rename update
vdcpool: info
vm: action allocate attach attachnic chmod chown deploy detach detachnic diskresize disksaveas
    disksnapshotcreate disksnapshotdelete disksnapshotrename disksnapshotrevert info lock migrate
    monitoring recover rename resize snapshotcreate snapshotdelete snapshotrevert unlock update
    updateconf
vmgroup: allocate chmod chown delete info lock rename unlock update
vmgrouppool: info
vmpool: accounting calculateshowback info infoextended infoset monitoring showback
vn: add_ar allocate chmod chown delete free_ar hold info lock release rename reserve rm_ar unlock
    update update_ar
vnpool: info
vntemplate: allocate chmod chown clone delete info instantiate lock rename unlock update
vntemplatepool: info
vrouter: allocate attachnic chmod chown delete detachnic info instantiate lock rename unlock update
vrouterpool: info
zone: addserver allocate delete delserver fedreplicate info raftstatus rename replicate resetserver
    update updatedb voterequest
zonepool: info
"""


def names() -> list[str]:
    """Every method's name, sorted."""
    found: list[str] = []
    resource = ""
    for word in _METHODS.split():
        if word.endswith(":"):
            resource = word[:-1]
        else:
            found.append(f"one.{resource}.{word}")
    return sorted(found)
