"""Every row of the registry over HTTP: by its name and by its route it does what it does over XML-RPC."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from services.oned.api import resources
from services.oned.api.http import documents, routes
from services.oned.api.registry import METHODS
from tests.support.core import Core
from tests.support.furnished import STRANGER, Furnished
from tests.support.http import Http, Reply
from tests.support.registry_cases import CASES, Case, filled, usual_arguments

resources.load_all()
NAMES = [name for name in sorted(METHODS) if not CASES.get(name, Case()).refused]
# Routes of one.vm.action need a VM in the action's own state; one of them stands for all.
ROUTES = [
    route
    for verbs in routes.table().values()
    for route in verbs.values()
    if route.row.name in NAMES and (route.row.name != "one.vm.action" or route.path.endswith("/release"))
]
# Not the same twice: times, random ids, and what is counted.
VOLATILE = {"one.user.login", "one.acl.info", "one.system.config"}


def prepared(furnished: Furnished, folder: Path, name: str) -> Core:
    """A copy of the zone, ready for the method."""
    core = furnished.copy(folder)
    for method, *args in CASES.get(name, Case()).before:
        core.zone.value(method, *(filled(arg, furnished.ids) for arg in args))
    return core


def expected(furnished: Furnished, folder: Path, name: str) -> Any:
    """What the method answers over XML-RPC, a document as JSON."""
    (folder / "other").mkdir()
    core = prepared(furnished, folder / "other", name)
    value = core.zone.value(name, *usual_arguments(METHODS[name], furnished.ids))
    core.zone.close()
    return documents.from_xml(value) if isinstance(value, str) and value.startswith("<") else value


@pytest.mark.parametrize("name", NAMES)
def test_by_name(name: str, furnished: Furnished, tmp_path: Path) -> None:
    core = prepared(furnished, tmp_path, name)
    args = usual_arguments(METHODS[name], furnished.ids)
    reply = Http(core)("POST", f"/methods/{name}", args)
    assert reply.status == 200, reply.json
    if name not in VOLATILE:
        assert reply.json == {"result": expected(furnished, tmp_path, name)}
    core.zone.close()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.verb} {route.path}")
def test_by_route(route: routes.Route, furnished: Furnished, tmp_path: Path) -> None:
    name = route.row.name
    core = prepared(furnished, tmp_path, name)
    reply = _send(Http(core), route, furnished)
    core.zone.close()
    assert reply.status == (201 if route.creates else 200), reply.json
    if name in VOLATILE or route.path.endswith("/me"):
        return
    value = reply.json if not route.row.writes and "result" not in reply.json else reply.json["result"]
    assert value == expected(furnished, tmp_path, name)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.verb} {route.path}")
def test_strangers(route: routes.Route, furnished: Furnished, tmp_path: Path) -> None:
    case = CASES.get(route.row.name, Case())
    core = furnished.copy(tmp_path)
    reply = _send(Http(core), route, furnished, user=STRANGER)
    core.zone.close()
    if case.anyone or route.path.endswith("/me"):
        assert reply.status == 200
    else:
        assert (reply.status, reply.json["code"]) == (403, case.denied)


def _send(http: Http, route: routes.Route, furnished: Furnished, user: str = "oneadmin") -> Reply:
    """The request of a route with the usual arguments of its method."""
    names = [param.name for param in route.row.params]
    args = dict(zip(names, usual_arguments(route.row, furnished.ids), strict=True))
    path = route.path.replace("{id}", str(args[route.id_name])) if route.id_name else route.path
    left = {param.name: args[param.name] for param in route.params}
    if route.body == "template":
        return http(route.verb, path, left.popitem()[1].encode(), kind="text/plain", user=user)
    if route.body == "arguments":
        return http(route.verb, path, left, user=user)
    left.pop("filter_flag", None)
    return http(route.verb, f"{path}?{urlencode(left)}", user=user)
