"""Which VMs use a security group, and the rules that their documents repeat.

The default group has nearly every VM of a zone in its document, so that VMs come and go by changing the text:
reading it would cost more than the rest of a VM's creation.

Source: security groups page of release 6.0 and documents of real databases.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.common.template import Vector
from services.oned.model.address_range import unsigned
from services.oned.model.secgroup import SecurityGroup
from services.oned.model.vnet import VirtualNetwork
from services.oned.store import Tx, pools

_UPDATED = "<UPDATED_VMS>"
_UPDATED_END = "</UPDATED_VMS>"
_TEMPLATE = "<TEMPLATE>"
_ID_END = "</ID>"


def add(tx: Tx, sg_ids: Iterable[int], vm_id: int) -> None:
    """List a VM as up to date in each group; groups that do not exist are passed over."""
    for sg_id in sorted(set(sg_ids)):
        body = _usual_form(pools.locked_body(tx, SecurityGroup.TABLE, sg_id))
        if body:
            _store(tx, sg_id, body, _with_vm(body, vm_id))


def remove(tx: Tx, sg_ids: Iterable[int], vm_id: int) -> None:
    """Take a VM off every list of each group; groups that do not exist are passed over."""
    for sg_id in sorted(set(sg_ids)):
        body = _usual_form(pools.locked_body(tx, SecurityGroup.TABLE, sg_id))
        if body:
            start, end = _lists(body)
            lists = body[start:end].replace(f"<ID>{vm_id}{_ID_END}", "")
            _store(tx, sg_id, body, body[:start] + lists + body[end:])


def rules(tx: Tx, sg_ids: Iterable[int]) -> list[Vector]:
    """The groups' rules as a VM document repeats them (SECURITY_GROUP_RULE), by the groups' ids.

    A rule about a network becomes one for each of the network's address ranges; none when there is no such
    network.
    """
    found: list[Vector] = []
    for sg_id in sorted(set(sg_ids)):
        body = _usual_form(pools.body(tx, SecurityGroup.TABLE, sg_id))
        if not body:
            continue
        start, end = _lists(body)
        found += narrowed(tx, SecurityGroup.from_xml(body[:start] + body[end:]).rules())
    return found


def narrowed(tx: Tx, written: list[Vector]) -> list[Vector]:
    """Rules as a VM document has them, from rules as a group has them; see rules()."""
    found: list[Vector] = []
    for rule in written:
        net_id = unsigned(rule.get("NETWORK_ID", ""))
        if net_id is None:
            found.append(rule)
            continue
        body = pools.body(tx, VirtualNetwork.TABLE, net_id)
        if body is not None:
            found += [each.as_rule(rule) for each in VirtualNetwork.from_xml(body).ranges_in_order()]
    return found


def _usual_form(body: str | None) -> str:
    """The document with an opening and a closing tag for each list, as OpenNebula writes it; or nothing."""
    if body is None or (_UPDATED in body and _UPDATED_END in body):
        return body or ""
    return SecurityGroup.from_xml(body).to_xml()


def _lists(body: str) -> tuple[int, int]:
    """Where the lists of VMs begin and end. Names hold no markup, so that nothing can imitate them."""
    start = body.index(_UPDATED)
    return start, body.index(_TEMPLATE, start)


def _with_vm(body: str, vm_id: int) -> str:
    start, end = _lists(body)
    element = f"<ID>{vm_id}{_ID_END}"
    if element in body[start:end]:
        return body
    at = body.index(_UPDATED_END, start)
    if at > start + len(_UPDATED):
        last = body.rindex("<ID>", start, at) + len("<ID>")
        if int(body[last : at - len(_ID_END)]) > vm_id:
            group = SecurityGroup.from_xml(body)
            group.add_vm(vm_id)
            return group.to_xml()
    return f"{body[:at]}{element}{body[at:]}"


def _store(tx: Tx, sg_id: int, old: str, new: str) -> None:
    if new != old:
        pools.update(tx, SecurityGroup.TABLE, sg_id, {"body": new})
