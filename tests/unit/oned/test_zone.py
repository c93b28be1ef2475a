"""Zones and their servers, of a zone on its own and of a federation's master."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.core import Core, Refused
from tests.support.schemas import Schemas

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL, ALLOCATE, REPLICATION = (
    0x200,
    0x400,
    0x800,
    0x2000,
    0x4000,
    0x10000,
)
SERVER = 'SERVER=[NAME="s0",ENDPOINT="http://a:2633/RPC2"]'
SPAIN = "NAME=spain\nENDPOINT=http://b:2633/RPC2\nSERVER=[NAME=x]\nNOTE=1"


@pytest.fixture
def master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    """The master zone of a federation."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    made = Core(tmp_path, 'FEDERATION=[MODE="MASTER",ZONE_ID="0"]')
    yield made
    made.zone.close()


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def test_the_zone_of_a_fresh_front_end(core: Core, shared_folder: Path) -> None:
    text = core.call("zone.info", 0)
    assert text == (
        "<ZONE><ID>0</ID><NAME>OpenNebula</NAME><TEMPLATE><ENDPOINT><![CDATA[http://localhost:2633/RPC2]]>"
        "</ENDPOINT></TEMPLATE><SERVER_POOL></SERVER_POOL></ZONE>"
    )
    assert Schemas(shared_folder / "spec/xsd").problem(text) is None
    core.add_user("ann")
    assert core.call("zone.info", 0, user="ann") == text
    assert core.call("zonepool.info", user="ann") == f"<ZONE_POOL>{text}</ZONE_POOL>"
    _refused(core, NO_EXISTS, "zone.info", 7)


def test_only_a_master_makes_zones(core: Core) -> None:
    core.add_user("ann")
    for user in ("oneadmin", "ann"):
        for text in (SPAIN, "NAME=["):
            _refused(core, ALLOCATE, "zone.allocate", text, user=user)


def test_zones_of_a_federation(master: Core) -> None:
    master.add_user("ann")
    _refused(master, AUTHORIZATION, "zone.allocate", SPAIN, user="ann")
    assert master.call("zone.allocate", SPAIN) == 100
    assert master.call("zone.info", 100) == (
        "<ZONE><ID>100</ID><NAME>spain</NAME><TEMPLATE><ENDPOINT><![CDATA[http://b:2633/RPC2]]></ENDPOINT>"
        "<NOTE><![CDATA[1]]></NOTE></TEMPLATE><SERVER_POOL></SERVER_POOL></ZONE>"
    )
    for text in (SPAIN, "ENDPOINT=x", "NAME=other", "NAME=["):
        _refused(master, INTERNAL, "zone.allocate", text)
    # Servers of another zone are its own affair, and so are its hosts.
    _refused(master, ACTION, "zone.addserver", 100, SERVER)
    master.call("group.allocate", "devs")
    master.call("vdc.allocate", "NAME=v1")
    master.call("vdc.addgroup", 100, 100)
    assert master.call("vdc.addhost", 100, 100, 4711) == 100
    rules = [rule.findtext("STRING") for rule in master.info("acl.info")]
    assert "@100 HOST/#4711 MANAGE #100" in rules
    _refused(master, ACTION, "zone.rename", 100, "OpenNebula")
    assert master.call("zone.delete", 100) == 100
    rules = [rule.findtext("STRING") for rule in master.info("acl.info")]
    assert not any(rule and rule.endswith("#100") for rule in rules)
    _refused(master, ACTION, "zone.delete", 0)


def test_changes(core: Core) -> None:
    core.add_user("ann")
    for method, args in (
        ("zone.update", (0, "X=1", 1)),
        ("zone.rename", (0, "spain")),
        ("zone.delete", (0,)),
        ("zone.addserver", (0, SERVER)),
        ("zone.delserver", (0, 0)),
        ("zone.resetserver", (0, 0)),
    ):
        _refused(core, AUTHORIZATION, method, *args, user="ann")
    assert core.call("zone.update", 0, "X=1\nSERVER=[NAME=x]", 0) == 0
    template = core.info("zone.info", 0).find("TEMPLATE")
    assert template is not None and [(part.tag, part.text) for part in template] == [
        ("ENDPOINT", "-"),
        ("X", "1"),
    ]
    core.call("zone.update", 0, "ENDPOINT=http://c", 1)
    assert core.info("zone.info", 0).findtext("TEMPLATE/ENDPOINT") == "http://c"
    assert core.call("zone.rename", 0, "spain") == 0
    assert core.info("zone.info", 0).findtext("NAME") == "spain"
    for method, args in (("zone.update", (9, "X=1", 1)), ("zone.rename", (9, "a")), ("zone.delete", (9,))):
        _refused(core, NO_EXISTS, method, *args)


def test_servers(core: Core, shared_folder: Path) -> None:
    assert core.call("zone.addserver", 0, SERVER) == 0
    assert core.call("zone.addserver", 0, SERVER.replace("s0", "s1").replace("]", ',ID="9"]')) == 0
    text = core.call("zone.info", 0)
    assert Schemas(shared_folder / "spec/xsd").problem(text) is None
    assert text.endswith(
        "<SERVER_POOL><SERVER><ENDPOINT><![CDATA[http://a:2633/RPC2]]></ENDPOINT><ID><![CDATA[0]]></ID>"
        "<NAME><![CDATA[s0]]></NAME></SERVER><SERVER><ENDPOINT><![CDATA[http://a:2633/RPC2]]></ENDPOINT>"
        "<ID><![CDATA[1]]></ID><NAME><![CDATA[s1]]></NAME></SERVER></SERVER_POOL></ZONE>"
    )
    for bad in ("NAME=s0", "SERVER=s0", "SERVER=[", 'SERVER=[NAME="a"]', 'SERVER=[ENDPOINT="a"]'):
        _refused(core, ACTION, "zone.addserver", 0, bad)
    _refused(core, ACTION, "zone.addserver", 9, SERVER)
    _refused(core, ACTION, "zone.delserver", 0, 7)
    _refused(core, ACTION, "zone.delserver", 9, 0)
    assert core.call("zone.delserver", 0, 0) == 0
    assert [found.text for found in core.info("zone.info", 0).findall("SERVER_POOL/SERVER/ID")] == ["1"]
    core.call("zone.addserver", 0, SERVER)
    assert [found.text for found in core.info("zone.info", 0).findall("SERVER_POOL/SERVER/ID")] == ["1", "2"]
    assert core.call("zone.resetserver", 0, 77) == 0
    _refused(core, ACTION, "zone.resetserver", 9, 0)
    assert core.info("zone.raftstatus").findtext("STATE") == "0"


def test_replacing_a_document(core: Core) -> None:
    core.add_user("ann", 0)
    document = core.call("zone.info", 0)
    changed = document.replace("OpenNebula", "here")
    _refused(core, AUTHORIZATION, "zone.updatedb", 0, changed, user="ann")
    _refused(core, NO_EXISTS, "zone.updatedb", 8, changed)
    for bad in (
        "<ZONE>",
        "<HOST></HOST>",
        changed.replace("<ID>0", "<ID>1"),
        changed.replace("<SERVER_POOL></SERVER_POOL>", ""),
    ):
        _refused(core, INTERNAL, "zone.updatedb", 0, bad)
    assert core.call("zone.updatedb", 0, changed) == 0
    assert core.call("zone.info", 0) == changed


# -- messages between servers ------------------------------------------------------------------------------
def test_votes(core: Core) -> None:
    core.add_user("ann", 0)
    assert _refused(core, INTERNAL, "zone.voterequest", 0, -1, 0, 0, user="ann").object_id == 0
    assert _refused(core, AUTHORIZATION, "zone.voterequest", 0, 1, 0, 0, user="ann").object_id == 0
    assert core.call("zone.voterequest", 0, 1, 0, 0) == 0
    assert core.call("zone.voterequest", 0, 1, 5, 0) == 0
    _refused(core, ACTION, "zone.voterequest", 0, 2, 0, 0)
    assert core.info("zone.raftstatus").findtext("VOTEDFOR") == "1"
    assert "not available in this version" in _refused(core, ACTION, "zone.voterequest", 3, 1, 0, 0).text
    document = core.info("zone.raftstatus", user="ann")
    assert [(part.tag, part.text) for part in document] == [
        *(("SERVER_ID", "-1"), ("STATE", "0"), ("TERM", "0"), ("VOTEDFOR", "1"), ("COMMIT", "0")),
        *(("LOG_INDEX", "-1"), ("LOG_TERM", "-1"), ("FEDLOG_INDEX", "-1")),
    ]


def test_a_leaders_messages(core: Core) -> None:
    core.add_user("ann", 0)
    beat = (3, 0, 0, 0, 0, 0, 0, 0, "")
    _refused(core, AUTHORIZATION, "zone.replicate", *beat, user="ann")
    assert core.call("zone.replicate", *beat) == 0
    _refused(core, ACTION, "zone.replicate", 3, 0, 0, 1, 0, 0, 0, 0, "")
    for record in ((3, 0, 0, 7, 0, 6, 0, 0, "X"), (3, 0, 2, 0, 0, 0, 0, 0, "")):
        assert "not available in this version" in _refused(core, ACTION, "zone.replicate", *record).text


def test_records_of_a_federation(core: Core) -> None:
    core.add_user("ann", 0)
    _refused(core, AUTHORIZATION, "zone.fedreplicate", 1, 0, "X", user="ann")
    for sql in ("", "X"):
        _refused(core, REPLICATION, "zone.fedreplicate", 1, 0, sql)
