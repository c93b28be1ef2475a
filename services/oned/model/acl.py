"""Permission rules: who (user, group, all) may do what (rights) with which objects, in which zone.

Every part is one number: selector bits, an id in the low 32 bits and, for resources, one bit for each kind.
Source: rule numbers and checks of release 6.0.0.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.oned.errors import RequestError
from services.oned.model.base import PoolObject
from services.oned.store import Tx, acls

INDIVIDUAL = 0x1_0000_0000
GROUP = 0x2_0000_0000
ALL = 0x4_0000_0000
CLUSTER = 0x8_0000_0000
SELECTORS = 0xF_0000_0000
ID_BITS = 0xFFFF_FFFF

# Bits of RESOURCE, in the order in which rules name the kinds.
KIND_BITS: dict[str, int] = {
    "VM": 0x10_0000_0000,
    "HOST": 0x20_0000_0000,
    "NET": 0x40_0000_0000,
    "IMAGE": 0x80_0000_0000,
    "USER": 0x100_0000_0000,
    "TEMPLATE": 0x200_0000_0000,
    "GROUP": 0x400_0000_0000,
    "DATASTORE": 0x1000_0000_0000,
    "CLUSTER": 0x2000_0000_0000,
    "DOCUMENT": 0x4000_0000_0000,
    "ZONE": 0x8000_0000_0000,
    "SECGROUP": 0x1_0000_0000_0000,
    "VDC": 0x2_0000_0000_0000,
    "VROUTER": 0x4_0000_0000_0000,
    "MARKETPLACE": 0x8_0000_0000_0000,
    "MARKETPLACEAPP": 0x10_0000_0000_0000,
    "VMGROUP": 0x20_0000_0000_0000,
    "VNTEMPLATE": 0x40_0000_0000_0000,
}
# These two exist, but a rule's text never names them.
_UNNAMED_BITS = {"ACL": 0x800_0000_0000, "HOOK": 0x80_0000_0000_0000}
_BITS = KIND_BITS | _UNNAMED_BITS
# As in OpenNebula, no rule can be about hooks: they are oneadmin's alone.
_KNOWN_KINDS = sum(_BITS.values()) - _UNNAMED_BITS["HOOK"]
_IN_CLUSTERS = ("HOST", "NET", "DATASTORE")
_WITHOUT_GROUP = ("HOST", "GROUP", "CLUSTER", "ZONE", "VDC")
_FEDERATED = ("USER", "GROUP", "ZONE", "ACL", "VDC")
_RIGHTS = {"USE": 1, "MANAGE": 2, "ADMIN": 4, "CREATE": 8}
_MARKS = {INDIVIDUAL: "#", GROUP: "@", CLUSTER: "%"}


def kinds(*names: str) -> int:
    """The RESOURCE bits of some kinds of objects."""
    return sum(_BITS[name] for name in names)


class AclPool(PoolObject):
    """The rules as an object of rights: who may see and change them."""

    KIND = "ACL"
    LABEL = "ACL"
    TABLE = acls.TABLE
    ROOT = "ACL"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; see the module text. ``oid`` is -1 until it is stored."""

    oid: int
    user: int
    resource: int
    rights: int
    zone: int

    def __str__(self) -> str:
        """The text form: ``@1 VM+IMAGE/* CREATE *``."""
        named = "+".join(name for name, bit in KIND_BITS.items() if self.resource & bit)
        rights = "+".join(name for name, bit in _RIGHTS.items() if self.rights & bit)
        return f"{_subject(self.user)} {named}/{_subject(self.resource)} {rights} {_subject(self.zone)}"

    def to_xml(self) -> str:
        return (
            f"<ACL><ID>{self.oid}</ID><USER>{self.user:x}</USER><RESOURCE>{self.resource:x}</RESOURCE>"
            f"<RIGHTS>{self.rights:x}</RIGHTS><ZONE>{self.zone:x}</ZONE><STRING>{self}</STRING></ACL>"
        )

    def problems(self) -> list[str]:
        """What is wrong with the rule; empty when it can be stored."""
        return [*self._user_problems(), *self._resource_problems(), *self._other_problems()]

    def _user_problems(self) -> list[str]:
        if self.user < 0 or self.user & ~(ID_BITS | INDIVIDUAL | GROUP | ALL):
            return ["[user] has bits that mean nothing"]
        return _selector_problems("user", self.user, "INDIVIDUAL (#), GROUP (@) and ALL (*)")

    def _resource_problems(self) -> list[str]:
        found = []
        chosen = self.resource & ~(SELECTORS | ID_BITS)
        if self.resource < 0 or chosen & ~_KNOWN_KINDS:
            return ["wrong [resource] type"]
        if not chosen:
            found.append("[resource] type is missing")
        found += _selector_problems(
            "resource", self.resource, "INDIVIDUAL (#), GROUP (@), CLUSTER (%) and ALL (*)"
        )
        if self.resource & CLUSTER and chosen & ~kinds(*_IN_CLUSTERS):
            found.append(f"[resource] CLUSTER(%) selector can be applied only to {', '.join(_IN_CLUSTERS)}")
        if self.resource & GROUP and chosen & kinds(*_WITHOUT_GROUP):
            found.append(f"[resource] GROUP(@) selector cannot be applied to {', '.join(_WITHOUT_GROUP)}")
        if self.zone & ALL and self.resource & INDIVIDUAL and chosen & ~kinds(*_FEDERATED):
            found.append(
                "[resource] INDIVIDUAL(#) selector cannot be applied to ALL zones, "
                f"except for {', '.join(_FEDERATED)}"
            )
        return found

    def _other_problems(self) -> list[str]:
        found = []
        if not 0 < self.rights <= 0xF:
            found.append(f"wrong [rights], expected 1 to F, found {self.rights:X}")
        if self.zone < 0 or self.zone & ~(ID_BITS | INDIVIDUAL | ALL):
            found.append("[zone] has bits that mean nothing; expected INDIVIDUAL (#) or ALL (*)")
        else:
            found += _selector_problems("zone", self.zone, "INDIVIDUAL (#) and ALL (*)")
        return found


def _subject(value: int) -> str:
    mark = _MARKS.get(value & SELECTORS)
    return f"{mark}{value & ID_BITS}" if mark else "*" if value & ALL else "??"


def _selector_problems(part: str, value: int, expected: str) -> list[str]:
    selector = value & SELECTORS
    if selector.bit_count() != 1:
        state = "are exclusive" if selector else "are missing"
        return [f"[{part}] {expected} bits {state}; expected one of them"]
    if selector == ALL and value & ID_BITS:
        return [f"when using the ALL bit, [{part}] ID must be 0"]
    if value & 0x8000_0000:
        return [f"[{part}] ID cannot be negative"]
    return []


# -- stored rules ------------------------------------------------------------------------------------------
def rules(tx: Tx) -> list[Rule]:
    """Every rule, by subject and id."""
    return [Rule(*row) for row in acls.all_rows(tx)]


def add(tx: Tx, rule: Rule) -> int:
    """Store a rule; its id. Raises RequestError when it is malformed or exists."""
    problems = rule.problems()
    if problems:
        raise RequestError(f"Rule {rule} is malformed: {'; '.join(problems)}")
    oid = acls.next_oid(tx)
    if _find(tx, rule) is not None:
        raise RequestError(f"Rule {rule} already exists")
    acls.insert(tx, (oid, rule.user, rule.resource, rule.rights, rule.zone))
    return oid


def add_missing(tx: Tx, rule: Rule) -> None:
    """Store a rule unless it exists."""
    if _find(tx, rule) is None:
        add(tx, rule)


def delete(tx: Tx, oid: int) -> None:
    """Remove a rule. Raises RequestError when there is none of that id."""
    if not acls.delete(tx, oid):
        raise RequestError(f"Rule {oid} does not exist")


def delete_same(tx: Tx, rule: Rule) -> None:
    """Remove the rule with the same values, if there is one."""
    found = _find(tx, rule)
    if found is not None:
        acls.delete(tx, found)


def delete_for_object(tx: Tx, model: type[PoolObject], oid: int) -> None:
    """Remove the rules that mean nothing without a deleted object: on it, and those of or for its members."""
    acls.delete_on_resource(tx, ~0, _BITS[model.KIND] | INDIVIDUAL | oid)
    if model.KIND == "USER":
        acls.delete_of_subject(tx, INDIVIDUAL | oid)
    elif model.KIND == "GROUP":
        acls.delete_of_subject(tx, GROUP | oid)
        acls.delete_on_resource(tx, GROUP | ID_BITS, GROUP | oid)
    elif model.KIND == "CLUSTER":
        acls.delete_on_resource(tx, CLUSTER | ID_BITS, CLUSTER | oid)
    elif model.KIND == "ZONE":
        acls.delete_of_zone(tx, INDIVIDUAL | oid)


def administers_users(tx: Tx, uid: int) -> bool:
    """Whether a rule gives the user the administration of some group's users."""
    wanted = KIND_BITS["USER"] | GROUP
    mine = acls.of_subjects(tx, [INDIVIDUAL | uid])
    return any(row[2] & ~ID_BITS == wanted and row[3] & _RIGHTS["ADMIN"] for row in mine)


def _find(tx: Tx, rule: Rule) -> int | None:
    return acls.find(tx, rule.user, rule.resource, rule.rights, rule.zone)
