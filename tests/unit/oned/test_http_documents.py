"""Documents in JSON: types that do not depend on values, pages of lists, what a pool holds besides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from services.oned.api.http import documents
from services.oned.api.http.shapes import REPEATED_ATTRIBUTES, SHAPES, Shape
from tests.support.core import Core
from tests.support.http import Http

_XS = "{http://www.w3.org/2001/XMLSchema}"
_NUMBERS = {"xs:integer": "integer", "xs:int": "integer", "xs:long": "integer"} | dict.fromkeys(
    ("xs:decimal", "xs:float"), "number"
)
# Lists in a schema because of how it is written, not because an element may come twice.
_NO_LISTS = {"OPENNEBULA_CONFIGURATION"}


# -- one document ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ("<VM><ID>7</ID></VM>", {"ID": 7, "SNAPSHOTS": []}),
        ("<VM><ID></ID><NAME></NAME></VM>", {"ID": None, "NAME": "", "SNAPSHOTS": []}),
        ("<VM><NAME>7</NAME></VM>", {"NAME": "7", "SNAPSHOTS": []}),
        ("<CLUSTER><HOSTS/></CLUSTER>", {"HOSTS": {"ID": []}}),
        ("<CLUSTER><HOSTS><ID>1</ID></HOSTS></CLUSTER>", {"HOSTS": {"ID": [1]}}),
        ("<CLUSTER><TEMPLATE/></CLUSTER>", {"TEMPLATE": {}}),
        ("<CLUSTER><TEMPLATE><A>1</A></TEMPLATE></CLUSTER>", {"TEMPLATE": {"A": "1"}}),
        ("<CLUSTER><TEMPLATE><A>1</A><A>2</A></TEMPLATE></CLUSTER>", {"TEMPLATE": {"A": ["1", "2"]}}),
        ("<CLUSTER><TEMPLATE><V><B>1</B></V></TEMPLATE></CLUSTER>", {"TEMPLATE": {"V": {"B": "1"}}}),
        (
            "<VMTEMPLATE><TEMPLATE><NIC><IP>1</IP></NIC></TEMPLATE></VMTEMPLATE>",
            {"TEMPLATE": {"NIC": [{"IP": "1"}]}},
        ),
        ("<SHOWBACK_RECORDS/>", {"items": []}),
        ("<MONITORING_DATA><MONITORING><ID>1</ID></MONITORING></MONITORING_DATA>",
         {"items": [{"ID": 1, "DISK_SIZE": []}]}),
        ("<QUOTAS><ID>1</ID><VM_QUOTA/></QUOTAS>", {"ID": 1, "VM_QUOTA": {}}),
        ("<RAFT><TERM>many</TERM></RAFT>", {"TERM": "many"}),
        ("<HOST><MONITORING><CAPACITY><FREE_CPU>1.5</FREE_CPU></CAPACITY></MONITORING></HOST>",
         {"MONITORING": {"CAPACITY": {"FREE_CPU": 1.5}, "DISK_SIZE": []}}),
        ("<UNKNOWN><A>1</A><DISK>x</DISK></UNKNOWN>", {"A": "1", "DISK": ["x"]}),
        ("<VM><ID>99999999999999999999</ID></VM>", {"ID": 99999999999999999999, "SNAPSHOTS": []}),
        ("<RAFT><TERM>1e999</TERM></RAFT>", {"TERM": "1e999"}),
    ],
)  # fmt: skip
def test_types(xml: str, expected: Any) -> None:
    made = documents.from_xml(xml)
    assert made == expected
    assert json.loads(documents.dumps(made)) == expected


def _walk(element: etree._Element, shape: Shape, path: str) -> None:
    """Compare a schema's element with our shape of it."""
    for child in _children(element):
        name = str(child.get("name") or child.get("ref"))
        here = f"{path}/{name}"
        known = shape.fields.get(name)
        if known is None:
            assert shape.kind == "open", f"{here} is not known"
            if path not in _NO_LISTS:
                assert not _repeated(child) or name in REPEATED_ATTRIBUTES, f"{here} may repeat"
            continue
        kind = _NUMBERS.get(str(child.get("type")))
        if kind is not None:
            assert known.kind in (kind, "number" if kind == "integer" else "integer"), here
        if path not in _NO_LISTS:
            assert known.is_list == _repeated(child), here
        _walk(child, known, here)


def _children(element: etree._Element) -> list[etree._Element]:
    return [
        found
        for found in element.iterfind(f"{_XS}complexType//{_XS}element")
        if next(found.iterancestors(f"{_XS}element")) is element
    ]


def _repeated(element: etree._Element) -> bool:
    parents = []
    for parent in element.iterancestors():
        if parent.tag == f"{_XS}element":
            break
        parents.append(parent)
    return any(node.get("maxOccurs", "1") not in ("0", "1") for node in (element, *parents))


def test_the_shapes_are_the_schemas(shared_folder: Path) -> None:
    seen = set()
    for file in sorted((shared_folder / "spec/xsd").glob("*.xsd")):
        if file.name.startswith("hook_message") or file.name in ("index.xsd", "api_info.xsd"):
            continue
        for element in etree.parse(str(file)).getroot().findall(f"{_XS}element"):
            name = str(element.get("name"))
            if name in SHAPES:
                seen.add(name)
                _walk(element, SHAPES[name], name)
    assert len(seen) >= 24


# -- lists -------------------------------------------------------------------------------------------------
@pytest.fixture
def http(core: Core) -> Http:
    """Five held VMs of oneadmin, the newest of alice; three hosts."""
    core.add_user("alice")
    for n in range(5):
        core.call("vm.allocate", f"NAME=vm{n}\nCPU=1\nMEMORY=64", True)
    core.call("vm.chown", 4, 2, -1)
    for n in range(3):
        core.call("host.allocate", f"h{n}", "dummy", "dummy", 0)
    return Http(core)


def ids(http: Http, path: str, user: str = "oneadmin") -> list[int]:
    return [item["ID"] for item in http("GET", path, user=user).json["items"]]


@pytest.mark.parametrize(
    ("path", "expected", "next_offset"),
    [
        ("/vms?size=2", [4, 3], 2),
        ("/vms?size=2&offset=2", [2, 1], 4),
        ("/vms?size=2&offset=4", [0], None),
        ("/vms?size=5", [4, 3, 2, 1, 0], None),
        ("/vms?size=5&offset=9", [], None),
        ("/vms?size=1&extended=true", [4], 1),
        ("/vms?size=1&filter=0", [3], 1),
        ("/vms?size=2&ids=0,1,2", [2, 1], 2),
        ("/hosts?size=2", [2, 1], 2),
        ("/hosts?size=2&offset=2", [0], None),
        ("/hosts?size=3", [2, 1, 0], None),
    ],
)
def test_pages(http: Http, path: str, expected: list[int], next_offset: int | None) -> None:
    reply = http("GET", path).json
    assert [item["ID"] for item in reply["items"]] == expected
    assert reply["next_offset"] == next_offset


def test_pages_of_what_is_no_pool(http: Http) -> None:
    rules = http("GET", "/acls").json["items"]
    page = http("GET", "/acls?size=1&offset=1").json
    assert (page["items"], page["next_offset"]) == ([rules[1]], 2)


def test_filters(http: Http) -> None:
    assert ids(http, "/vms") == [4, 3, 2, 1, 0]
    assert ids(http, "/vms?filter=all", "alice") == [4]
    assert ids(http, "/vms?filter=mine") == [3, 2, 1, 0]
    assert ids(http, "/vms?filter=2") == [4]
    assert ids(http, "/vms?search=vm3") == [3]
    assert ids(http, "/vms?state=6") == []
    assert ids(http, "/vms?ids=1,3") == [3, 1]


def test_whole_documents_and_short_ones(http: Http) -> None:
    assert "PERMISSIONS" not in http("GET", "/vms").json["items"][0]
    assert http("GET", "/vms?extended=true").json["items"][0]["PERMISSIONS"]["OWNER_U"] == 1


def test_a_page_in_xml(http: Http, core: Core) -> None:
    reply = http("GET", "/vms?size=2&offset=1", accept="application/xml")
    assert reply.body.decode() == core.call("vmpool.info", -2, 1, -2, -1)
    assert http("GET", "/hosts?size=1", accept="application/xml").status == 400
    assert http("GET", "/hosts", accept="application/xml").body.decode() == core.call("hostpool.info")


def test_quotas_beside_the_users(http: Http) -> None:
    reply = http("GET", "/users").json
    assert {quotas["ID"] for quotas in reply["QUOTAS"]} == {user["ID"] for user in reply["items"]}
    assert reply["DEFAULT_USER_QUOTAS"]["VM_QUOTA"] == {}
