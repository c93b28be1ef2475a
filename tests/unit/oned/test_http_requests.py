"""JSON over HTTP: authentication, bodies, status codes; what is refused, and how."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from services.oned.api.http import problems
from services.oned.errors import Code
from tests.support.core import Core
from tests.support.http import Http

VM: dict[str, Any] = {"NAME": "web", "CPU": 1, "MEMORY": 64}


@pytest.fixture
def http(core: Core) -> Http:
    """The interface of a zone with the user alice."""
    core.add_user("alice")
    return Http(core)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    """The interface of a zone that no test changes."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("empty")
        patch.setenv("ONE_LOCATION", str(folder))
        core = Core(folder)
        core.add_user("alice")
        yield Http(core)
        core.zone.close()


# -- templates ---------------------------------------------------------------------------------------------
def test_a_vm_from_an_object(http: Http) -> None:
    template = VM | {"DISK": [{"SIZE": 5, "TYPE": "fs"}, {"SIZE": 6, "TYPE": "swap"}], "KEEP": True}
    made = http("POST", "/vms", {"template": template, "hold": True})
    assert (made.status, made.json, made.headers["location"]) == (201, {"result": 0}, "/api/v1/vms/0")
    vm = http("GET", "/vms/0").json
    assert [disk["SIZE"] for disk in vm["TEMPLATE"]["DISK"]] == ["5", "6"]
    assert (vm["NAME"], vm["STATE"], vm["USER_TEMPLATE"]["KEEP"]) == ("web", 2, "YES")


def test_a_vm_from_text(http: Http) -> None:
    text = 'NAME="a \\"b\\"x"\nCPU=1\nMEMORY=64\nNOTE="ü"'.encode()
    made = http("POST", "/vms?hold=true", text, kind="text/plain; charset=utf-8")
    assert made.status == 201 or made.json["detail"]
    assert http("POST", "/vms", b"NAME=x\nCPU=1\nMEMORY=64", kind="text/plain").status == 201
    xml = b"<VM><NAME>y</NAME><CPU>1</CPU><MEMORY>64</MEMORY></VM>"
    assert http("POST", "/vms?hold=1", xml, kind="application/xml").status == 201
    assert http("POST", "/vms", {"template": "CPU=1\nMEMORY=64"}).status == 201


@pytest.mark.parametrize("value", ['" and \\', "line\nbreak", "]]>", "a = [ b ]", "", "ünïcode", "# no"])
def test_values_arrive_as_they_are(http: Http, value: str) -> None:
    http("POST", "/vms", {"template": VM | {"NOTE": value, "V": {"PART": value}}, "hold": True})
    attributes = http("GET", "/vms/0").json["USER_TEMPLATE"]
    assert (attributes["NOTE"], attributes["V"]) == (value, {"PART": value})


def test_attributes_are_replaced_and_merged(http: Http) -> None:
    http("POST", "/vms", {"template": VM | {"A": "1"}, "hold": True})
    assert http("PATCH", "/vms/0/template", {"B": 2}).json == {"result": 0}
    assert http("GET", "/vms/0").json["USER_TEMPLATE"] == {"A": "1", "B": "2"}
    assert http("PUT", "/vms/0/template", b"C=3", kind="text/plain").status == 200
    assert http("GET", "/vms/0").json["USER_TEMPLATE"] == {"C": "3"}


# -- actions -----------------------------------------------------------------------------------------------
def test_actions_and_deletion(http: Http) -> None:
    http("POST", "/vms", {"template": VM, "hold": True})
    assert http("POST", "/vms/0/actions/release").json == {"result": 0}
    assert http("POST", "/vms/0/actions/rename", {"name": "new"}).json == {"result": 0}
    assert http("GET", "/vms/0").json["NAME"] == "new"
    assert http("DELETE", "/vms/0").json == {"result": 0}
    assert http("GET", "/vms/0").json["STATE"] == 6


def test_methods_by_name(http: Http) -> None:
    http("POST", "/methods/one.vm.allocate", ["CPU=1\nMEMORY=64", True])
    by_list = http("POST", "/methods/one.vm.info", [0]).json["result"]
    assert by_list == http("POST", "/methods/one.vm.info", {"vm_id": 0}).json["result"]
    assert by_list == http("GET", "/vms/0").json
    assert http("POST", "/methods/one.system.version").json["result"].startswith("6.0")
    listed = http("POST", "/methods/one.vmpool.info", [-2, -1, -1, -1]).json["result"]
    assert [vm["ID"] for vm in listed["items"]] == [0]


# -- documents in either form ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("accept", "xml"),
    [
        ("application/xml", True),
        ("text/xml, application/json;q=0.5", True),
        ("application/json, application/xml;q=0.9", False),
        ("*/*", False),
        ("application/*", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
    ],
)
def test_the_form_that_is_asked_for(empty: Http, accept: str, xml: bool) -> None:
    reply = empty("GET", "/users/0", accept=accept)
    assert reply.body.startswith(b"<USER>") == xml
    if xml:
        assert reply.body.decode() == empty.core.call("user.info", 0)
        assert reply.headers["content-type"].startswith("application/xml")


def test_no_form_that_there_is(empty: Http) -> None:
    assert empty("GET", "/users/0", accept="image/png").status == 406
    assert empty("GET", "/users/0", accept="application/json;q=0").status == 406


# -- who calls ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "header",
    [
        "Basic " + b64encode(b"alice:pw-alice").decode(),
        "basic " + b64encode(b"alice:pw-alice").decode(),
        "Bearer alice:pw-alice",
    ],
)
def test_sessions(empty: Http, header: str) -> None:
    reply = empty("GET", "/users/me", user=None, authorization=header)
    assert reply.json["NAME"] == "alice"


def test_a_login_token_is_a_secret_too(http: Http) -> None:
    token = http("POST", "/methods/one.user.login", ["alice", "", 600, -1], user="alice").json["result"]
    assert http("GET", "/users/me", user=None, authorization=f"Bearer alice:{token}").json["NAME"] == "alice"


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!!", "Basic /w==", "Bearer", "Bearer alice", "Bearer alice:x", "Digest a"]
)
def test_nobody(empty: Http, header: str) -> None:
    reply = empty("GET", "/users/me", user=None, authorization=header)
    assert (reply.status, reply.json["code"]) == (401, Code.AUTHENTICATION)
    assert reply.headers["www-authenticate"].startswith("Basic ")


def test_pages_of_other_sites(http: Http) -> None:
    assert http("GET", "/vms", origin="http://test").status == 200
    assert http("GET", "/vms", origin="http://other").status == 403
    assert http("GET", "/vms", origin="null").status == 403
    assert http("POST", "/vms", VM, sec_fetch_site="cross-site").status == 403
    assert "access-control-allow-origin" not in http("GET", "/vms", origin="http://test").headers


# -- refusals ----------------------------------------------------------------------------------------------
def test_every_code_has_a_status() -> None:
    assert set(problems.STATUS) == {code for code in Code if code}


def test_refusals_carry_the_code_and_the_object(http: Http) -> None:
    http("POST", "/vms", {"template": VM, "hold": True})
    for verb, path, body, user, status, code, oid in (
        ("GET", "/vms/0", None, "alice", 403, Code.AUTHORIZATION, 0),
        ("GET", "/vms/99", None, "oneadmin", 404, Code.NO_EXISTS, 99),
        ("POST", "/vms/0/actions/resume", None, "oneadmin", 409, Code.ACTION, 0),
        ("POST", "/vms", {"template": "CPU="}, "oneadmin", 422, None, None),
        ("POST", "/groups", {"name": ""}, "oneadmin", 422, Code.INTERNAL, None),
        ("GET", "/vms?state=77", None, "oneadmin", 400, Code.XML_RPC_API, None),
        ("POST", "/users", {"name": "bob", "password": "pw"}, "alice", 403, Code.AUTHORIZATION, None),
    ):
        reply = http(verb, path, body, user=user)
        assert reply.status == status, (path, reply.json)
        if code is not None:
            assert (reply.json["code"], reply.json["object_id"]) == (code, oid), path


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", None, 400),
        (b"[1]", None, 400),
        (b"nul", None, 400),
        (b"NaN", None, 400),
        (b'{"template": 1e999}', None, 400),
        (b'{"template": "\xff"}', None, 400),
        (b'{"template": "\\ud800"}', None, 400),
        (b'{"template": "\\u0000"}', None, 400),
        (b'{"template": "", "template": ""}', None, 400),
        (b'{"nothing": 1}', None, 400),
        (b'{"vm_id": 1}', None, 400),
        (b'{"template": "CPU=1", "hold": 1}', None, 400),
        (b'{"template": {"A": {"B": {"C": 1}}}}', None, 400),
        (b'{"template": {"A": {}}}', None, 400),
        (b'{"template": {"A": null}}', None, 400),
        (b'{"template": {"A": [[1]]}}', None, 400),
        (b'{"template": {"a b": 1}}', None, 400),
        (b'{"template": {"A": "\\u0007"}}', None, 400),
        (b"[" * 100_000, None, 400),
        (b'{"a":' * 100_000, None, 400),
        (b"1" * 5_000, None, 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
        (b"{}", "application/json; charset=utf-16", 415),
        (b"\xff", "text/plain", 400),
    ],
)
def test_bad_bodies(empty: Http, body: bytes, kind: str | None, status: int) -> None:
    reply = empty("POST", "/vms", body, kind=kind)
    assert reply.status == status, reply.json
    assert empty("GET", "/vms?state=-2").json["items"] == []


def test_a_body_over_the_limit(core: Core) -> None:
    small = Core(core.zone.conf.db.path.parent.parent / "small", "MESSAGE_SIZE=2048")
    reply = Http(small)("POST", "/vms", {"template": "x" * 3000})
    assert reply.status == 413


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/vms/x", 404),
        ("GET", "/vms/-1", 404),
        ("GET", "/vms/0/1", 404),
        ("GET", "/vms/", 404),
        ("POST", "/methods/one.nothing", 404),
        ("POST", "/methods/__class__", 404),
        ("GET", "/vms/99999999999999999999", 404),
        ("GET", "/vms/9999999999", 400),
        ("PUT", "/vms/0", 405),
        ("TRACE", "/vms", 405),
        ("OPTIONS", "/vms", 405),
        ("GET", "/methods/one.vm.info", 405),
        ("POST", "/", 405),
        ("GET", "/vms?nothing=1", 400),
        ("GET", "/vms?state=1&state=2", 400),
        ("GET", "/vms?state=one", 400),
        ("GET", "/vms?extended=maybe", 400),
        ("GET", "/vms?filter=hers", 400),
        ("GET", "/vms?filter=-2", 400),
        ("GET", "/vms?size=0", 400),
        ("GET", "/vms?size=9999999", 400),
        ("GET", "/vms?offset=1", 400),
        ("GET", "/vms?ids=1&state=1", 400),
        ("GET", "/vms?search=%ff", 400),
        ("GET", "/vms?search=%00", 400),
        ("GET", "/documents", 400),
        ("GET", "/vms?" + "&".join(f"a{n}=1" for n in range(60)), 400),
    ],
)
def test_bad_paths_and_queries(empty: Http, verb: str, path: str, status: int) -> None:
    reply = empty(verb, path)
    assert reply.status == status, reply.json
    if status == 405:
        assert reply.headers["allow"]


def test_head_is_get_without_its_body(http: Http) -> None:
    reply = http("HEAD", "/users/0")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-length"] == http("GET", "/users/0").headers["content-length"]
