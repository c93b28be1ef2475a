"""Large pools: sent while they are read, in either form, with the same bytes as in one piece."""

from __future__ import annotations

import gc
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from services.common import xmlrpc
from services.oned.api import pool, stream
from services.oned.api.stream import STREAMS_MAX, Streamed
from services.oned.errors import OneError
from services.oned.store.sqlite import SqliteConnection
from tests.support.copies import copy_vm
from tests.support.core import Core
from tests.support.http import Http
from tests.support.zone import SESSION

VMS = 150
REQUEST = xmlrpc.dumps_request("one.vmpool.infoextended", [SESSION, -2, -1, -1, -2])


@pytest.fixture
def many(core: Core) -> Core:
    """150 VMs whose attributes need escaping."""
    vm_id = core.call("vm.allocate", 'NAME="v"\nCPU=1\nMEMORY=1\nNOTE="a<b>&c]]>"', True)
    copy_vm(core.store, vm_id, VMS)
    return core


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pool counts as too large to be sent in one piece, and for its length to be known."""
    monkeypatch.setattr(pool.PoolDocument.gather, "__defaults__", (2_000,))
    monkeypatch.setattr(stream, "SIZED_MAX", 4_000)


def sent(core: Core) -> Streamed:
    reply = core.zone.dispatcher.reply(REQUEST)
    assert isinstance(reply, Streamed)
    return reply


def whole(core: Core) -> bytes:
    return core.zone.dispatcher.answer(REQUEST)


def test_the_same_bytes_in_pieces(many: Core, request: pytest.FixtureRequest) -> None:
    expected = whole(many)
    request.getfixturevalue("small_limits")
    reply = sent(many)
    pieces = list(reply)
    reply.close()
    assert reply.length is None
    assert len(pieces) > 3
    assert b"".join(pieces) == expected
    assert xmlrpc.loads_response(expected)[0]


def test_a_length_where_it_is_known(many: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = whole(many)
    monkeypatch.setattr(pool.PoolDocument.gather, "__defaults__", (2_000,))
    reply = sent(many)
    # Everything is gathered: the thread's connection is free for something else.
    assert many.call("system.version")
    body = b"".join(reply)
    reply.close()
    assert (reply.length, body) == (len(expected), expected)


@pytest.mark.usefixtures("small_limits")
def test_json_in_pieces(many: Core) -> None:
    reply = Http(many)("GET", "/vms?extended=true")
    assert "content-length" not in reply.headers
    assert [vm["ID"] for vm in json.loads(reply.body)["items"]] == list(range(VMS - 1, -1, -1))
    assert reply.json["items"][0]["USER_TEMPLATE"]["NOTE"] == "a<b>&c]]>"
    named = Http(many)("POST", "/methods/one.vmpool.infoextended", [-2, -1, -1, -2])
    assert named.json == {"result": reply.json}
    page = Http(many)("GET", "/vms?extended=true&size=100").json
    assert (len(page["items"]), page["next_offset"]) == (100, 100)


@pytest.mark.usefixtures("small_limits")
def test_xml_in_pieces(many: Core) -> None:
    reply = Http(many)("GET", "/vms?extended=true&state=-2", accept="application/xml")
    assert reply.body.decode() == xmlrpc.loads_response(whole(many))[1]


@pytest.mark.usefixtures("small_limits")
def test_a_snapshot_of_one_moment(many: Core) -> None:
    reply = sent(many)
    pieces = iter(reply)
    first = next(pieces)
    other = sqlite3.connect(many.zone.conf.db.path)
    other.execute("DELETE FROM vm_pool WHERE oid < 100")
    other.commit()
    other.close()
    text = (first + b"".join(pieces)).decode()
    reply.close()
    assert text.count("&lt;VM&gt;") == VMS


@pytest.mark.usefixtures("small_limits")
def test_a_client_that_goes_away(many: Core) -> None:
    for _ in range(STREAMS_MAX + 2):
        reply = sent(many)
        next(iter(reply))
        reply.close()
        reply.close()
    assert many.call("system.version")
    reply = sent(many)
    reply.close()
    assert b"".join(reply) == b""


@pytest.mark.usefixtures("small_limits")
def test_too_many_at_once(many: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_WAIT_S", 0.01)
    held = []
    for _ in range(STREAMS_MAX):
        held.append(stream.start((b"x" * 5_000 for _ in range(3)), 0))
    answer = xmlrpc.loads_response(whole(many))
    assert (answer[0], answer[2]) == (False, 0x2000)
    assert Http(many)("GET", "/vms?extended=true").status == 503
    # What fits into memory is sent in one piece instead.
    assert isinstance(stream.start((b"x" for _ in range(3)), 0), list)
    for one in held:
        assert isinstance(one, Streamed)
        one.close()
    assert xmlrpc.loads_response(whole(many))[0]


@pytest.mark.usefixtures("small_limits")
def test_a_database_that_fails_on_the_way(many: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    original = SqliteConnection.stream

    def failing(self: SqliteConnection, sql: str, params: tuple[Any, ...]) -> Iterator[list[tuple[Any, ...]]]:
        rows = original(self, sql, params)
        yield next(rows)
        rows.close()  # type: ignore[attr-defined]
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(SqliteConnection, "stream", failing)
    reply = sent(many)
    with pytest.raises(OneError, match="disk I/O error"):
        b"".join(reply)
    reply.close()
    monkeypatch.undo()
    gc.collect()
    assert xmlrpc.loads_response(whole(many))[0]


def test_a_database_that_fails_at_once(many: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: SqliteConnection, sql: str, params: tuple[Any, ...]) -> Iterator[list[tuple[Any, ...]]]:
        raise sqlite3.OperationalError("disk I/O error")
        yield []

    monkeypatch.setattr(SqliteConnection, "stream", failing)
    answer = xmlrpc.loads_response(whole(many))
    assert (answer[0], answer[2]) == (False, 0x2000)
    assert Http(many)("GET", "/vms").status == 503
