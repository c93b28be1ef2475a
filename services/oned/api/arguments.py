"""The arguments of a call against the parameters of its row."""

from __future__ import annotations

from typing import Any

from services.oned.api.registry import KINDS, REQUIRED, Method, Param
from services.oned.errors import ApiError

_RANGES = {"i": (-(2**31), 2**31 - 1), "6": (-(2**63), 2**63 - 1)}


def checked(row: Method, args: list[Any]) -> tuple[str, list[Any]]:
    """The session and the checked arguments, defaults filled in. Raises ApiError naming the argument."""
    if not args:
        raise ApiError(f"Needs the arguments {_expected(row)}; none was given.")
    if not isinstance(args[0], str):
        raise ApiError(f"Argument 1, session, must be a string, found {kind_of(args[0])}.")
    values: list[Any] = []
    for position, param in enumerate(row.params, start=1):
        if position < len(args):
            problem = mismatch(param, args[position])
            if problem:
                raise ApiError(f"Argument {position + 1}, {param.name}, {problem}.")
            values.append(bool(args[position]) if param.kind == "b" else args[position])
        elif param.default is REQUIRED:
            raise ApiError(f"Argument {position + 1}, {param.name}, is missing; expected {_expected(row)}.")
        else:
            values.append(default(param))
    return args[0], values


def default(param: Param) -> Any:
    """The value of an optional parameter that was left out."""
    return list(param.default) if param.kind == "A" else param.default


def mismatch(param: Param, value: Any) -> str:
    """Why a value does not fit a parameter, or an empty text."""
    label, types = KINDS[param.kind]
    fits = isinstance(value, types) and (param.kind == "b" or not isinstance(value, bool))
    if param.kind == "A" and fits:
        fits = all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    if not fits:
        return f"must be {label}, found {kind_of(value)}"
    numbers = value if param.kind == "A" else [value]
    low, high = _RANGES.get("i" if param.kind == "A" else param.kind, (0, 0))
    if high and any(not low <= number <= high for number in numbers):
        return f"must be {label} from {low} to {high}"
    return ""


def kind_of(value: Any) -> str:
    """The XML-RPC name of a value's type."""
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "int", list: "array", float: "double"}.get(type(value), type(value).__name__)


def _expected(row: Method) -> str:
    return ", ".join(["session (string)", *(f"{p.name} ({KINDS[p.kind][0]})" for p in row.params)])
