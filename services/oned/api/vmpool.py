"""Lists of virtual machines: short and whole, by owner, range, page, state, text or ids."""

from __future__ import annotations

import re

from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.registry import method
from services.oned.auth import access
from services.oned.errors import ApiError
from services.oned.lifecycle.states import VmState
from services.oned.model.vm import VM
from services.oned.store import pools

_PARAMS = "filter_flag:i start_id:i end_id:i state:i=-1 search:s="
_ANY, _NOT_DONE = -2, -1
_KEY = re.compile(r"[\w.\-/:]+=.*", re.DOTALL)
_ESCAPES = str.maketrans("-.:", "___")


def _condition(state: int, search: str) -> pools.Where:
    """What the call asks for besides owner, range and page. Raises ApiError for an unknown state."""
    where = pools.Where()
    if state == _NOT_DONE:
        where.also("state <> ?", int(VmState.DONE))
    elif state != _ANY:
        if state not in VmState._value2member_map_:
            raise ApiError(f"Incorrect state {state}, expected -2 (any), -1 (not done) or a state number.")
        where.also("state = ?", state)
    if search.strip():
        _match(where, search.strip())
    return where


def _match(where: pools.Where, search: str) -> None:
    """Every word (or ``KEY=value``) must occur in the VM's search text."""
    words = [search] if _KEY.fullmatch(search) else search.split()
    for word in words:
        token = word.translate(_ESCAPES)
        escaped = token.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        if "=" in word:
            # A whole line, so that NAME=web does not find NAME=web2.
            patterns = (escaped, f"{escaped}\n%", f"%\n{escaped}", f"%\n{escaped}\n%")
            where.also(" OR ".join(["search_token LIKE ? ESCAPE '!'"] * len(patterns)), *patterns)
        else:
            where.also("search_token LIKE ? ESCAPE '!'", f"%{escaped}%")


def _pool(call: Call, column: str, filter_flag: int, start: int, end: int, state: int, search: str) -> str:
    where = _condition(state, search)
    return common.pool_info(
        call, VM, filter_flag, start, end, also=where.sql, params=where.params, column=column
    )


@method("one.vmpool.info", _PARAMS, writes=False)
def info(call: Call, filter_flag: int, start: int, end: int, state: int, search: str) -> str:
    """The VMs that fit, in short form."""
    return _pool(call, "short_body", filter_flag, start, end, state, search)


@method("one.vmpool.infoextended", _PARAMS, writes=False)
def infoextended(call: Call, filter_flag: int, start: int, end: int, state: int, search: str) -> str:
    """The VMs that fit, whole documents with the newest history record."""
    return _pool(call, "body", filter_flag, start, end, state, search)


@method("one.vmpool.infoset", "vm_ids:s extended:b", writes=False)
def infoset(call: Call, listed: str, extended: bool) -> str:
    """The VMs of a list of ids (``0,3,5``) that the caller may see."""
    parts = [part.strip() for part in listed.split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise ApiError(f"Wrong list of ids {listed[:80]!r}, expected numbers separated by commas.")
    where = access.visible(call.tx, call.caller, VM, -2)
    where.also_in("oid", [int(part) for part in parts])
    column = "body" if extended else "short_body"
    return f"<VM_POOL>{''.join(pools.bodies(call.tx, VM.TABLE, where, column=column))}</VM_POOL>"
