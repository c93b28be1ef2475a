"""Every method has its place in the JSON interface, and the OpenAPI document and the page tell of it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from services.oned.api import resources
from services.oned.api.http import documents, openapi, page, routes
from services.oned.api.http.shapes import SHAPES
from services.oned.api.registry import METHODS

resources.load_all()
TABLE = routes.table()
ALL = [route for verbs in TABLE.values() for route in verbs.values()]
# Reached by a field of another route's query.
BY_QUERY = {"one.vmpool.infoset", "one.vmpool.infoextended"}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_has_a_route(name: str) -> None:
    assert name in BY_QUERY or any(route.row.name == name for route in ALL)


@pytest.mark.parametrize("route", ALL, ids=lambda route: f"{route.verb} {route.path}")
def test_verbs_say_what_happens(route: routes.Route) -> None:
    assert (route.verb == "GET") == (not route.row.writes)
    assert route.verb in ("GET", "DELETE") or route.body != "none"


@pytest.mark.parametrize("route", ALL, ids=lambda route: f"{route.verb} {route.path}")
def test_ids_are_arguments(route: routes.Route) -> None:
    names = [param.name for param in route.row.params]
    assert ("{id}" in route.path) == bool(route.id_name)
    assert {*([route.id_name] if route.id_name else []), *route.fixed} <= set(names)
    assert re.fullmatch(r"/[a-z]+(/\{id\}|/me)?(/[a-z_-]+){0,2}", route.path)


def test_some_routes() -> None:
    for verb, path, name in (
        ("GET", "/vms", "one.vmpool.info"),
        ("POST", "/vms", "one.vm.allocate"),
        ("GET", "/vms/{id}", "one.vm.info"),
        ("DELETE", "/vms/{id}", "one.vm.action"),
        ("DELETE", "/hosts/{id}", "one.host.delete"),
        ("PUT", "/hosts/{id}/template", "one.host.update"),
        ("PATCH", "/hosts/{id}/template", "one.host.update"),
        ("POST", "/vms/{id}/actions/deploy", "one.vm.deploy"),
        ("POST", "/vms/{id}/actions/terminate-hard", "one.vm.action"),
        ("GET", "/users/me", "one.user.info"),
        ("GET", "/system/version", "one.system.version"),
        ("POST", "/acls", "one.acl.addrule"),
        ("DELETE", "/acls/{id}", "one.acl.delrule"),
    ):
        assert TABLE[path][verb].row.name == name, path


# -- OpenAPI -----------------------------------------------------------------------------------------------
def test_the_document_has_every_route_and_method() -> None:
    made = openapi.document(TABLE, "/api/v1")
    assert made["openapi"] == "3.1.0"
    listed = {(path, verb.upper()) for path, verbs in made["paths"].items() for verb in verbs}
    wanted = {(route.path, route.verb) for route in ALL} | {(f"/methods/{name}", "POST") for name in METHODS}
    assert listed == wanted


def test_operations_are_named_once() -> None:
    made = openapi.document(TABLE, "/api/v1")
    names = [operation["operationId"] for verbs in made["paths"].values() for operation in verbs.values()]
    assert len(names) == len(set(names))


def test_references_lead_somewhere() -> None:
    made = openapi.document(TABLE, "/api/v1")
    for reference in set(re.findall(r'"\$ref":"#/([^"]+)"', documents.dumps(made).decode())):
        found: Any = made
        for part in reference.split("/"):
            found = found[part]
        assert found


def test_collections_have_document_types() -> None:
    collections = {path.split("/")[1] for path in TABLE} - {"system"}
    assert {openapi.ROOTS[name] for name in collections} <= set(SHAPES)


def test_the_page_names_everything_and_needs_nothing() -> None:
    made = page.html(TABLE, "/api/v1")
    for route in ALL:
        assert f"<code>{route.path}</code>" in made
    assert not re.findall(r"(?:src|href)=\"(?!#|/api/v1/openapi\.json)|<script|@import|url\(", made)
