"""Security groups: the firewall rules of network cards, and how far their VMs have taken them over.

Source: security group XSD and page of release 6.0; documents of real databases; checks of release 6.0.0.3.
"""

from __future__ import annotations

import re

from services.common import xmldoc
from services.common.template import Template, Value, Vector
from services.oned.errors import RequestError
from services.oned.model import addresses
from services.oned.model.address_range import unsigned
from services.oned.model.base import PoolObject, id_list, id_list_xml, number

DEFAULT_ID = 0
PROTOCOLS = ("TCP", "UDP", "ICMP", "ICMPV6", "IPSEC", "ALL")
RULE_TYPES = ("INBOUND", "OUTBOUND")
_RANGE = re.compile(r"(?:\d+(?::\d+)?,)*\d+(?::\d+)?\Z", re.ASCII)


class SecurityGroup(PoolObject):
    """A security group. A VM that uses it is in one of the four lists.

    ``updated``: has the present rules. ``outdated``: has older ones. ``updating``: a driver is at work.
    ``error``: the driver failed, or the VM was in a state that forbade it.
    """

    KIND = "SECGROUP"
    LABEL = "security group"
    TABLE = "secgroup_pool"
    ROOT = "SECURITY_GROUP"
    UNIQUE_PER_OWNER = True
    FIRST_USER_ID = 100

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.updated: set[int] = set()
        self.outdated: set[int] = set()
        self.updating: set[int] = set()
        self.error: set[int] = set()

    def to_xml(self) -> str:
        vms = "".join(
            id_list_xml(f"{name}_VMS", sorted(ids))
            for name, ids in (
                ("UPDATED", self.updated),
                ("OUTDATED", self.outdated),
                ("UPDATING", self.updating),
                ("ERROR", self.error),
            )
        )
        return (
            f"<SECURITY_GROUP>{self._owner_xml()}{self.permissions.to_xml()}{vms}"
            f"{self.template.to_xml()}</SECURITY_GROUP>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> SecurityGroup:
        group = cls(number(element, "ID"), element.findtext("NAME") or "")
        group._read_owner(element)
        group.updated = set(id_list(element.find("UPDATED_VMS")))
        group.outdated = set(id_list(element.find("OUTDATED_VMS")))
        group.updating = set(id_list(element.find("UPDATING_VMS")))
        group.error = set(id_list(element.find("ERROR_VMS")))
        group.template = Template.from_element(element.find("TEMPLATE"))
        return group

    # -- virtual machines ----------------------------------------------------------------------------
    @property
    def vms(self) -> set[int]:
        """Every VM that uses the group."""
        return self.updated | self.outdated | self.updating | self.error

    def add_vm(self, vm_id: int) -> None:
        """List a VM that has the present rules."""
        self.updated.add(vm_id)

    def remove_vm(self, vm_id: int) -> None:
        """Take a VM off every list."""
        for ids in (self.updated, self.outdated, self.updating, self.error):
            ids.discard(vm_id)

    def commit(self, recover: bool) -> None:
        """Mark VMs for an update: all of them, or (``recover``) those whose update failed or is under way."""
        if not recover:
            self.outdated |= self.updated
            self.updated = set()
        self.outdated |= self.updating | self.error
        self.updating, self.error = set(), set()

    # -- rules ---------------------------------------------------------------------------------------
    def rules(self) -> list[Vector]:
        """The rules as a VM document repeats them."""
        own = {"SECURITY_GROUP_ID": str(self.oid), "SECURITY_GROUP_NAME": self.name}
        return [{**rule, **own} for rule in self.template.vectors("RULE")]

    def settle_rules(self) -> None:
        """Check the rules and drop those that repeat another. Raises RequestError."""
        kept: list[Value] = []
        for rule in self.template.get_all("RULE"):
            if isinstance(rule, dict):
                check_rule(rule)
                if rule in kept:
                    continue
            kept.append(rule)
        self.template.remove("RULE")
        for rule in kept:
            self.template.add("RULE", rule)


def check_rule(rule: Vector) -> None:
    """Raise RequestError naming what a rule says wrongly, and what was expected."""
    protocol = rule.get("PROTOCOL", "").upper()
    if protocol not in PROTOCOLS:
        _refuse("PROTOCOL", rule, f"one of {', '.join(PROTOCOLS)}")
    ports = rule.get("RANGE", "")
    if ports and protocol not in ("TCP", "UDP"):
        raise RequestError(f"RANGE is supported only for TCP and UDP protocols, found {protocol}.")
    if ports and not _RANGE.match(ports):
        _refuse("RANGE", rule, "ports and port ranges such as 22,80:90")
    for name, of in (("ICMP_TYPE", "ICMP"), ("ICMPV6_TYPE", "ICMPV6")):
        if rule.get(name) and protocol != of:
            raise RequestError(f"{name} is supported only for {of} protocol, found {protocol}.")
        if rule.get(name) and unsigned(rule[name]) is None:
            _refuse(name, rule, "an integer")
    if rule.get("RULE_TYPE", "").upper() not in RULE_TYPES:
        _refuse("RULE_TYPE", rule, f"one of {', '.join(RULE_TYPES)}")
    _check_target(rule)


def _check_target(rule: Vector) -> None:
    address = rule.get("IP", "")
    if address:
        if unsigned(rule.get("SIZE", "")) is None:
            _refuse("SIZE", rule, "the number of addresses from IP on")
        if not addresses.is_address(address):
            _refuse("IP", rule, "an IPv4 or IPv6 address")
    elif "NETWORK_ID" in rule and unsigned(rule["NETWORK_ID"]) is None:
        _refuse("NETWORK_ID", rule, "the id of a virtual network")


def _refuse(name: str, rule: Vector, expected: str) -> None:
    raise RequestError(f"Wrong {name} in rule: found {rule.get(name, '')[:40]!r}, expected {expected}.")
