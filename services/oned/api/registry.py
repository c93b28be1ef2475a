"""The list of API methods: one row each, with parameters, the rights it needs and its handler.

Nothing is published by introspection: a method exists because a resource module calls ``method`` for it.
The dispatcher, the reference page and the tests read this list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.oned.auth.rights import Right
from services.oned.model.base import PoolObject

REQUIRED: Any = object()

# How a parameter is named in messages, by its letter in the method table.
KINDS: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "s": ("string", str),
    "i": ("int", int),
    "6": ("i8", int),
    "b": ("boolean", (bool, int)),
    "A": ("array of int", list),
}


@dataclass(frozen=True, slots=True)
class Param:
    """One argument after the session. ``kind`` is a key of KINDS; without a default it is required."""

    name: str
    kind: str
    default: Any = REQUIRED


@dataclass(frozen=True, slots=True)
class Check:
    """A right that the caller needs on the object that an argument names (CREATE needs no argument)."""

    model: type[PoolObject]
    right: Right
    arg: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """One row. ``writes``: run in a transaction and recorded as an API event; reads are neither.

    ``later``: what of it this version does not do; calls for that are refused and say so.
    ``extension``: release 6.0 has no such method.
    """

    name: str
    params: tuple[Param, ...]
    handler: Callable[..., Any]
    checks: tuple[Check, ...] = ()
    writes: bool = True
    admin_group_only: bool = False
    doc: str = ""
    later: str = ""
    extension: bool = False


METHODS: dict[str, Method] = {}


def method(
    name: str,
    params: str,
    *checks: Check,
    writes: bool = True,
    admin_group_only: bool = False,
    later: str = "",
    extension: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a handler.

    params: the arguments after the session, ``"name:kind"`` or ``"name:kind=default"`` separated by blanks,
    for instance ``"vm_id:i decrypt:b=0"``. The handler gets a Call and the arguments by position; the first
    line of its docstring is the method's line in the reference.
    """
    parsed = tuple(_param(text) for text in params.split())

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        if name in METHODS:
            raise ValueError(f"method {name} is registered twice")
        doc = (handler.__doc__ or "").strip()
        METHODS[name] = Method(name, parsed, handler, checks, writes, admin_group_only, doc, later, extension)
        return handler

    return register


def _param(text: str) -> Param:
    declared, _, default = text.partition("=")
    name, _, kind = declared.partition(":")
    if kind not in KINDS:
        raise ValueError(f"parameter {text!r}: kind must be one of {' '.join(KINDS)}")
    if not _:
        raise ValueError(f"parameter {text!r}: expected name:kind")
    if "=" not in text:
        return Param(name, kind)
    if kind in "i6":
        return Param(name, kind, int(default))
    if kind == "b":
        return Param(name, kind, default == "1")
    return Param(name, kind, [] if kind == "A" else default)
