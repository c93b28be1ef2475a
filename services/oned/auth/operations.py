"""The right that an operation on a VM needs: settings of the user, then of its group, then of oned.conf.

``VM_ADMIN_OPERATIONS``, ``VM_MANAGE_OPERATIONS`` and ``VM_USE_OPERATIONS`` list words separated by commas; a
word stands for one action or a few. In each place admin goes before manage and use.
Source: VM operations of release 6.0.0.3.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from services.common.template import Template
from services.oned.auth.rights import Right
from services.oned.errors import RequestError
from services.oned.model.group import Group
from services.oned.store import pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_SETTINGS = {
    Right.ADMIN: "VM_ADMIN_OPERATIONS",
    Right.MANAGE: "VM_MANAGE_OPERATIONS",
    Right.USE: "VM_USE_OPERATIONS",
}
# What holds for a setting that oned.conf does not have.
_DEFAULTS = {
    "VM_ADMIN_OPERATIONS": "migrate, delete, recover, retry, deploy, resched",
    "VM_MANAGE_OPERATIONS": (
        "undeploy, hold, release, stop, suspend, resume, reboot, poweroff, disk-attach, nic-attach, "
        "disk-snapshot, terminate, disk-resize, snapshot, updateconf, rename, resize, update, disk-saveas"
    ),
    "VM_USE_OPERATIONS": "",
}
_ACTIONS: dict[str, tuple[str, ...]] = {
    "migrate": ("migrate", "live-migrate"),
    "delete": ("delete", "delete-recreate"),
    "resched": ("resched", "unresched"),
    "undeploy": ("undeploy", "undeploy-hard"),
    "reboot": ("reboot", "reboot-hard"),
    "poweroff": ("poweroff", "poweroff-hard"),
    "terminate": ("terminate", "terminate-hard"),
    "disk-attach": ("disk-attach", "disk-detach"),
    "nic-attach": ("nic-attach", "nic-detach"),
    "disk-snapshot": (
        "disk-snapshot",
        "disk-snapshot-create",
        "disk-snapshot-delete",
        "disk-snapshot-revert",
        "disk-snapshot-rename",
    ),
    "snapshot": ("snapshot", "snapshot-create", "snapshot-delete", "snapshot-revert"),
}
_SINGLE = (
    "recover", "retry", "deploy", "hold", "release", "stop", "suspend", "resume", "disk-resize", "updateconf",
    "rename", "resize", "update", "disk-saveas",
)  # fmt: skip
_ACTIONS |= {word: (word,) for word in _SINGLE}


def operation_right(call: Call, name: str) -> Right:
    """The right that the caller needs for an action (``poweroff-hard``); MANAGE where nothing names it."""
    for template in _places(call):
        for right, setting in _SETTINGS.items():
            text = template.get(setting)
            if text and name in _listed(text):
                return right
    return conf_right(call.conf.settings, name)


def conf_right(settings: Template, name: str) -> Right:
    """The right that oned.conf asks for an action."""
    for right, setting in _SETTINGS.items():
        text = settings.get(setting)
        if name in _listed(_DEFAULTS[setting] if text is None else text):
            return right
    return Right.MANAGE


def check(template: Template) -> None:
    """Raise RequestError when a setting of a user, group or oned.conf names an unknown operation."""
    for setting in _SETTINGS.values():
        for word in sorted(_words(template.get(setting) or "")):
            if word not in _ACTIONS:
                raise RequestError(f"Unknown vm operation: {word}")


def _places(call: Call) -> list[Template]:
    """The templates that go before oned.conf; the group's is read only when it says something."""
    places = [call.caller.template]
    body = pools.body(call.tx, Group.TABLE, call.caller.gid)
    if body is not None and "_OPERATIONS>" in body:
        places.append(Group.from_xml(body).template)
    return places


@lru_cache(maxsize=256)
def _listed(text: str) -> frozenset[str]:
    """The actions that a setting lists; unknown words, in a database made by others, list nothing."""
    return frozenset(action for word in _words(text) for action in _ACTIONS.get(word, ()))


def _words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",") if word}
