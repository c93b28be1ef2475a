"""What the methods of hooks, VDCs, zones, documents and the system ask of the database, asked of MariaDB."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.common import paths, xmldoc
from tests.service.conftest import mysql_section
from tests.support.mariadb import MariaDb
from tests.support.zone import Zone

ACTION, INTERNAL = 0x800, 0x2000


@pytest.fixture(scope="module")
def zone(mariadb: MariaDb, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zone]:
    """A fresh zone in this process, on MariaDB."""
    folder = tmp_path_factory.mktemp("kinds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONE_LOCATION", str(folder))
        paths.log().mkdir(exist_ok=True)
        made = Zone(folder, mysql_section(mariadb, "kinds_on_mariadb"))
        yield made
        made.close()


def _document(zone: Zone, method: str, *args: object) -> xmldoc.etree._Element:
    return xmldoc.parse(zone.value(method, *args))


def test_statements_pass_untouched(zone: Zone) -> None:
    found = _document(
        zone, "one.system.sqlquery", "SELECT oid, body, NULL AS nil, '%s ?' AS signs FROM zone_pool"
    )
    row = found.find("RESULT/ROW")
    assert row is not None and [part.tag for part in row] == ["oid", "body64", "nil", "signs"]
    assert (row.findtext("nil"), row.findtext("signs")) == ("", "%s ?")
    assert zone.value("one.system.sql", "UPDATE zone_pool SET body = REPLACE(body, '%s ?', '')", False) == 0
    for bad in ("SELEKT", "SELECT x FROM nowhere", "SELECT 1; SELEKT"):
        assert zone.refusal("one.system.sqlquery", bad)[0] == ACTION
        assert zone.refusal("one.system.sql", bad, False)[0] == ACTION
    two = _document(zone, "one.system.sqlquery", "SELECT 1 AS a; SELECT ';' AS b;")
    assert [(part.tag, part.text) for part in two.iterfind("RESULT/ROW/*")] == [("a", "1"), ("b", ";")]
    duplicate = "INSERT INTO hook_log (hkid, exeid) SELECT 1, 1 UNION ALL SELECT 1, 1"
    assert zone.refusal("one.system.sql", duplicate, False)[0] == ACTION
    assert _document(zone, "one.system.sqlquery", "SELECT hkid FROM hook_log").find("RESULT/ROW") is None


def test_the_hook_log(zone: Zone) -> None:
    hook = zone.value("one.hook.allocate", "NAME=h\nTYPE=api\nCOMMAND=x\nCALL=one.vm.allocate")
    for hook_id, execution, rc in ((hook, 0, 0), (hook, 1, 1), (hook + 1, 0, 1)):
        body = (
            f"<HOOK_EXECUTION_RECORD><HOOK_ID>{hook_id}</HOOK_ID><EXECUTION_ID>{execution}</EXECUTION_ID>"
            "<ARGUMENTS>a</ARGUMENTS></HOOK_EXECUTION_RECORD>"
        )
        zone.value(
            "one.system.sql",
            f"INSERT INTO hook_log VALUES ({hook_id}, {execution}, {10 * execution}, {rc}, '{body}')",
            False,
        )
    found = [
        (run.findtext("HOOK_ID"), run.findtext("EXECUTION_ID"))
        for run in _document(zone, "one.hooklog.info", -1, -1, -1, 0)
    ]
    assert found == [(str(hook + 1), "0"), (str(hook), "1"), (str(hook), "0")]
    assert len(_document(zone, "one.hooklog.info", 5, -1, hook, -1)) == 1
    assert zone.value("one.hook.retry", hook, 1) == hook
    assert zone.refusal("one.hook.retry", hook, 7)[0] == INTERNAL
    zone.value("one.hook.delete", hook)
    assert len(_document(zone, "one.hooklog.info", -1, -1, -1, 0)) == 1


def test_vdcs_and_their_rules(zone: Zone) -> None:
    group = zone.value("one.group.allocate", "devs")
    for name in ("v1", "v2"):
        vdc = zone.value("one.vdc.allocate", f"NAME={name}")
        zone.value("one.vdc.addgroup", vdc, group)
        zone.value("one.vdc.addcluster", vdc, 0, 0)

    def rules() -> list[str]:
        texts = [rule.findtext("STRING") or "" for rule in _document(zone, "one.acl.info")]
        return [text for text in texts if text.startswith(f"@{group} ") and "%0" in text]

    assert len(rules()) == 3
    zone.value("one.vdc.delete", vdc)
    assert len(rules()) == 3
    zone.value("one.vdc.delcluster", vdc - 1, 0, 0)
    assert rules() == []


def test_votes_and_servers(zone: Zone) -> None:
    assert zone.value("one.zone.voterequest", 0, 4, 0, 0) == 0
    assert zone.refusal("one.zone.voterequest", 0, 5, 0, 0)[0] == ACTION
    assert _document(zone, "one.zone.raftstatus").findtext("VOTEDFOR") == "4"
    zone.value("one.zone.addserver", 0, 'SERVER=[NAME="s",ENDPOINT="http://s:2633/RPC2"]')
    assert _document(zone, "one.zone.info", 0).findtext("SERVER_POOL/SERVER/NAME") == "s"


def test_documents_of_a_type(zone: Zone) -> None:
    for doc_type in (100, 101):
        zone.value("one.document.allocate", "NAME=d", doc_type)
    assert len(_document(zone, "one.documentpool.info", -2, -1, -1, 101)) == 1
