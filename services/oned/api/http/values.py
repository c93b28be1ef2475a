"""The arguments of a call from JSON and from query strings; templates as objects or as OpenNebula text."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from services.common import xmldoc
from services.common.template import Template, TemplateError, Value, Vector
from services.oned.api import arguments
from services.oned.api.http.problems import bad_request
from services.oned.api.registry import KINDS, REQUIRED, Method, Param

_QUERY_FIELDS_MAX = 50
# What XML cannot carry could not be read back.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_INTEGER = re.compile(r"-?[0-9]{1,19}")


def is_template(param: Param) -> bool:
    """Whether a text parameter takes a template, and so an object too."""
    return param.kind == "s" and (param.name.endswith("template") or param.name == "quotas")


# -- JSON --------------------------------------------------------------------------------------------------
def parse_json(data: bytes) -> Any:
    """The value of a JSON text. Raises Problem for anything that is not strict JSON in UTF-8."""
    try:
        return json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise bad_request(f"The body is not UTF-8 at byte {error.start}.") from None
    except RecursionError:
        raise bad_request("The JSON values are nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise bad_request(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except ValueError as error:
        raise bad_request(f"The body cannot be used: {error}.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has two members of one name")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# -- arguments ---------------------------------------------------------------------------------------------
def named(row: Method, given: dict[str, Any], skip: int = 0) -> dict[str, Any]:
    """The arguments that an object names, checked; ``skip`` parameters at the front are not its to name.

    Raises Problem naming what is wrong.
    """
    params = {param.name: param for param in row.params[skip:]}
    unknown = [name for name in given if name not in params]
    if unknown:
        expected = ", ".join(params) or "none"
        raise bad_request(f"Unknown argument {unknown[0][:80]!r}; {row.name} takes: {expected}.")
    return {name: argument(params[name], value) for name, value in given.items()}


def listed(row: Method, given: list[Any]) -> dict[str, Any]:
    """The arguments of a list, in the order of the XML-RPC method. Raises Problem."""
    if len(given) > len(row.params):
        raise bad_request(f"{row.name} takes {len(row.params)} arguments, found {len(given)}.")
    return {param.name: argument(param, value) for param, value in zip(row.params, given, strict=False)}


def positional(row: Method, given: dict[str, Any]) -> list[Any]:
    """All arguments in the method's order, defaults filled in. Raises Problem for a missing one."""
    values = []
    for param in row.params:
        if param.name in given:
            values.append(given[param.name])
        elif param.default is REQUIRED:
            raise bad_request(f"Argument {param.name} ({KINDS[param.kind][0]}) is missing.")
        else:
            values.append(arguments.default(param))
    return values


def argument(param: Param, value: Any) -> Any:
    """One argument from JSON. Raises Problem."""
    if is_template(param) and isinstance(value, dict):
        return template_text(value, param.name)
    problem = arguments.mismatch(param, value)
    if param.kind == "b" and not isinstance(value, bool):
        problem = f"must be boolean, found {arguments.kind_of(value)}"
    if problem:
        raise bad_request(f"Argument {param.name} {problem}{' or object' if is_template(param) else ''}.")
    if param.kind == "s":
        _refuse_forbidden(param.name, value)
    return value


def template_text(attributes: dict[str, Any], what: str = "template") -> str:
    """The text (XML) of a template that is an object. Raises Problem.

    A value is a text, a number, a boolean (YES or NO), an object of those (a vector), or a list of values:
    the attribute many times.
    """
    template = Template()
    try:
        for name, value in attributes.items():
            for one in value if isinstance(value, list) else [value]:
                where = f"{what}.{name[:80]}"
                template.add(name, _vector(one, where) if isinstance(one, dict) else _scalar(one, where))
    except TemplateError as error:
        raise bad_request(f"Argument {what}: {error}.") from None
    return f"<TEMPLATE>{''.join(_element(name, value) for name, value in template)}</TEMPLATE>"


def _element(name: str, value: Value) -> str:
    """An attribute as XML; the other form of templates cannot carry every text."""
    if value == "":
        inner = "<![CDATA[]]>"  # an element without content would be no attribute
    elif isinstance(value, str):
        inner = xmldoc.escape(value).replace("\r", "&#13;")
    else:
        inner = "".join(_element(part, text) for part, text in value.items())
    return f"<{name}>{inner}</{name}>"


def _vector(value: dict[str, Any], where: str) -> Vector:
    if not value:
        raise bad_request(f"{where} is an empty object; a vector has at least one member.")
    return {name: _scalar(part, f"{where}.{name[:80]}") for name, part in value.items()}


def _scalar(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if isinstance(value, str):
        _refuse_forbidden(where, value)
        return value
    if isinstance(value, (int, float)):
        return str(value)
    raise bad_request(f"{where} must be a text, number or boolean here, found {_json_kind(value)}.")


def _json_kind(value: Any) -> str:
    return {dict: "object", list: "array", type(None): "null"}.get(type(value), type(value).__name__)


def _refuse_forbidden(where: str, text: str) -> None:
    found = _FORBIDDEN.search(text)
    if found:
        raise bad_request(f"{where} holds the character U+{ord(found.group()):04X}, which is not allowed.")


# -- query strings -----------------------------------------------------------------------------------------
def parse_query(text: str) -> dict[str, str]:
    """The fields of a query string, each once. Raises Problem."""
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=_QUERY_FIELDS_MAX, separator="&"
        )
    except ValueError:
        raise bad_request(
            f"The query string is not UTF-8 or has more than {_QUERY_FIELDS_MAX} fields."
        ) from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise bad_request("The query string has a field twice.")
    return found


def from_query(param: Param, text: str) -> Any:
    """One argument from a query field. Raises Problem."""
    value: Any = text
    if param.kind in "i6":
        value = integer(param.name, text)
    elif param.kind == "b":
        value = boolean(param.name, text)
    elif param.kind == "A":
        value = [integer(param.name, part) for part in text.split(",")] if text else []
    return argument(param, value)


def integer(name: str, text: str) -> int:
    """The whole number of a field. Raises Problem."""
    if not _INTEGER.fullmatch(text):
        raise bad_request(f"{name} must be a whole number, found {text[:40]!r}.")
    return int(text)


def boolean(name: str, text: str) -> bool:
    """The truth of a field. Raises Problem."""
    if text.lower() not in _WORDS:
        raise bad_request(f"{name} must be true or false, found {text[:40]!r}.")
    return _WORDS[text.lower()]
