"""From a request to the arguments of the method behind its route."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from services.oned.api.http import values
from services.oned.api.http.problems import Problem, bad_request
from services.oned.api.http.request import JSON, Request
from services.oned.api.http.routes import Route
from services.oned.api.registry import METHODS, Method

FILTERS = {"all": -2, "mine": -3, "mine-and-groups": -1, "group": -4}
SIZE_MAX = 1_000_000
_INT_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Listing:
    """A list to make: the method and its arguments, then what is left out and shown of its answer."""

    row: Method
    values: list[Any]
    skip: int
    size: int | None
    offset: int


def call(route: Route, request: Request, query: dict[str, str], number: str) -> list[Any]:
    """The arguments of a route that is no list. Raises Problem."""
    given: dict[str, Any] = route.defaults | route.fixed
    if route.id_name:
        given[route.id_name] = _bounded("the id", number, 0, _INT_MAX)
    given |= _from_query(route, query) if route.body == "none" else _from_body(route, request, query)
    return values.positional(route.row, given)


def method_call(row: Method, request: Request) -> list[Any]:
    """The arguments of a method that is called by its name: a list of them, or an object. Raises Problem."""
    form, content = request.content()
    if form == "none":
        return values.positional(row, {})
    if form == "json" and isinstance(content, list):
        return values.positional(row, values.listed(row, content))
    if form == "json" and isinstance(content, dict):
        return values.positional(row, values.named(row, content))
    raise bad_request("The body must be a JSON list of the arguments, or an object that names them.")


def listing(route: Route, query: dict[str, str], *, pages_in_handler: bool) -> Listing:
    """The list that a query asks for. Raises Problem.

    pages_in_handler: one object more than ``size`` is asked for, which shows whether there are more, and
    pages of pools that have none themselves are cut out of the whole.
    """
    row, given = route.row, dict(route.defaults)
    size = _taken(query, "size", 1, SIZE_MAX)
    offset = _taken(query, "offset", 0, _INT_MAX)
    if offset is not None and size is None:
        raise bad_request("offset needs size, the number of objects on a page.")
    skip = offset or 0
    if row.name == "one.vmpool.info":
        row, given = _vm_list(row, query, given)
    if route.is_paged and row.params[: len(route.row.params)] == route.row.params:
        given |= {"filter_flag": _filter(query), "start_id": -1, "end_id": -1}
        if size is not None:
            given |= {"start_id": skip, "end_id": -size - 1 if pages_in_handler else -size}
            skip = 0
    elif size is not None and not pages_in_handler:
        raise bad_request("This list has no pages in its XML form.")
    given |= _from_query(route, query)
    return Listing(row, values.positional(row, given), skip, size, offset or 0)


def _vm_list(row: Method, query: dict[str, str], given: dict[str, Any]) -> tuple[Method, dict[str, Any]]:
    """The method behind a list of VMs: short documents, whole ones, or those of some ids."""
    extended = values.boolean("extended", query.pop("extended", "false"))
    if "ids" not in query:
        return (METHODS["one.vmpool.infoextended"] if extended else row), given
    infoset = METHODS["one.vmpool.infoset"]
    ids, whole = (param.name for param in infoset.params)
    given = {ids: query.pop("ids"), whole: extended}
    if query:
        raise bad_request(f"{next(iter(query))[:80]!r} does not go with ids.")
    return infoset, given


def _from_body(route: Route, request: Request, query: dict[str, str]) -> dict[str, Any]:
    """The arguments of a body: an object that names them, or a template, with the others in the query."""
    form, content = request.content()
    template = next((param for param in route.params if values.is_template(param)), None)
    if form == "text" or (form == "json" and route.body == "template"):
        if template is None:
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The body must be {JSON} here.")
        if template.name in query:
            raise bad_request(f"{template.name} is the body already.")
        return _from_query(route, query) | {template.name: values.argument(template, content)}
    if query:
        raise bad_request(f"Unknown query field {next(iter(query))[:80]!r}; arguments are in the body.")
    if form == "none":
        return {}
    if not isinstance(content, dict):
        raise bad_request("The body must be an object that names the arguments.")
    taken = next((name for name in content if name in (route.id_name, *route.fixed)), None)
    if taken is not None:
        raise bad_request(f"{taken} is given by the path already.")
    return values.named(route.row, content)


def _from_query(route: Route, query: dict[str, str]) -> dict[str, Any]:
    """The arguments that are left in the query. Raises Problem for fields that are none."""
    params = {param.name: param for param in route.params}
    found: dict[str, Any] = {}
    if "filter" in query and "filter_flag" in params:
        found["filter_flag"] = _filter(query)
    for name, text in query.items():
        if name not in params:
            raise bad_request(f"Unknown query field {name[:80]!r}; known: {', '.join(params) or 'none'}.")
        found[name] = values.from_query(params[name], text)
    return found


def _filter(query: dict[str, str]) -> int:
    """Takes ``filter``: all (default), mine, mine-and-groups, group, or the id of a user."""
    text = query.pop("filter", "all")
    return FILTERS[text] if text in FILTERS else _bounded("filter", text, 0, _INT_MAX)


def _taken(query: dict[str, str], name: str, low: int, high: int) -> int | None:
    return _bounded(name, query.pop(name), low, high) if name in query else None


def _bounded(name: str, text: str, low: int, high: int) -> int:
    number = values.integer(name, text)
    if not low <= number <= high:
        raise bad_request(f"{name} must be from {low} to {high}, found {number}.")
    return number
