"""From the databases of release 5.10 to those of 5.12."""

from __future__ import annotations

import json
from typing import Any

from services.common import xmldoc
from services.oned.model.base import Permissions, number
from services.oned.model.document import Document
from services.oned.model.group import Group
from services.oned.model.host import Host
from services.oned.model.marketplace import Marketplace
from services.oned.model.user import User
from services.oned.model.vm import VM
from services.oned.store import Tx, consistency, pools, tables

Element = xmldoc.etree._Element

_SERVICE, _SERVICE_TEMPLATE = 100, 101
_OF_VM = ("ID", "UID", "GID", "UNAME", "GNAME", "NAME")  # what a service keeps of its machines
_DISK_NUMBERS = ("DISK_USAGE", "MAX_DISK", "FREE_DISK", "USED_DISK")
_HOST_TRAFFIC = ("NETRX", "NETTX")
_CAPACITY = {
    "FREE_CPU": "FREE_CPU",
    "FREE_MEMORY": "FREE_MEM",
    "USED_CPU": "USED_CPU",
    "USED_MEMORY": "USED_MEM",
}
_DOCKERHUB = "dockerhub"
_DOCKERHUB_TEXT = (
    "DockerHub is the world's largest library and  community for container images hosted at hub.docker.com/"
)


# -- shared ------------------------------------------------------------------------------------------------
def rename_acl_user(tx: Tx) -> None:
    """The column of a rule's subject has a name that is no word of SQL."""
    tables.rename_column(tx, "acl", "user", "userset", "BIGINT")


def add_dockerhub(tx: Tx) -> None:
    """The marketplace of DockerHub is among those that every zone has."""
    markets = [Marketplace.from_xml(body) for _, body in tables.documents(tx, Marketplace.TABLE)]
    if any(market.market_mad == _DOCKERHUB for market in markets):
        return
    made = Marketplace(max((market.oid for market in markets), default=-1) + 1, "DockerHub")
    owner, group = User.find(tx, 0), Group.find(tx, 0)
    made.uname, made.gname = owner.name if owner else "", group.name if group else ""
    made.permissions = Permissions([1, 1, 1, 1, 0, 0, 1, 0, 0])
    made.market_mad, made.zone_id = _DOCKERHUB, 0
    made.template.set("DESCRIPTION", _DOCKERHUB_TEXT)
    made.template.set("MARKET_MAD", _DOCKERHUB)
    pools.insert(tx, Marketplace.TABLE, {"oid": made.oid, **made.columns()})
    if made.oid > (consistency.last_given(tx, Marketplace.TABLE) or -1):
        consistency.set_last_given(tx, Marketplace.TABLE, made.oid)


# -- local -------------------------------------------------------------------------------------------------
def drop_times(tx: Tx) -> None:
    """The time of the last report is in the samples only."""
    tables.drop_column(tx, Host.TABLE, "last_mon_time")
    tables.drop_column(tx, VM.TABLE, "last_poll")


def rename_service_networks(tx: Tx) -> None:
    """OneFlow keeps the networks of a service apart from its other attributes, and less of its machines."""
    for oid, body in tables.documents(tx, Document.TABLE):
        document = Document.from_xml(body)
        text = document.template.get("BODY")
        if document.type not in (_SERVICE, _SERVICE_TEMPLATE) or text is None:
            continue
        service: dict[str, Any] = json.loads(text)
        service["networks"], service["custom_attrs"] = service.get("custom_attrs") or {}, {}
        if document.type == _SERVICE:
            service["networks_values"] = service.get("custom_attrs_values") or {}
            service["custom_attrs_values"] = {}
            for role in service.get("roles", []):
                for node in role.get("nodes", []):
                    _shorten(node)
        document.template.set("BODY", json.dumps(service, separators=(",", ":")))
        pools.update(tx, Document.TABLE, oid, {"body": document.to_xml()})


def _shorten(node: dict[str, Any]) -> None:
    machine = (node.get("vm_info") or {}).get("VM")
    if isinstance(machine, dict):
        node["vm_info"]["VM"] = {name: machine[name] for name in _OF_VM if name in machine}


def rewrite_hosts(tx: Tx) -> None:
    """What was measured is in the samples only; a host's share has disks among its datastores."""
    for oid, body in tables.documents(tx, Host.TABLE):
        old = xmldoc.parse(body, Host.KIND)
        host = Host.from_element(old)
        for name in _HOST_TRAFFIC:
            host.template.remove(name)
        for name in _DISK_NUMBERS:
            host.share.datastores.set(name, old.findtext(f"HOST_SHARE/{name}") or "0")
        pools.update(tx, Host.TABLE, oid, {"body": host.to_xml()})


def rewrite_vms(tx: Tx) -> None:
    """What was measured is in the samples only."""
    for oid, body in tables.documents(tx, VM.TABLE):
        old = xmldoc.parse(body, VM.KIND)
        for name in ("LAST_POLL", "MONITORING"):
            for element in old.findall(name):
                old.remove(element)
        vm = VM.from_element(old)
        forms = vm.columns()
        pools.update(
            tx, VM.TABLE, oid, {name: forms[name] for name in ("body", "short_body", "search_token")}
        )


def rewrite_samples(tx: Tx) -> None:
    """Samples have a form of their own, instead of that of the object."""
    place = ("host_monitoring", "hid", "last_mon_time")
    for oid, time_s, body in tables.samples(tx, *place):
        old = xmldoc.parse(body)
        if old.tag == "HOST":
            tables.set_sample(tx, *place, (oid, time_s), _host_sample(old, time_s))
    place = ("vm_monitoring", "vmid", "last_poll")
    for oid, time_s, body in tables.samples(tx, *place):
        old = xmldoc.parse(body)
        if old.tag == "VM":
            tables.set_sample(tx, *place, (oid, time_s), _vm_sample(old, time_s))


def _host_sample(old: Element, time_s: int) -> str:
    capacity = "".join(_element(new, old, f"HOST_SHARE/{name}") for new, name in _CAPACITY.items())
    system = "".join(_element(name, old, f"TEMPLATE/{name}") for name in _HOST_TRAFFIC)
    return (
        f"<MONITORING><ID>{number(old, 'ID')}</ID><TIMESTAMP>{time_s}</TIMESTAMP>"
        f"<CAPACITY>{capacity}</CAPACITY><SYSTEM>{system}</SYSTEM></MONITORING>"
    )


def _vm_sample(old: Element, time_s: int) -> str:
    measured = old.find("MONITORING")
    inner = "".join(
        xmldoc.etree.tostring(part, encoding="unicode", with_tail=False)
        for part in (measured if measured is not None else ())
    )
    return f"<MONITORING>{inner}<ID>{number(old, 'ID')}</ID><TIMESTAMP>{time_s}</TIMESTAMP></MONITORING>"


def _element(name: str, old: Element, path: str) -> str:
    text = old.findtext(path)
    return f"<{name}>{xmldoc.cdata(text)}</{name}>" if text else ""
