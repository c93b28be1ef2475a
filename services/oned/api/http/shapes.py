"""The types of OpenNebula's documents, for their form in JSON: which elements are numbers, which lists.

Written down in a small notation: ``NAME`` is a text, ``NAME#`` a whole number, ``NAME%`` a number,
``NAME(…)`` an element with those inside and ``NAME{…}`` one that holds any attributes besides; ``*``
behind it marks a list, and ``@NAME`` stands for a definition of that name. Where two schemas of release
6.0 disagree about a type, the number counts. Source: the XSDs of release 6.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Attributes of templates that may occur many times, and are therefore lists even when there is one.
REPEATED_ATTRIBUTES = frozenset(
    {
        *("AFFINED", "ANTI_AFFINED", "AR", "DISK", "HOST_AFFINED", "HOST_ANTI_AFFINED", "HUGEPAGE", "INPUT"),
        *("NIC", "NIC_ALIAS", "NODE", "NUMA_NODE", "PCI", "ROLE", "RULE", "SCHED_ACTION", "SERVER"),
        *("SECURITY_GROUP_RULE", "SNAPSHOT", "VCENTER_DS_REF", "VCENTER_RESOURCE_POOL_INFO"),
    }
)

_DEFINITIONS = {
    "IDS": "(ID#*)",
    "OWNED": "ID# UID# GID# UNAME GNAME NAME PERMISSIONS(OWNER_U# OWNER_M# OWNER_A# GROUP_U# GROUP_M# "
    "GROUP_A# OTHER_U# OTHER_M# OTHER_A#) LOCK(LOCKED# OWNER# TIME# REQ_ID#)",
    "SNAPSHOTS": "(ALLOW_ORPHANS CURRENT_BASE# DISK_ID# NEXT_SNAPSHOT# SNAPSHOT(ACTIVE CHILDREN DATE# ID# "
    "NAME PARENT# SIZE#)*)",
    "QUOTAS": "DATASTORE_QUOTA(DATASTORE(ID# IMAGES# IMAGES_USED# SIZE# SIZE_USED#)*) "
    "NETWORK_QUOTA(NETWORK(ID# LEASES# LEASES_USED#)*) VM_QUOTA(VM(CPU% CPU_USED% MEMORY# "
    "MEMORY_USED# RUNNING_CPU% RUNNING_CPU_USED% RUNNING_MEMORY# RUNNING_MEMORY_USED# "
    "RUNNING_VMS# RUNNING_VMS_USED# SYSTEM_DISK_SIZE# SYSTEM_DISK_SIZE_USED# VMS# VMS_USED#)) "
    "IMAGE_QUOTA(IMAGE(ID# RVMS# RVMS_USED#)*)",
    "SAMPLE": "{CPU% DISKRDBYTES# DISKRDIOPS# DISKWRBYTES# DISKWRIOPS# ID# MEMORY# NETTX# NETRX# "
    "TIMESTAMP# DISK_SIZE(ID# SIZE#)* CAPACITY{FREE_CPU# FREE_MEMORY# USED_CPU# USED_MEMORY#} "
    "SYSTEM{NETRX# NETTX#}}",
    "RECORD": "OID# SEQ# HOSTNAME HID# CID# STIME# ETIME# VM_MAD TM_MAD DS_ID# PSTIME# PETIME# RSTIME# "
    "RETIME# ESTIME# EETIME# ACTION# UID# GID# REQUEST_ID",
    "VM": "(@OWNED LAST_POLL# STATE# LCM_STATE# PREV_STATE# PREV_LCM_STATE# RESCHED# STIME# ETIME# "
    "DEPLOY_ID MONITORING@SAMPLE TEMPLATE{} USER_TEMPLATE{} HISTORY_RECORDS(HISTORY(@RECORD)*) "
    "SNAPSHOTS@SNAPSHOTS*)",
}

_DOCUMENTS = """
ACL(ID# USER RESOURCE RIGHTS ZONE STRING)
CLUSTER(ID# NAME HOSTS@IDS DATASTORES@IDS VNETS@IDS TEMPLATE{})
DATASTORE(@OWNED DS_MAD TM_MAD BASE_PATH TYPE# DISK_TYPE# STATE# CLUSTERS@IDS TOTAL_MB# FREE_MB# USED_MB#
  IMAGES@IDS TEMPLATE{})
DEFAULT_GROUP_QUOTAS(@QUOTAS)
DEFAULT_USER_QUOTAS(@QUOTAS)
DOCUMENT(@OWNED TYPE# TEMPLATE{})
GROUP(ID# NAME TEMPLATE{} USERS@IDS ADMINS@IDS @QUOTAS DEFAULT_GROUP_QUOTAS(@QUOTAS))
HISTORY_RECORDS(HISTORY(@RECORD VM@VM)*)
HOOK(ID# NAME TYPE LOCK(LOCKED# OWNER# TIME# REQ_ID#) TEMPLATE{} HOOKLOG(HOOK_EXECUTION_RECORD(HOOK_ID#
  EXECUTION_ID# TIMESTAMP# ARGUMENTS EXECUTION_RESULT(COMMAND STDOUT STDERR CODE#) REMOTE_HOST RETRY)*))
HOOKLOG(HOOK_EXECUTION_RECORD(HOOK_ID# EXECUTION_ID# TIMESTAMP# ARGUMENTS EXECUTION_RESULT(COMMAND STDOUT
  STDERR CODE#) REMOTE_HOST RETRY)*)
HOST(ID# NAME STATE# PREV_STATE# IM_MAD VM_MAD CLUSTER_ID# CLUSTER HOST_SHARE(MEM_USAGE# CPU_USAGE#
  TOTAL_MEM# TOTAL_CPU# MAX_MEM# MAX_CPU# RUNNING_VMS# VMS_THREAD# DATASTORES(DISK_USAGE# FREE_DISK#
  MAX_DISK# USED_DISK# DS(ID# FREE_MB# TOTAL_MB# USED_MB#)*) PCI_DEVICES(PCI{}*) NUMA_NODES(NODE(CORE(CPUS
  DEDICATED FREE# ID#)* HUGEPAGE(FREE# PAGES# SIZE# USAGE#)* MEMORY(DISTANCE FREE# TOTAL# USAGE# USED#)
  NODE_ID#)*)) VMS@IDS TEMPLATE{} MONITORING@SAMPLE)
IMAGE(@OWNED TYPE# DISK_TYPE# PERSISTENT# REGTIME# SOURCE PATH FORMAT FS SIZE# STATE# PREV_STATE#
  RUNNING_VMS# CLONING_OPS# CLONING_ID# TARGET_SNAPSHOT# DATASTORE_ID# DATASTORE VMS@IDS CLONES@IDS
  APP_CLONES@IDS TEMPLATE{} SNAPSHOTS@SNAPSHOTS)
MARKETPLACE(@OWNED MARKET_MAD ZONE_ID# TOTAL_MB# FREE_MB# USED_MB# MARKETPLACEAPPS@IDS TEMPLATE{})
MARKETPLACEAPP(@OWNED REGTIME# ZONE_ID# ORIGIN_ID# SOURCE MD5 SIZE# DESCRIPTION VERSION FORMAT APPTEMPLATE64
  MARKETPLACE_ID# MARKETPLACE STATE# TYPE# TEMPLATE{})
MONITORING_DATA(MONITORING@SAMPLE*)
OPENNEBULA_CONFIGURATION{MANAGER_TIMER# MAX_CONN# MAX_CONN_BACKLOG# MESSAGE_SIZE#
  MONITORING_INTERVAL_DATASTORE# MONITORING_INTERVAL_DB_UPDATE# MONITORING_INTERVAL_HOST#
  MONITORING_INTERVAL_MARKET# MONITORING_INTERVAL_VM# NETWORK_SIZE# PORT# SESSION_EXPIRATION_TIME# TIMEOUT#
  AUTH_MAD{}* AUTH_MAD_CONF{}* CLUSTER_ENCRYPTED_ATTR* DATASTORE_ENCRYPTED_ATTR* DATASTORE_MAD{}*
  DOCUMENT_ENCRYPTED_ATTR* DS_MAD_CONF{}* GROUP_RESTRICTED_ATTR* HOST_ENCRYPTED_ATTR* IMAGE_ENCRYPTED_ATTR*
  IMAGE_RESTRICTED_ATTR* IM_MAD{}* INHERIT_DATASTORE_ATTR* INHERIT_IMAGE_ATTR* INHERIT_VNET_ATTR*
  IPAM_MAD{}* MARKET_MAD{}* MARKET_MAD_CONF{}* TM_MAD{}* TM_MAD_CONF{}* USER_RESTRICTED_ATTR*
  VM_ENCRYPTED_ATTR* VM_MAD{}* VM_RESTRICTED_ATTR* VNET_ENCRYPTED_ATTR* VNET_RESTRICTED_ATTR*
  VN_MAD_CONF{}*}
QUOTAS(ID# @QUOTAS)
RAFT(SERVER_ID# STATE# TERM# VOTEDFOR# COMMIT# LOG_INDEX# LOG_TERM# FEDLOG_INDEX#)
SECURITY_GROUP(@OWNED UPDATED_VMS@IDS OUTDATED_VMS@IDS UPDATING_VMS@IDS ERROR_VMS@IDS TEMPLATE{})
SHOWBACK_RECORDS(SHOWBACK(VMID# VMNAME UID# GID# UNAME GNAME YEAR# MONTH# CPU_COST% MEMORY_COST% DISK_COST%
  TOTAL_COST% HOURS% RHOURS%)*)
USER(ID# GID# GROUPS@IDS GNAME NAME PASSWORD AUTH_DRIVER ENABLED# LOGIN_TOKEN(TOKEN EXPIRATION_TIME# EGID#)*
  TEMPLATE{} @QUOTAS DEFAULT_USER_QUOTAS(@QUOTAS))
VDC(ID# NAME GROUPS@IDS CLUSTERS(CLUSTER(ZONE_ID# CLUSTER_ID#)*) HOSTS(HOST(ZONE_ID# HOST_ID#)*)
  DATASTORES(DATASTORE(ZONE_ID# DATASTORE_ID#)*) VNETS(VNET(ZONE_ID# VNET_ID#)*) TEMPLATE{})
VM@VM
VM_GROUP(@OWNED ROLES(ROLE{ID#}*) TEMPLATE{})
VMTEMPLATE(@OWNED REGTIME# TEMPLATE{})
VNET(@OWNED CLUSTERS@IDS BRIDGE BRIDGE_TYPE PARENT_NETWORK_ID VN_MAD PHYDEV VLAN_ID OUTER_VLAN_ID
  VLAN_ID_AUTOMATIC OUTER_VLAN_ID_AUTOMATIC USED_LEASES# VROUTERS@IDS TEMPLATE{} AR_POOL(AR{AR_ID# SIZE#
  USED_LEASES# LEASES(LEASE(IP IP6 IP6_GLOBAL IP6_LINK IP6_ULA MAC VM# VNET# VROUTER#)*)}*))
VNTEMPLATE(@OWNED REGTIME# TEMPLATE{})
VROUTER(@OWNED VMS@IDS TEMPLATE{})
WAITING(ID# STATE# LCM_STATE# SINCE# ATTEMPT# DEADLINE# WAITS_FOR NEXT_STEP OPERATION HOST ERROR)
ZONE(ID# NAME TEMPLATE{} SERVER_POOL(SERVER(ENDPOINT ID# NAME STATE# TERM# VOTEDFOR# COMMIT# LOG_INDEX#
  FEDLOG_INDEX#)*))
"""


@dataclass(slots=True)
class Shape:
    """What an element is in JSON; ``kind`` is text, integer, number, fields, or open (any others, too)."""

    kind: str
    is_list: bool = False
    fields: dict[str, Shape] = field(default_factory=dict)

    @property
    def lists(self) -> tuple[str, ...]:
        """The fields that are lists."""
        return tuple(name for name, shape in self.fields.items() if shape.is_list)


TEXT = Shape("text")
OPEN = Shape("open")
_TOKEN = re.compile(r"[A-Z][A-Z0-9_]*|[@#%*(){}]")
_KINDS = {"#": "integer", "%": "number"}


class _Reader:
    """Reads the notation; it is ours alone, so a fault in it is a bug and raises as such."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def fields(self) -> dict[str, Shape]:
        found: dict[str, Shape] = {}
        while self._at < len(self._tokens) and self._peek() not in ")}":
            if self._take("@"):
                found.update(_Reader(_DEFINITIONS[self._next()]).fields())
                continue
            name = self._next()
            found[name] = self.shape()
        return found

    def shape(self) -> Shape:
        shape = Shape("text")
        if self._take("@"):
            shape = _Reader(_DEFINITIONS[self._next()]).shape()
        elif self._take("("):
            shape = Shape("fields", fields=self.fields())
            assert self._take(")")
        elif self._take("{"):
            shape = Shape("open", fields=self.fields())
            assert self._take("}")
        elif self._peek() in _KINDS:
            shape = Shape(_KINDS[self._next()])
        shape.is_list = self._take("*")
        return shape

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else " "

    def _next(self) -> str:
        self._at += 1
        return str(self._tokens[self._at - 1])

    def _take(self, token: str) -> bool:
        found = self._peek() == token
        self._at += found
        return found


# The shape of every document by its root element; pools hold these.
SHAPES: dict[str, Shape] = _Reader(_DOCUMENTS).fields()
