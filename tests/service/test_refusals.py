"""What is wrong is refused with the documented code and a message that helps, and changes nothing."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from services.common import xmlrpc
from services.common.oca import OneError
from tests.support.frontend import Frontend

AUTHENTICATION, AUTHORIZATION, NO_EXISTS, ACTION, API, INTERNAL, ALLOCATE = (
    0x100,
    0x200,
    0x400,
    0x800,
    0x1000,
    0x2000,
    0x4000,
)


def post(frontend: Frontend, body: bytes) -> list[Any]:
    """The array that a raw request is answered with."""
    request = urllib.request.Request(frontend.endpoint, body, {"Content-Type": "text/xml"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert reply.status == 200
        return xmlrpc.loads_response(reply.read())


@pytest.fixture(autouse=True)
def nothing_changed(request: pytest.FixtureRequest, frontend: Frontend) -> Iterator[None]:
    """The pools are the same before and after, but for a test that makes its own VM."""
    if "own_vm" in request.fixturenames:
        yield
        return

    def pools() -> list[str]:
        client = frontend.client()
        return [
            client.call("vmpool.infoextended", -2, -1, -1, -2),
            client.call("templatepool.info", -2, -1, -1),
            client.call("userpool.info"),
            client.call("hostpool.info"),
        ]

    before = pools()
    yield
    assert pools() == before


def refused(frontend: Frontend, method: str, *args: object, session: str | None = None) -> OneError:
    with pytest.raises(OneError) as refusal:
        frontend.client(session).call(method, *args)
    return refusal.value


@pytest.mark.parametrize("session", ["oneadmin:wrong", "nobody:x", "oneadmin", "", ":", "oneadmin:"])
def test_a_wrong_session(frontend: Frontend, session: str) -> None:
    error = refused(frontend, "vm.allocate", "CPU=1\nMEMORY=1", False, session=session or " ")
    assert error.code == AUTHENTICATION
    assert frontend.password not in error.message


def test_an_unknown_method(frontend: Frontend) -> None:
    error = refused(frontend, "vm.frobnicate", 1)
    assert error.code == API and "one.vm.frobnicate" in error.message


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["one"], ["vm_id", "must be int", "found string"]),
        ([True], ["vm_id", "must be int", "found boolean"]),
        ([[1]], ["vm_id", "must be int", "found array"]),
        ([], ["vm_id", "missing"]),
    ],
)
def test_wrong_or_missing_arguments(frontend: Frontend, args: list[object], words: list[str]) -> None:
    error = refused(frontend, "vm.info", *args)
    assert error.code == API
    assert all(word in error.message for word in words), error.message


def test_a_missing_session(frontend: Frontend) -> None:
    answer = post(frontend, xmlrpc.dumps_request("one.vm.info", []))
    assert answer[0] is False and answer[2] == API and "session" in answer[1]


def test_a_request_over_the_size_limit(frontend: Frontend) -> None:
    error = refused(frontend, "template.allocate", 'NAME="big"\nTEXT="' + "x" * 10_000_000 + '"')
    assert error.code == API
    assert "MESSAGE_SIZE" in error.message and "8388608" in error.message


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE m [<!ENTITY e "x">]><methodCall><methodName>&e;</methodName></methodCall>',
        b'<!DOCTYPE m SYSTEM "file:///etc/passwd"><methodCall><methodName>one.vm.info</methodName></methodCall>',
        b"this is not XML",
        b"<methodCall>",
        b"",
    ],
)
def test_a_request_that_is_not_xml_rpc(frontend: Frontend, body: bytes) -> None:
    answer = post(frontend, body)
    assert answer[0] is False and answer[2] == API and "root:" not in answer[1]


def test_a_template_with_entities(frontend: Frontend) -> None:
    bomb = '<!DOCTYPE t [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><TEMPLATE><NAME>&b;</NAME></TEMPLATE>'
    error = refused(frontend, "template.allocate", bomb)
    assert error.code == INTERNAL and "entities are not accepted" in error.message


def test_a_syntax_error_names_line_and_column(frontend: Frontend) -> None:
    error = refused(frontend, "template.allocate", 'NAME = "x"\nCPU = 1\nDISK = [ SIZE = 10 FORMAT = raw ]')
    assert error.code == INTERNAL
    assert "line 3, column 20" in error.message and "expected" in error.message


@pytest.mark.parametrize("value", ["-1", "abc", "0", "", "1e400"])
@pytest.mark.parametrize("name", ["CPU", "MEMORY"])
def test_a_capacity_that_is_none(frontend: Frontend, name: str, value: str) -> None:
    values = {"CPU": "1", "MEMORY": "64", name: value}
    error = refused(
        frontend, "vm.allocate", "\n".join(f'{key}="{text}"' for key, text in values.items()), True
    )
    assert error.code == INTERNAL
    assert name in error.message and "positive" in error.message


@pytest.mark.parametrize("vcpu", ["-1", "abc", "1.5"])
def test_a_vcpu_that_is_none(frontend: Frontend, vcpu: str) -> None:
    error = refused(frontend, "vm.allocate", f'CPU=1\nMEMORY=64\nVCPU="{vcpu}"', True)
    assert error.code == INTERNAL and "VCPU" in error.message


def test_objects_that_do_not_exist(frontend: Frontend) -> None:
    assert refused(frontend, "vm.info", 9999).code == NO_EXISTS
    assert refused(frontend, "vm.action", "poweroff", 9999).code == NO_EXISTS
    assert refused(frontend, "vm.deploy", 9999, 0, False, -1, "").code == NO_EXISTS
    assert refused(frontend, "template.instantiate", 9999, "", False, "", False).code == NO_EXISTS


def test_filters_that_do_not_exist(frontend: Frontend) -> None:
    assert refused(frontend, "vmpool.info", -9, -1, -1, -1).code == API
    assert refused(frontend, "vmpool.info", -2, -1, -1, 77).code == API


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ('NIC=[NETWORK="n"]', "network"),
        ('DISK=[IMAGE_ID="1"]', "1"),
        ('VMGROUP=[VMGROUP_ID="1", ROLE="r"]', "1"),
    ],
)
def test_parts_that_do_not_exist(frontend: Frontend, part: str, words: str) -> None:
    error = refused(frontend, "vm.allocate", f"CPU=1\nMEMORY=64\n{part}", True)
    assert error.code in (INTERNAL, NO_EXISTS, ALLOCATE) and words in error.message


@pytest.fixture
def own_vm(frontend: Frontend) -> Iterator[int]:
    """A held VM."""
    vm_id = frontend.client().call("vm.allocate", "CPU=1\nMEMORY=64", True)
    yield vm_id
    frontend.client().call("vm.recover", vm_id, 5)


def test_a_mistake_in_another_state_names_state_and_what_is_allowed(frontend: Frontend, own_vm: int) -> None:
    vm_id = own_vm
    before = frontend.client().call("vm.info", vm_id, False)
    error = refused(frontend, "vm.action", "poweroff", vm_id)
    assert error.code == ACTION
    assert (
        f"virtual machine {vm_id}" in error.message and "HOLD" in error.message and "RUNNING" in error.message
    )
    assert refused(frontend, "vm.action", "explode", vm_id).code == ACTION
    assert refused(frontend, "vm.recover", vm_id, 9).code == ACTION
    assert frontend.client().call("vm.info", vm_id, False) == before
