"""The front-end itself: its version, its settings, and its database for those who repair it."""

from __future__ import annotations

import base64
import re
from typing import Any

from services.common import xmldoc
from services.common.template import Template, Value
from services.oned.api.call import Call
from services.oned.api.registry import method
from services.oned.errors import AuthorizationError
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


# -- the database ------------------------------------------------------------------------------------------
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]")


def _require_oneadmin(call: Call) -> None:
    if call.caller.uid != 0:
        raise AuthorizationError(f"User [{call.caller.uid}] : only oneadmin runs statements.")


@method("one.system.sql", "sql:s federate:b")
def sql(call: Call, statement: str, federate: bool) -> int:
    """Run a statement that changes the database; oneadmin only."""
    # A zone of its own has nobody to pass the statement on to.
    _require_oneadmin(call)
    call.tx.given(statement)
    return 0


@method("one.system.sqlquery", "sql:s", writes=False)
def sql_query(call: Call, statement: str) -> str:
    """The rows of a query, texts that look like documents in base64; oneadmin only."""
    _require_oneadmin(call)
    rows = call.tx.given(statement)
    inside = "".join(f"<ROW>{''.join(_cell(name, value) for name, value in row)}</ROW>" for row in rows)
    query = xmldoc.cdata(statement)
    return f"<SQL_COMMAND><QUERY>{query}</QUERY><RESULT>{inside}</RESULT></SQL_COMMAND>"


def _cell(name: str, value: Any) -> str:
    text = _text(value)
    # The text of an expression (COUNT(*)) is no element name.
    tag = _NOT_IN_NAMES.sub("_", name)
    tag = tag if tag[:1].isalpha() else f"_{tag}"
    if text.startswith("<"):
        tag, text = f"{tag}64", base64.b64encode(text.encode()).decode()
    return f"<{tag}>{xmldoc.cdata(text)}</{tag}>"


def _text(value: Any) -> str:
    """A value as the databases print it."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
