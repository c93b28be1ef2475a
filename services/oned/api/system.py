"""The front-end itself: its version and its settings."""

from __future__ import annotations

from services.common.template import Template, Value
from services.oned.api.call import Call
from services.oned.api.registry import method
from services.oned.version import COMPATIBLE_RELEASE

_MASK = "***"
_SECRET_ENDINGS = ("PASSWD", "PASSWORD", "SECRET", "ONE_KEY")
# Settings that OpenNebula does not have: its clients check the answer against a list of the known ones.
_OWN_SETTINGS = frozenset({"API_WORKERS", "API_THREADS", "EVENT_RETENTION_HOURS", "ENGINE_JOBS"})
_OWN_PARTS = {"DB": frozenset({"SOCKET"})}


@method("one.system.version", "", writes=False)
def version(call: Call) -> str:
    """The OpenNebula release that the interface is compatible with."""
    return COMPATIBLE_RELEASE


@method("one.system.config", "", writes=False, admin_group_only=True)
def config(call: Call) -> str:
    """The settings of oned.conf, with passwords masked."""
    settings = [entry for entry in call.conf.settings if entry[0] not in _OWN_SETTINGS]
    shown = Template([(name, _shown(name, value)) for name, value in settings])
    return shown.to_xml("OPENNEBULA_CONFIGURATION")


def _shown(name: str, value: Value) -> Value:
    if isinstance(value, str):
        return _masked(name, value)
    own = _OWN_PARTS.get(name, frozenset())
    return {part: _masked(part, text) for part, text in value.items() if part not in own}


def _masked(name: str, text: str) -> str:
    return _MASK if text and name.endswith(_SECRET_ENDINGS) else text
