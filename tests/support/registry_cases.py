"""How to call every method of the registry: arguments by their names, and the few that need their own.

A text that begins with "@" is the id of an object of the furnished zone. A new row is covered when its
parameters have usual names; otherwise it needs a Case here, and the walk over the registry fails until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.oned.api.registry import Method

AUTHORIZATION, NO_EXISTS, ACTION, XML_RPC_API, INTERNAL = 0x200, 0x400, 0x800, 0x1000, 0x2000
ALLOCATE, REPLICATION = 0x4000, 0x10000


@dataclass(frozen=True)
class Case:
    """What differs from the usual for one method.

    args: by parameter. before: calls that are made first. refused: the code with which even oneadmin is
    refused, for what this version does not do. anyone: no right is needed. denied: the code for a user
    without rights. missing: the code by parameter when its object is not there; 0: that is no fault.
    has_schema: whether the published schema is the answer's.
    """

    args: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[tuple[Any, ...], ...] = ()
    refused: int = 0
    anyone: bool = False
    denied: int = AUTHORIZATION
    has_schema: bool = True
    missing: Mapping[str, int] = field(default_factory=dict)


# Parameters that name an object of the zone, and what is taken for them.
OBJECTS = {
    f"{name}_id": f"@{name}"
    for name in (
        *("acl", "app", "cluster", "datastore", "document", "group", "hook", "host", "image", "market"),
        *("secgroup", "template", "user", "vdc", "vm", "vmgroup", "vnet", "vntemplate", "vrouter", "zone"),
    )
} | {"new_uid": "@user", "new_gid": "@group"}
_OFF = ("decrypt", "extended", "recursive", "force", "test", "hold", "persistent", "live")
_ANY = ("start_id", "end_id", "start_time", "end_time", "min_time", "max_time", "seconds", "state")
# What other parameters get.
VALUES: dict[str, Any] = (
    {f"{who}_{right}": 1 for who in ("user", "group", "other") for right in ("use", "manage", "admin")}
    | dict.fromkeys((*_OFF, "enforce", "check_capacity", "recover", "federate"), False)
    | dict.fromkeys((*_ANY, "first_month", "first_year", "last_month", "last_year"), -1)
    | dict.fromkeys(("ar_id", "disk_id", "nic_id", "snapshot_id", "server_id", "execution_id"), 0)
    | {
        "ar_template": "AR=[TYPE=IP4,IP=10.1.0.1,SIZE=5]",
        "doc_type": 100,
        "driver": "core",
        "enable": True,
        "extra_template": "",
        "filter_flag": -2,
        "groups": [],
        "lease_template": "LEASES=[IP=10.0.0.8]",
        "level": 1,
        "name": "fresh",
        "password": "pw-new",
        "quotas": "VM=[VMS=-2]",
        "rc_filter": 0,
        "search": "",
        "template": "NAME=fresh\nNOTE=1",
        "update_type": 1,
        "vm_ids": "0,1",
    }
)
_VM = {"template": "CPU=0.1\nMEMORY=16"}
_ANYONE = Case(anyone=True)
_FREE_IMAGE = Case({"image_id": "@spare_image"})
_LAYERED = {"image_id": "@layered_image"}
_RUNNING, _OFF_DISK = {"vm_id": "@running_vm"}, {"vm_id": "@off_vm", "disk_id": 2}
_APP_XML = (
    "<MARKETPLACEAPP><ID>0</ID><UID>0</UID><GID>0</GID><UNAME>oneadmin</UNAME><GNAME>oneadmin</GNAME>"
    "<REGTIME>1</REGTIME><NAME>fresh</NAME><ZONE_ID>0</ZONE_ID><ORIGIN_ID>0</ORIGIN_ID><SOURCE>s</SOURCE>"
    "<MD5/><SIZE>1</SIZE><DESCRIPTION/><VERSION>1</VERSION><FORMAT/><APPTEMPLATE64/>"
    "<MARKETPLACE_ID>{market}</MARKETPLACE_ID><MARKETPLACE>shop</MARKETPLACE><STATE>1</STATE><TYPE>1</TYPE>"
    "<PERMISSIONS><OWNER_U>1</OWNER_U><OWNER_M>1</OWNER_M><OWNER_A>0</OWNER_A><GROUP_U>0</GROUP_U>"
    "<GROUP_M>0</GROUP_M><GROUP_A>0</GROUP_A><OTHER_U>0</OTHER_U><OTHER_M>0</OTHER_M><OTHER_A>0</OTHER_A>"
    "</PERMISSIONS><TEMPLATE/></MARKETPLACEAPP>"
)
_MARKET_XML = (
    "<MARKETPLACE><ID>{market}</ID><UID>0</UID><GID>0</GID><UNAME>oneadmin</UNAME><GNAME>oneadmin</GNAME>"
    "<NAME>fresh</NAME><MARKET_MAD>dummy</MARKET_MAD><ZONE_ID>0</ZONE_ID><TOTAL_MB>0</TOTAL_MB>"
    "<FREE_MB>0</FREE_MB><USED_MB>0</USED_MB><MARKETPLACEAPPS/><PERMISSIONS><OWNER_U>1</OWNER_U>"
    "<OWNER_M>1</OWNER_M><OWNER_A>0</OWNER_A><GROUP_U>0</GROUP_U><GROUP_M>0</GROUP_M><GROUP_A>0</GROUP_A>"
    "<OTHER_U>0</OTHER_U><OTHER_M>0</OTHER_M><OTHER_A>0</OTHER_A></PERMISSIONS>"
    "<TEMPLATE><MARKET_MAD>dummy</MARKET_MAD></TEMPLATE></MARKETPLACE>"
)
_ZONE_XML = (
    "<ZONE><ID>0</ID><NAME>fresh</NAME><TEMPLATE><ENDPOINT>e</ENDPOINT></TEMPLATE><SERVER_POOL/></ZONE>"
)
_SERVER = "SERVER=[NAME=s,ENDPOINT=http://s:2633/RPC2]"
_LOG = (
    *("leader_id", "leader_commit", "leader_term", "log_index", "log_term"),
    *("prev_index", "prev_term", "fed_index"),
)
_VOTE = ("candidate_term", "candidate_id", "candidate_log_index", "candidate_log_term")
_POOLS_FOR_ANYONE = (
    *("cluster", "datastore", "document", "group", "hook", "host", "image", "market", "marketapp"),
    *("secgroup", "template", "user", "vdc", "vm", "vmgroup", "vn", "vntemplate", "vrouter", "zone"),
)

CASES: dict[str, Case] = {
    # A list shows what the caller may see, which may be nothing.
    **{f"one.{name}pool.info": _ANYONE for name in _POOLS_FOR_ANYONE},
    "one.acl.addrule": Case({"user": "0x200000001", "resource": "0x1400000000", "rights": "0x1", "zone": ""}),
    "one.acl.delrule": Case(missing={"acl_id": INTERNAL}),
    # A host has one cluster only, whichever the call names.
    "one.cluster.delhost": Case(missing={"cluster_id": 0}),
    "one.datastore.allocate": Case({"template": "NAME=fresh\nDS_MAD=fs\nTM_MAD=dummy"}),
    "one.datastore.delete": Case({"datastore_id": "@empty_datastore"}),
    "one.datastore.enable": Case({"datastore_id": 0}),
    "one.datastore.info": Case({"datastore_id": "@empty_datastore"}),
    "one.group.addadmin": Case({"user_id": "@stranger", "group_id": "@strangers"}),
    "one.group.delete": Case({"group_id": "@empty_group"}),
    "one.groupquota.info": _ANYONE,
    "one.hook.allocate": Case(
        {"template": "NAME=fresh\nTYPE=api\nCALL=one.vm.allocate\nCOMMAND=/bin/true\nARGUMENTS=x"}
    ),
    "one.hook.update": Case({"template": "TYPE=api\nCALL=one.vm.allocate\nCOMMAND=/bin/false"}),
    "one.hooklog.info": Case({"hook_id": -1}, missing={"hook_id": 0}),
    "one.host.allocate": Case({"im_mad": "dummy", "vmm_mad": "dummy"}),
    "one.host.delete": Case({"host_id": "@free_host"}),
    "one.host.status": Case({"status": 1}),
    "one.hostpool.monitoring": _ANYONE,
    "one.image.allocate": Case({"template": "NAME=fresh\nTYPE=DATABLOCK\nSIZE=5"}),
    "one.image.chtype": Case({"image_id": "@spare_image", "type": "CDROM"}),
    "one.image.delete": _FREE_IMAGE,
    "one.image.enable": _FREE_IMAGE,
    "one.image.persistent": _FREE_IMAGE,
    "one.image.snapshotdelete": Case(_LAYERED | {"snapshot_id": 2}),
    "one.image.snapshotflatten": Case(_LAYERED | {"snapshot_id": 1}),
    "one.image.snapshotrevert": Case(_LAYERED | {"snapshot_id": 1}),
    "one.market.allocate": Case({"template": "NAME=fresh\nMARKET_MAD=dummy"}),
    "one.market.allocatedb": Case({"market_xml": _MARKET_XML}),
    "one.market.delete": Case({"market_id": "@empty_market"}),
    "one.market.updatedb": Case({"market_xml": _MARKET_XML}),
    # Marketplaces, their appliances and zones are everybody's to look at, by a rule of the fresh zone.
    "one.market.info": _ANYONE,
    "one.marketapp.info": _ANYONE,
    "one.zone.info": _ANYONE,
    "one.marketapp.allocate": Case(
        {"template": "NAME=fresh\nORIGIN_ID={spare_image}"}, missing={"market_id": INTERNAL}
    ),
    "one.marketapp.allocatedb": Case({"app_xml": _APP_XML}),
    "one.marketapp.updatedb": Case({"app_xml": _APP_XML}),
    # The schema does not know every driver setting of the stock oned.conf.
    "one.system.config": Case(has_schema=False),
    "one.system.sql": Case({"sql": "UPDATE user_pool SET uid = 0 WHERE oid = 0"}),
    "one.system.sqlquery": Case({"sql": "SELECT oid, name FROM user_pool"}),
    "one.system.version": _ANYONE,
    "one.user.addgroup": Case({"group_id": "@empty_group"}),
    "one.user.delgroup": Case({"group_id": 1}),
    "one.user.login": Case({"name": "alice", "token": "", "valid_period": 60, "egid": 100}),
    "one.userquota.info": _ANYONE,
    "one.vdc.addcluster": Case({"cluster_id": "@empty_cluster"}),
    "one.vdc.addgroup": Case({"group_id": "@empty_group"}),
    "one.vdc.addhost": Case({"host_id": "@other_host"}),
    "one.vdc.allocate": Case(missing={"cluster_id": 0}),
    # What a VDC has need not exist any more.
    "one.vdc.delcluster": Case(missing={"zone_id": INTERNAL, "cluster_id": INTERNAL}),
    "one.vdc.deldatastore": Case(
        {"datastore_id": 1}, missing={"zone_id": INTERNAL, "datastore_id": INTERNAL}
    ),
    "one.vdc.delgroup": Case(missing={"group_id": INTERNAL}),
    "one.vdc.delhost": Case(missing={"zone_id": INTERNAL, "host_id": INTERNAL}),
    "one.vdc.delvnet": Case(
        before=(("one.vdc.addvnet", "@vdc", 0, "@vnet"),),
        missing={"zone_id": INTERNAL, "vnet_id": INTERNAL},
    ),
    "one.vm.action": Case({"action": "release"}),
    "one.vm.allocate": Case(_VM),
    "one.vm.attach": Case(_RUNNING | {"template": "DISK=[SIZE=5,TYPE=fs]"}),
    "one.vm.attachnic": Case(_RUNNING | {"template": "NIC=[NETWORK_ID={vnet}]"}),
    "one.vm.deploy": Case({"vm_id": "@pending_vm", "datastore_id": -1}),
    "one.vm.detach": Case(_RUNNING),
    "one.vm.detachnic": Case(_RUNNING),
    "one.vm.diskresize": Case(_OFF_DISK | {"disk_id": 1, "size": "50"}),
    "one.vm.disksaveas": Case(_OFF_DISK | {"disk_id": 0, "type": "", "snapshot_id": -1}),
    "one.vm.disksnapshotcreate": Case(_OFF_DISK),
    "one.vm.disksnapshotdelete": Case(_OFF_DISK | {"snapshot_id": 1}),
    "one.vm.disksnapshotrename": Case(_OFF_DISK),
    "one.vm.disksnapshotrevert": Case(_OFF_DISK | {"snapshot_id": 1}),
    "one.vm.migrate": Case(
        _RUNNING | {"host_id": "@other_host", "live": True, "datastore_id": -1, "migration_type": 0}
    ),
    "one.vm.recover": Case({"vm_id": "@stuck_vm", "operation": 2}),
    "one.vm.resize": Case({"template": "CPU=0.2\nMEMORY=32"}),
    "one.vm.snapshotcreate": Case(_RUNNING),
    "one.vm.snapshotdelete": Case(_RUNNING),
    "one.vm.snapshotrevert": Case(_RUNNING),
    "one.vm.waiting": Case(has_schema=False),
    "one.vm.updateconf": Case({"template": "OS=[ARCH=x86_64]"}),
    "one.vmpool.accounting": _ANYONE,
    # The schema is that of the short form.
    "one.vmpool.infoextended": Case(anyone=True, has_schema=False),
    "one.vmpool.infoset": _ANYONE,
    "one.vmpool.monitoring": _ANYONE,
    "one.vmpool.showback": _ANYONE,
    "one.vn.allocate": Case({"template": "NAME=fresh\nVN_MAD=dummy\nBRIDGE=br9"}),
    "one.vn.delete": Case({"vnet_id": "@empty_vnet"}),
    "one.vn.free_ar": Case(
        {"ar_id": 1},
        before=(("one.vn.add_ar", "@vnet", "AR=[TYPE=ETHER,SIZE=3]"),),
    ),
    "one.vn.release": Case({"lease_template": "LEASES=[IP=10.0.0.9]"}),
    "one.vn.reserve": Case({"reservation_template": "SIZE=2\nNAME=part"}),
    "one.vn.rm_ar": Case({"ar_id": 1}, before=(("one.vn.add_ar", "@vnet", "AR=[TYPE=ETHER,SIZE=3]"),)),
    "one.vn.update_ar": Case({"ar_template": "AR=[AR_ID=0,NOTE=x]"}),
    "one.vntemplate.allocate": Case({"template": "NAME=fresh\nVN_MAD=dummy\nBRIDGE=br8"}),
    "one.vrouter.attachnic": Case({"template": "NIC=[NETWORK_ID={vnet}]"}),
    "one.vrouter.instantiate": Case({"vm_count": 1, "template_id": "@vrouter_template", "vm_name": ""}),
    # The servers of another zone are that zone's own affair.
    "one.zone.addserver": Case({"server_template": _SERVER}, missing={"zone_id": ACTION}),
    "one.zone.allocate": Case({"template": "NAME=fresh\nENDPOINT=http://z:2633/RPC2"}),
    "one.zone.delete": Case({"zone_id": "@other_zone"}),
    "one.zone.delserver": Case(before=(("one.zone.addserver", 0, _SERVER),), missing={"zone_id": ACTION}),
    "one.zone.resetserver": Case(missing={"zone_id": ACTION}),
    # Only a slave takes records, and no server follows another one.
    "one.zone.fedreplicate": Case({"log_index": 1, "prev_index": 0, "sql": "x"}, refused=REPLICATION),
    "one.zone.replicate": Case(dict.fromkeys(_LOG, 0) | {"sql": ""}),
    "one.zone.updatedb": Case({"zone_xml": _ZONE_XML}),
    "one.zone.voterequest": Case(dict.fromkeys(_VOTE, 0)),
}


def usual_arguments(row: Method, ids: Mapping[str, int]) -> list[Any]:
    """Arguments with which a method does what it is for. Raises KeyError for a parameter without a value."""
    known = OBJECTS | VALUES | dict(CASES.get(row.name, Case()).args)
    return [filled(known[param.name], ids) for param in row.params]


def filled(value: Any, ids: Mapping[str, int]) -> Any:
    """A value with the ids that it names."""
    if isinstance(value, str) and value.startswith("@"):
        return ids[value[1:]]
    return value.format_map(ids) if isinstance(value, str) and "{" in value else value
