"""VM groups: the roles of an application's VMs, and rules that place roles together or apart.

A role's own POLICY speaks of its VMs; AFFINED and ANTI_AFFINED rules of the template speak of roles, by name.
Source: VM group XSD and affinity guide of release 6.0; checks of release 6.0.0.3.
"""

from __future__ import annotations

from services.common import xmldoc
from services.common.template import Template, Vector
from services.oned.errors import RequestError
from services.oned.model.base import PoolObject, number

AFFINED, ANTI_AFFINED = "AFFINED", "ANTI_AFFINED"
ROLES_MAX = 32


class VmGroup(PoolObject):
    """A VM group. ``roles``: vectors with NAME, ID and, where VMs play the role, VMS (ids with commas)."""

    KIND, LABEL, TABLE, ROOT, UNIQUE_PER_OWNER = "VMGROUP", "vm group", "vmgroup_pool", "VM_GROUP", True

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.roles: list[Vector] = []

    def to_xml(self) -> str:
        roles = Template([("ROLE", role) for role in self.roles])
        return (
            f"<VM_GROUP>{self._owner_xml()}{self.permissions.to_xml()}{self._lock_xml()}"
            f"{roles.to_xml('ROLES')}{self.template.to_xml()}</VM_GROUP>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> VmGroup:
        group = cls(number(element, "ID", -1), element.findtext("NAME") or "")
        group._read_owner(element)
        group.roles = Template.from_element(element.find("ROLES")).vectors("ROLE")
        group.template = Template.from_element(element.find("TEMPLATE"))
        return group

    # -- roles ---------------------------------------------------------------------------------------
    def take_roles(self) -> None:
        """Move the ROLE vectors of the template into ``roles`` and number them; for a new group.

        Raises RequestError for too many roles, and for a role without a name or with another one's.
        """
        vectors = self.template.vectors("ROLE")
        if len(self.template.get_all("ROLE")) > ROLES_MAX:
            raise RequestError(f"A VM group has at most {ROLES_MAX} roles.")
        self.template.remove("ROLE")
        for oid, vector in enumerate(vectors):
            name = vector.get("NAME", "")
            if not name:
                raise RequestError(f"ROLE {oid} has no NAME.")
            if self.role(name) is not None:
                raise RequestError(f"There is more than one ROLE with the NAME {name}.")
            role = {**vector, "ID": str(oid)}
            role.pop("VMS", None)
            self.roles.append(role)

    def role(self, name: str) -> Vector | None:
        """The role of that name, or None."""
        return next((role for role in self.roles if role.get("NAME") == name), None)

    def vms(self) -> list[int]:
        """The VMs that play a role, each as often as roles list it."""
        return [vm_id for role in self.roles for vm_id in vms_of(role)]

    def add_vm(self, role: str, vm_id: int) -> None:
        """List a VM in a role. Raises RequestError when the group has no such role."""
        found = self.role(role)
        if found is None:
            raise RequestError(f"VM group {self.oid} has no role {role!r}.")
        _set_vms(found, {*vms_of(found), vm_id})

    def remove_vm(self, role: str, vm_id: int) -> None:
        """Drop a VM from a role; nothing happens when role or VM are not there."""
        found = self.role(role)
        if found is not None:
            _set_vms(found, set(vms_of(found)) - {vm_id})

    # -- rules ---------------------------------------------------------------------------------------
    def check_rules(self) -> None:
        """Raise RequestError for rules that name unknown roles, say the same twice or contradict others."""
        affined, apart = self.rules(AFFINED), self.rules(ANTI_AFFINED)
        _refuse_twice(AFFINED, affined)
        for name in sorted({name for rule in affined for name in rule}):
            role = self.role(name)
            if role is not None and role.get("POLICY", "").upper() == ANTI_AFFINED:
                raise RequestError(f"Role {name} is in an AFFINED rule, but its POLICY is ANTI_AFFINED.")
        _refuse_twice(ANTI_AFFINED, apart)
        both = frozenset().union(*affined) & frozenset().union(*apart)
        if both:
            raise RequestError(f"Roles in AFFINED and in ANTI_AFFINED rules: {', '.join(sorted(both))}.")

    def rules(self, policy: str) -> list[frozenset[str]]:
        """The roles that each rule of a policy (AFFINED or ANTI_AFFINED) names.

        Raises RequestError when the group has not all of them.
        """
        found = []
        for text in self.template.get_all(policy):
            if isinstance(text, dict):
                continue
            names = frozenset(name.strip() for name in text.split(",") if name)
            unknown = sorted(name for name in names if self.role(name) is None)
            if unknown:
                raise RequestError(f"{policy} rule ({text}) names roles that are not defined: {unknown}.")
            found.append(names)
        return found


def vms_of(role: Vector) -> list[int]:
    """The ids of the VMs in a role, ascending."""
    return sorted(int(text) for text in role.get("VMS", "").split(",") if text.strip().isdigit())


def _set_vms(role: Vector, ids: set[int]) -> None:
    role.pop("VMS", None)
    if ids:
        role["VMS"] = ",".join(map(str, sorted(ids)))


def _refuse_twice(policy: str, rules: list[frozenset[str]]) -> None:
    for rule in rules:
        if rules.count(rule) > 1:
            raise RequestError(f"{policy} rule ({', '.join(sorted(rule))}) is there twice.")
