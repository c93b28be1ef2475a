"""Lists of virtual machines: short and whole, by owner, range, page, state, text or ids."""

from __future__ import annotations

import re

from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import method
from services.oned.auth import access
from services.oned.errors import ApiError
from services.oned.lifecycle.states import VmState
from services.oned.model.vm import VM
from services.oned.store import pools, search

_PARAMS = "filter_flag:i start_id:i end_id:i state:i=-1 search:s="
_ANY, _NOT_DONE = -2, -1
_LEADING_NUMBER = re.compile(r"\s*\+?(\d{1,10})")


def _condition(call: Call, state: int, text: str) -> pools.Where:
    """What the call asks for besides owner, range and page. Raises ApiError for an unknown state."""
    where = pools.Where()
    if not _ANY <= state <= max(VmState):
        raise ApiError(
            f"Incorrect filter_flag, state: {state}, expected -2 (any), -1 (not done) or a state number."
        )
    if state == _NOT_DONE:
        where.also("state <> ?", int(VmState.DONE))
    elif state != _ANY:
        where.also("state = ?", state)
    if text.strip():
        found = search.condition(call.tx, text)
        where.also(found.sql, *found.params)
    return where


def _pool(
    call: Call, column: str, filter_flag: int, start: int, end: int, state: int, text: str
) -> PoolDocument:
    where = _condition(call, state, text)
    return common.pool_info(
        call, VM, filter_flag, start, end, also=where.sql, params=where.params, column=column
    )


@method("one.vmpool.info", _PARAMS, writes=False)
def info(call: Call, filter_flag: int, start: int, end: int, state: int, text: str) -> PoolDocument:
    """The VMs that fit, in short form."""
    return _pool(call, "short_body", filter_flag, start, end, state, text)


@method("one.vmpool.infoextended", _PARAMS, writes=False)
def infoextended(call: Call, filter_flag: int, start: int, end: int, state: int, text: str) -> PoolDocument:
    """The VMs that fit, whole documents with the newest history record."""
    return _pool(call, "body", filter_flag, start, end, state, text)


@method("one.vmpool.infoset", "vm_ids:s extended:b", writes=False)
def infoset(call: Call, listed: str, extended: bool) -> PoolDocument:
    """The VMs of a list of ids (``0,3,5``) that the caller may see; what is no number is left out."""
    found = (_LEADING_NUMBER.match(part) for part in listed.split(","))
    where = pools.Where()
    where.also_in("oid", sorted({int(number[1]) for number in found if number}))
    column = "body" if extended else "short_body"
    return common.pool_info(call, VM, access.EVERYTHING, also=where.sql, column=column)
