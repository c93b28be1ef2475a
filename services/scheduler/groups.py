"""VM groups as the plan needs them: roles with their VMs, and the rules between roles.

Source: VM group XSD and affinity guide of release 6.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common import xmldoc

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

    from services.scheduler.snapshot import Caller

AFFINED, ANTI_AFFINED = "AFFINED", "ANTI_AFFINED"
_ALL_OWNERS, _WHOLE_POOL = -2, -1


@dataclass(frozen=True, slots=True)
class Role:
    """A role of a VM group.

    policy: AFFINED, ANTI_AFFINED or empty, for the role's own VMs. only_hosts: host ids that its VMs may
    have, None for all; never_hosts: those that they may not have. fault: why its host rules cannot be read.
    """

    name: str
    policy: str = ""
    only_hosts: frozenset[int] | None = None
    never_hosts: frozenset[int] = frozenset()
    vm_ids: tuple[int, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class VMGroup:
    """A VM group. affined, anti_affined: rules, each the names of roles that it puts together or apart."""

    id: int
    name: str
    roles: tuple[Role, ...]
    affined: tuple[frozenset[str], ...] = ()
    anti_affined: tuple[frozenset[str], ...] = ()


def read(client: Caller) -> list[VMGroup]:
    """All VM groups of the front-end. Raises what the client raises, and XmlError."""
    return parse(str(client.call("vmgrouppool.info", _ALL_OWNERS, _WHOLE_POOL, _WHOLE_POOL)))


def parse(pool: str) -> list[VMGroup]:
    """The VM groups of a VM_GROUP_POOL document. Raises XmlError."""
    return [_group(element) for element in xmldoc.parse(pool, "vmgrouppool").iterfind("VM_GROUP")]


def _group(element: Element) -> VMGroup:
    return VMGroup(
        id=int(element.findtext("ID") or -1),
        name=(element.findtext("NAME") or "").strip(),
        roles=tuple(_role(role) for role in element.iterfind("ROLES/ROLE")),
        affined=_rules(element, AFFINED),
        anti_affined=_rules(element, ANTI_AFFINED),
    )


def _role(element: Element) -> Role:
    faults: list[str] = []

    def hosts(name: str) -> frozenset[int]:
        found: set[int] = set()
        for word in _words(element.findtext(name)):
            if word.isascii() and word.isdigit():
                found.add(int(word))
            else:
                faults.append(f"{name} must hold host ids, found {word[:40]!r}")
        return frozenset(found)

    only, never = hosts("HOST_AFFINED"), hosts("HOST_ANTI_AFFINED")
    policy = (element.findtext("POLICY") or "").strip().upper()
    return Role(
        name=(element.findtext("NAME") or "").strip(),
        policy=policy if policy in (AFFINED, ANTI_AFFINED) else "",
        only_hosts=only or None,
        never_hosts=never,
        vm_ids=tuple(int(word) for word in _words(element.findtext("VMS")) if word.isdigit()),
        fault=faults[0] if faults else "",
    )


def _rules(element: Element, policy: str) -> tuple[frozenset[str], ...]:
    found = (frozenset(_words(rule.text)) for rule in element.iterfind(f"TEMPLATE/{policy}"))
    return tuple(rule for rule in found if rule)


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]
