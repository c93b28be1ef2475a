"""Slow work that a call needs, done before its transaction instead of in it.

A call runs in one transaction, which holds a connection and, when it writes, locks. Asking a directory server
or hashing a password would hold them as long. So whoever meets such work asks for its value here: the
transaction ends without a change, the work is done, and the call starts anew, this time with the value.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from services.oned.errors import OneError
from services.oned.store import Store

_T = TypeVar("_T")
_WORKS_MAX = 8
_local = threading.local()


class Pending(Exception):
    """A value is missing; carries the work that makes it. Not an error of the call: complete() handles it."""

    def __init__(self, key: Hashable, work: Callable[[Store], Any]) -> None:
        super().__init__("work is to be done outside of the transaction")
        self.key = key
        self.work = work


def value(key: Hashable, work: Callable[[Store], _T]) -> _T:
    """What ``work`` made for this call; raises Pending when it has not been done yet.

    key: what the value depends on, all of it; a change between two attempts makes the work be done again.
    It lives as long as the call, in memory.
    """
    made: dict[Hashable, Any] = getattr(_local, "made", {})
    if key not in made:
        raise Pending(key, work)
    found: _T = made[key]
    return found


def complete(store: Store, attempt: Callable[[], _T]) -> _T:
    """What ``attempt`` answers, tried again after each work that it asks for.

    attempt: one transaction, or one read. What it or the work raises is passed on.
    """
    before = getattr(_local, "made", None)
    _local.made = {}
    try:
        for _ in range(_WORKS_MAX):
            try:
                return attempt()
            except Pending as pending:
                _local.made[pending.key] = pending.work(store)
        raise OneError("The call's conditions keep changing, try again.")
    finally:
        if before is None:
            del _local.made
        else:
            _local.made = before
