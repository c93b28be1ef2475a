"""Statements that oneadmin sends to the database, and who reads the settings."""

from __future__ import annotations

import base64

import pytest

from tests.support.core import Core, Refused

AUTHORIZATION, ACTION = 0x200, 0x800


@pytest.fixture(autouse=True)
def users(core: Core) -> None:
    """ann has the oneadmin group as her second one, bea as her first."""
    core.add_user("ann", 1, 0)
    core.add_user("bea", 0)


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def test_a_query(core: Core) -> None:
    query = "SELECT oid, name, body AS doc, NULL AS empty, '%?' AS signs FROM vdc_pool WHERE oid < 5"
    document = core.info("system.sqlquery", query)
    assert [(part.tag, part.text) for part in document][0] == ("QUERY", query)
    row = document.find("RESULT/ROW")
    assert row is not None and [part.tag for part in row] == ["oid", "name", "doc64", "empty", "signs"]
    assert [row.findtext(name) for name in ("oid", "name", "empty", "signs")] == ["0", "default", "", "%?"]
    assert base64.b64decode(row.findtext("doc64") or "").decode() == core.call("vdc.info", 0)
    two = core.info("system.sqlquery", "SELECT 1 AS a; SELECT ';' AS b;\n")
    assert [(part.tag, part.text) for part in two.iterfind("RESULT/ROW/*")] == [("a", "1"), ("b", ";")]
    assert core.call("system.sqlquery", "SELECT 1 AS a WHERE 0") == (
        "<SQL_COMMAND><QUERY><![CDATA[SELECT 1 AS a WHERE 0]]></QUERY><RESULT></RESULT></SQL_COMMAND>"
    )
    assert (
        core.info("system.sqlquery", "SELECT COUNT(*), 1+1 FROM vdc_pool").find("RESULT/ROW/COUNT___")
        is not None
    )


def test_a_change(core: Core) -> None:
    statement = "UPDATE vdc_pool SET body = REPLACE(body, 'access', 'entry%?') WHERE oid = 0"
    assert core.call("system.sql", statement, False) == 0
    assert "default entry%? rules" in core.call("vdc.info", 0)
    assert core.call("system.sql", "DELETE FROM hook_log", True) == 0


def test_refusals(core: Core) -> None:
    for user in ("ann", "bea"):
        _refused(core, AUTHORIZATION, "system.sql", "DELETE FROM acl", False, user=user)
        _refused(core, AUTHORIZATION, "system.sqlquery", "SELECT 1", user=user)
    assert core.rows("SELECT COUNT(*) FROM acl")[0][0] > 0
    for bad in ("SELEKT", "SELECT x FROM locked", "SELECT 1; SELEKT", "SELECT '"):
        _refused(core, ACTION, "system.sqlquery", bad)
        _refused(core, ACTION, "system.sql", bad, False)
    # A statement that fails leaves nothing behind.
    _refused(
        core,
        ACTION,
        "system.sql",
        "INSERT INTO hook_log (hkid, exeid) SELECT 1, 1 UNION ALL SELECT 1, 1",
        False,
    )
    assert core.rows("SELECT * FROM hook_log") == []


def test_the_settings_are_for_the_oneadmin_group(core: Core) -> None:
    assert core.call("system.config", user="bea").startswith("<OPENNEBULA_CONFIGURATION>")
    _refused(core, AUTHORIZATION, "system.config", user="ann")
