"""Attributes that only members of the oneadmin group may set (``VM_RESTRICTED_ATTR`` and its kin).

A setting names an attribute (``RAW``) or a part of a vector (``NIC/MAC``). Source: restricted attributes in
the oned.conf reference of release 6.0.
"""

from __future__ import annotations

from functools import lru_cache

from services.common.template import Template

# libvirt runs the script of an interface with all rights on the node, with TARGET as its argument. Also for
# settings that come from OpenNebula, which does not list it.
_ALWAYS = {"VM_RESTRICTED_ATTR": ("NIC/SCRIPT",)}


def names(settings: Template, setting: str) -> dict[str, set[str]]:
    """The attributes that a setting of oned.conf lists: name to restricted parts, none meaning the whole.

    Some are restricted whatever it lists.
    """
    listed = tuple(str(value) for value in settings.get_all(setting))
    found = _read(listed + _ALWAYS.get(setting, ()))
    if setting == "VM_RESTRICTED_ATTR":
        # What each interface has unless it says otherwise: the same words, in another place.
        parts = found["NIC"]
        default = found.get("NIC_DEFAULT", parts)
        found = {**found, "NIC_DEFAULT": parts | default if parts and default else set()}
    return found


@lru_cache(maxsize=64)
def _read(values: tuple[str, ...]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for value in values:
        head, _, part = value.strip().upper().partition("/")
        found.setdefault(head, set()).update([part] if part else [])
    # Who lists the whole and a part of it means the whole.
    return found | {value.strip().upper(): set() for value in values if "/" not in value}


def first_set(template: Template, restricted: dict[str, set[str]]) -> str | None:
    """A restricted attribute that a new template sets (``NIC/MAC``), or None."""
    for head in sorted(restricted):
        parts = restricted[head]
        if not parts:
            if head in template:
                return head
            continue
        for vector in template.vectors(head):
            for part in sorted(parts & vector.keys()):
                return f"{head}/{part}"
    return None


def first_changed(template: Template, base: Template, restricted: dict[str, set[str]]) -> str | None:
    """A restricted attribute whose value in ``template`` differs from the object's ``base``, or None.

    A whole attribute that only ``base`` has is carried over into ``template``: leaving it out of a
    replacement must not remove what an administrator has set.
    """
    for head in sorted(restricted):
        parts = restricted[head]
        if parts:
            if head in template and _values(template, head, parts) != _values(base, head, parts):
                return head
        elif head in template:
            if template.get_all(head) != base.get_all(head):
                return head
        else:
            for value in base.get_all(head):
                template.add(head, dict(value) if isinstance(value, dict) else value)
    return None


def _values(template: Template, head: str, parts: set[str]) -> list[tuple[str, str]]:
    return sorted(
        (part, text) for vector in template.vectors(head) for part, text in vector.items() if part in parts
    )
