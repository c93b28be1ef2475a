"""What a hook waits for: a state of a kind of object, or an API call. Checked when it is made and changed.

Source: hook reference of release 6.0 (ON, STATE, LCM_STATE, CALL); checks of release 6.0.0.3.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar

from services.common.template import Template
from services.oned.errors import RequestError
from services.oned.lifecycle.states import LcmState, VmState
from services.oned.model.hook import Hook, HookType
from services.oned.model.host import HostState
from services.oned.model.image import ImageState

_E = TypeVar("_E", bound=IntEnum)

CUSTOM = "CUSTOM"
# What ON stands for; CUSTOM takes STATE and LCM_STATE as they are given.
_ON = {
    "PROLOG": (VmState.ACTIVE, LcmState.PROLOG),
    "RUNNING": (VmState.ACTIVE, LcmState.RUNNING),
    "SHUTDOWN": (VmState.ACTIVE, LcmState.EPILOG),
    "STOP": (VmState.STOPPED, LcmState.LCM_INIT),
    "DONE": (VmState.DONE, LcmState.LCM_INIT),
    "UNKNOWN": (VmState.ACTIVE, LcmState.UNKNOWN),
}
_HOST_STATES = frozenset({"INIT", "MONITORED", "ERROR", "DISABLED", "OFFLINE"})
_RESOURCES = ("VM", "HOST", "IMAGE")


def settle_new(hook: Hook, is_call: Callable[[str], bool]) -> None:
    """Check a new hook's attributes and write them in their stored form.

    is_call: whether a hook can wait for an API method of that name. Raises RequestError.
    """
    template = hook.template
    _require_command(template)
    template.set("REMOTE", "YES" if _is_yes(template) else "NO")
    if hook.type is HookType.API:
        _check_call(template, is_call)
        return
    resource = template.get("RESOURCE") or ""
    _check_resource(resource)
    if resource == "VM":
        _take_on(template)
    elif resource == "HOST":
        template.set("STATE", _host_state(template))
    else:
        template.set("STATE", _image_state(template).word)


def settle_changed(hook: Hook, resource: str, is_call: Callable[[str], bool]) -> None:
    """Check a hook whose attributes were replaced or extended; ``resource`` is what it was about before.

    A state hook keeps its RESOURCE when the new attributes lack one: without it nothing could set it off.
    Raises RequestError.
    """
    template = hook.template
    _require_command(template)
    if "REMOTE" in template:
        template.set("REMOTE", "YES" if _is_yes(template) else "NO")
    if hook.type is HookType.API:
        _check_call(template, is_call)
        return
    if template.get("RESOURCE") is None:
        template.set("RESOURCE", resource)
    resource = template.get("RESOURCE") or ""
    _check_resource(resource)
    if resource == "VM":
        template.set("STATE", _state(VmState, template, "STATE").name)
        template.set("LCM_STATE", _state(LcmState, template, "LCM_STATE").name)
    elif resource == "HOST":
        template.set("STATE", _host_state(template))
    else:
        template.set("STATE", _image_state(template).name)


def _require_command(template: Template) -> None:
    command = template.get("COMMAND")
    if not command:
        raise RequestError("The hook has no COMMAND.")
    template.set("COMMAND", command)


def _is_yes(template: Template) -> bool:
    return (template.get("REMOTE") or "").upper() == "YES"


def _check_call(template: Template, is_call: Callable[[str], bool]) -> None:
    call = template.get("CALL") or ""
    if not is_call(call):
        raise RequestError(f"CALL must name an API method that changes something, found {call[:80]!r}.")
    template.set("CALL", call)


def _check_resource(resource: str) -> None:
    if resource not in _RESOURCES:
        raise RequestError(f"RESOURCE of a state hook must be {', '.join(_RESOURCES)}, found {resource!r}.")


def _take_on(template: Template) -> None:
    on = (template.get("ON") or "").upper()
    template.remove("ON")
    if on == CUSTOM:
        state = _state(VmState, template, "STATE")
        lcm_state = _state(LcmState, template, "LCM_STATE")
    elif on in _ON:
        state, lcm_state = _ON[on]
    else:
        raise RequestError(f"ON must be {', '.join([*_ON, CUSTOM])}, found {on[:40]!r}.")
    template.set("STATE", state.name)
    template.set("LCM_STATE", lcm_state.name)


def _state(states: type[_E], template: Template, name: str) -> _E:
    word = (template.get(name) or "").upper()
    if word not in states.__members__:
        raise RequestError(f"{name} must be a state of VMs, found {word[:40]!r}.")
    return states[word]


def _host_state(template: Template) -> str:
    word = (template.get("STATE") or "").upper()
    if word not in _HOST_STATES:
        raise RequestError(f"STATE must be one of {', '.join(sorted(_HOST_STATES))}, found {word[:40]!r}.")
    return HostState[word].name


def _image_state(template: Template) -> ImageState:
    word = (template.get("STATE") or "").upper()
    if word not in ImageState.__members__ or word == ImageState.INIT.name:
        raise RequestError(f"STATE must be a state of images but INIT, found {word[:40]!r}.")
    return ImageState[word]
