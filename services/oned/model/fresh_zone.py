"""What a new front-end starts with: the objects that OpenNebula creates at its first start.

Everything is stored in one transaction. Source: the objects of a fresh zone of release 6.0.0.3.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from services.common.template import Template
from services.oned.config import OnedConf
from services.oned.model import acl
from services.oned.model.acl import Rule
from services.oned.model.base import Permissions, PoolObject
from services.oned.model.cluster import Cluster
from services.oned.model.datastore import Datastore, DatastoreType
from services.oned.model.group import Group
from services.oned.model.marketplace import Marketplace
from services.oned.model.secgroup import SecurityGroup
from services.oned.model.user import User
from services.oned.model.vdc import ALL_RESOURCES, Vdc
from services.oned.model.zone import Zone
from services.oned.store import Tx, bootstrap, clusters, pools, quotas

_LAST_SYSTEM_ID = 99
_ONEADMIN_GROUP = "oneadmin"
_SEEN_BY_ALL = Permissions([1, 1, 1, 1, 0, 0, 1, 0, 0])

_VDC_TEXT = (
    "Every new group is added to this VDC. Use it to store default access rules for your groups. "
    "NOTE: You may need to remove a group from the default VDC before assigning it to other VDC."
)
_SECGROUP_TEXT = (
    "The default security group is added to every network. "
    "Use it to add default filter rules for your networks. "
    "You may remove this security group from any network by updating its properties."
)
# (name, driver, description), by id
_MARKETPLACES = (
    ("OpenNebula Public", "one", "OpenNebula Systems MarketPlace"),
    (
        "Linux Containers",
        "linuxcontainers",
        "MarketPlace for the public image server fo LXC & LXD hosted at linuxcontainers.org",
    ),
    (
        "TurnKey Linux Containers",
        "turnkeylinux",
        "TurnKey linux is a free software repository based on Debian images hosted at turnkeylinux.org",
    ),
    (
        "DockerHub",
        "dockerhub",
        "DockerHub is the world's largest library and  community for container images "
        "hosted at hub.docker.com/",
    ),
)
_DIRECTORIES = {"ALLOW_ORPHANS": "YES", "SAFE_DIRS": "/var/tmp", "RESTRICTED_DIRS": "/", "TM_MAD": "ssh"}
_COPIES = {"LN_TARGET": "SYSTEM", "CLONE_TARGET": "SYSTEM", "DS_MAD": "fs"}
# (name, type, driver, template), by id
_DATASTORES = (
    (
        "system",
        DatastoreType.SYSTEM_DS,
        "-",
        {**_DIRECTORIES, "SHARED": "NO", "DS_MIGRATE": "YES", "DISK_TYPE": "FILE"},
    ),
    ("default", DatastoreType.IMAGE_DS, "fs", {**_DIRECTORIES, **_COPIES, "DISK_TYPE": "FILE"}),
    ("files", DatastoreType.FILE_DS, "fs", {**_DIRECTORIES, **_COPIES}),
)
_SUNSTONE = {
    "DEFAULT_VIEW": "cloud",
    "VIEWS": "cloud",
    "GROUP_ADMIN_DEFAULT_VIEW": "groupadmin",
    "GROUP_ADMIN_VIEWS": "groupadmin,cloud",
}
_USERS = acl.GROUP | 1
_HERE = acl.INDIVIDUAL  # zone 0
# The rules after these come from the default VDC.
_RULES = (
    (_USERS, acl.kinds("VM", "IMAGE", "TEMPLATE", "DOCUMENT", "SECGROUP", "VMGROUP"), 0b1000),
    (acl.ALL, acl.kinds("ZONE"), 0b0001),
    (acl.ALL, acl.kinds("MARKETPLACE", "MARKETPLACEAPP"), 0b0001),
)


@dataclass(frozen=True)
class FirstUser:
    """One of the two users of a fresh zone; ``password`` and ``token_password`` as they are stored."""

    name: str
    driver: str
    password: str = field(repr=False)
    token_password: str = field(repr=False)


def create(tx: Tx, conf: OnedConf, oneadmin: FirstUser, serveradmin: FirstUser) -> bool:
    """Make the objects, unless the database has a zone already; whether they were made."""
    if bootstrap.versions(tx) is not None:
        return False
    now = int(time.time())
    bootstrap.insert_versions(tx, now)
    _zone(tx, conf)
    _groups_and_users(tx, (oneadmin, serveradmin))
    _cluster_and_datastores(tx, conf, oneadmin.name)
    _shared_objects(tx, conf, oneadmin.name)
    bootstrap.insert_counter(tx, "user_pool", 1)
    for model in (Group, Cluster, Datastore, SecurityGroup, Vdc, Zone, Marketplace):
        bootstrap.insert_counter(tx, model.TABLE, _LAST_SYSTEM_ID)
    _rules(tx, conf)
    for kind in ("USER", "GROUP"):
        name = quotas.default_name(kind)
        bootstrap.insert_attribute(tx, name, f"<{name}>{quotas.EMPTY}</{name}>")
    bootstrap.insert_rest(tx, now)
    return True


def _store(tx: Tx, made: PoolObject) -> None:
    pools.insert(tx, made.TABLE, {"oid": made.oid, **made.columns()})


def _zone(tx: Tx, conf: OnedConf) -> None:
    zone = Zone(0, "OpenNebula")
    zone.template = Template([("ENDPOINT", f"http://localhost:{conf.port}/RPC2")])
    _store(tx, zone)


def _groups_and_users(tx: Tx, first: tuple[FirstUser, ...]) -> None:
    oneadmins, users = Group(0, _ONEADMIN_GROUP), Group(1, "users")
    oneadmins.users = list(range(len(first)))
    users.template.add("SUNSTONE", dict(_SUNSTONE))
    for group in (oneadmins, users):
        _store(tx, group)
        quotas.insert(tx, Group.KIND, group.oid)
    for uid, made in enumerate(first):
        user = User(uid, made.name, gid=0)
        user.gname, user.groups = _ONEADMIN_GROUP, [0]
        user.auth_driver, user.password = made.driver, made.password
        user.template.set("TOKEN_PASSWORD", made.token_password)
        _store(tx, user)
        quotas.insert(tx, User.KIND, uid)


def _cluster_and_datastores(tx: Tx, conf: OnedConf, owner: str) -> None:
    cluster = Cluster(0, "default")
    for oid, (name, kind, ds_mad, attributes) in enumerate(_DATASTORES):
        store = Datastore(oid, name)
        store.uname, store.gname = owner, _ONEADMIN_GROUP
        store.type, store.ds_mad, store.tm_mad = kind, ds_mad, "ssh"
        store.base_path = f"{conf.datastore_location.rstrip('/')}/{oid}"
        store.clusters = [0]
        store.template = Template([*attributes.items(), ("TYPE", kind.name)])
        _store(tx, store)
        cluster.add_datastore(tx, oid)
    _store(tx, cluster)
    clusters.add_ports(tx, 0)


def _shared_objects(tx: Tx, conf: OnedConf, owner: str) -> None:
    rules = [{"RULE_TYPE": direction, "PROTOCOL": "ALL"} for direction in ("OUTBOUND", "INBOUND")]
    secgroup = SecurityGroup(0, "default")
    secgroup.template = Template([("DESCRIPTION", _SECGROUP_TEXT), *(("RULE", rule) for rule in rules)])
    _store(tx, _owned(secgroup, owner))
    for oid, (name, driver, text) in enumerate(_MARKETPLACES):
        market = Marketplace(oid, name)
        market.market_mad, market.zone_id = driver, conf.zone_id
        market.template = Template([("DESCRIPTION", text), ("MARKET_MAD", driver)])
        _store(tx, _owned(market, owner))


def _owned(made: PoolObject, owner: str) -> PoolObject:
    made.uname, made.gname, made.permissions = owner, _ONEADMIN_GROUP, _SEEN_BY_ALL
    return made


def _rules(tx: Tx, conf: OnedConf) -> None:
    for subject, kinds, rights in _RULES:
        acl.add(tx, Rule(-1, subject, kinds | acl.ALL, rights, acl.ALL))
    vdc = Vdc(0, "default")
    vdc.resources["CLUSTERS"] = [(0, ALL_RESOURCES)]
    vdc.template = Template([("DESCRIPTION", _VDC_TEXT)])
    vdc.add_group(tx, 1, conf.settings)
    _store(tx, vdc)
