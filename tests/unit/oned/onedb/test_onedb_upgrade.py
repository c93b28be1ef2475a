"""onedb upgrade on SQLite, from the databases of older releases; on MariaDB in tests/service."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from services.common import xmldoc
from services.oned.fsck import repair
from services.oned.onedb import migrate, migrations, own_steps
from services.oned.store import Store, Tx, schema, versions
from services.oned.version import OWN_SCHEMA_VERSION
from tests.support import older
from tests.support.core import Core
from tests.support.onedb import Onedb, content

OLD = {"5.12.0": older.to_5_12, "5.10.0": older.to_5_10}


def age(core: Core, make: Callable[[Tx], None]) -> None:
    """Make the database old."""
    core.store.run(make)
    core.zone.close()


def document(onedb: Onedb, table: str, oid: int) -> xmldoc.etree._Element:
    return xmldoc.parse(onedb.rows(f"SELECT body FROM {table} WHERE oid = ?", oid)[0][0])


def same(text: str) -> str:
    """A document in a form that does not depend on how empty elements and values are written."""
    return str(xmldoc.etree.canonicalize(text))


def columns(store: Store) -> dict[str, list[str]]:
    with store.read() as tx:
        return {table: sorted(schema.columns(tx, table)) for table in schema.tables(tx)}


@pytest.mark.parametrize("version", OLD)
def test_the_tables_are_those_of_a_fresh_database(core: Core, onedb: Onedb, version: str) -> None:
    fresh = columns(core.store)
    age(core, OLD[version])
    assert onedb.run("version").code == 2
    shown = onedb.done("upgrade", "-v")
    assert ">>> Running migrators for shared tables" in shown and "  > 5.12.0 to 6.0.0: done" in shown
    assert columns(core.store) == fresh
    with core.store.read() as tx:
        assert schema.problems(tx) == []
        found = versions.read(tx)
    assert found is not None and found.shared.version == found.local.version == "6.0.0"
    assert found.own == OWN_SCHEMA_VERSION
    assert repair.look(core.store).unrepaired == []
    core.zone.close()
    assert onedb.run("version").code == 0
    assert f"Database migrated from {version} to" in onedb.done("history")
    assert len(list(onedb.file.parent.glob("one.db_20*"))) == 1
    before = content(core.store)
    assert onedb.done("upgrade") == "Database schema is up to date.\n"
    assert content(core.store) == before
    core.zone.close()


def test_what_becomes_of_5_12(core: Core, onedb: Onedb) -> None:
    owner = core.rows("SELECT body FROM history WHERE vid = 1")
    age(core, older.to_5_12)
    onedb.done("upgrade", "--no-backup")
    assert not list(onedb.file.parent.glob("one.db_20*"))
    found = {oid: document(onedb, "image_pool", oid) for oid in (0, 1, 2)}
    assert [image.findtext("FORMAT") for image in found.values()] == ["qcow2", "ext4", "raw"]
    assert [image.findtext("PREV_STATE") for image in found.values()] == ["2", "8", "1"]
    assert all(image.find("FSTYPE") is None for image in found.values())
    assert same(onedb.rows("SELECT body FROM history WHERE vid = 1")[0][0]) == same(owner[0][0])


def test_what_becomes_of_5_10(core: Core, onedb: Onedb) -> None:
    rules, host, vm = (
        core.rows(f"SELECT {names} FROM {table} WHERE oid < 3 ORDER BY oid")
        for names, table in (("*", "acl"), ("body", "host_pool"), ("body, short_body", "vm_pool"))
    )
    age(core, older.to_5_10)
    onedb.done("upgrade")
    assert onedb.rows("SELECT * FROM acl WHERE oid < 3 ORDER BY oid") == rules
    after = onedb.rows("SELECT body, short_body FROM vm_pool WHERE oid < 3 ORDER BY oid")
    assert [[same(text) for text in row] for row in after] == [[same(text) for text in row] for row in vm]
    expected = host[0][0].replace("<FREE_DISK><![CDATA[0]]>", "<FREE_DISK><![CDATA[40]]>")
    for name, size in (("DISK_USAGE", 3), ("MAX_DISK", 50), ("USED_DISK", 10)):
        expected = expected.replace(f"<{name}><![CDATA[0]]>", f"<{name}><![CDATA[{size}]]>")
    assert onedb.rows("SELECT body FROM host_pool WHERE oid = 0") == [(expected,)]
    market = document(onedb, "marketplace_pool", 101)
    assert (market.findtext("NAME"), market.findtext("MARKET_MAD")) == ("DockerHub", "dockerhub")
    body = json.loads(document(onedb, "document_pool", 0).findtext("TEMPLATE/BODY") or "")
    assert body["networks"] == older.SERVICE["custom_attrs"] and body["custom_attrs"] == {}
    assert body["networks_values"] == older.SERVICE["custom_attrs_values"]
    assert body["roles"][0]["nodes"][0]["vm_info"]["VM"] == {"ID": "1", "NAME": "n"}
    sample = xmldoc.parse(onedb.rows("SELECT body FROM host_monitoring WHERE last_mon_time = 100")[0][0])
    assert sample.tag == "MONITORING" and sample.findtext("CAPACITY/FREE_MEMORY") == "7000"
    assert (sample.findtext("TIMESTAMP"), sample.findtext("SYSTEM/NETTX")) == ("100", "6")
    sample = xmldoc.parse(onedb.rows("SELECT body FROM vm_monitoring WHERE last_poll = 200")[0][0])
    assert [sample.findtext(name) for name in ("ID", "TIMESTAMP", "MEMORY")] == ["1", "200", "4096"]


# -- failures ----------------------------------------------------------------------------------------------
def fail(tx: Tx) -> None:
    raise ValueError("a document that cannot be read")


def test_a_failure_is_taken_back(core: Core, onedb: Onedb, monkeypatch: pytest.MonkeyPatch) -> None:
    age(core, older.to_5_10)
    before = content(core.store)
    core.zone.close()
    steps = (*migrations.LOCAL[:-1], migrations.Step("5.12.0", "6.0.0", (), (fail,)))
    monkeypatch.setattr(migrations, "LOCAL", steps)
    ran = onedb.run("upgrade")
    assert ran.code == 255
    assert "The upgrade failed: a document that cannot be read" in ran.out
    assert ran.err == "The database is as it was before the upgrade.\n"
    assert content(core.store) == before
    assert not list(onedb.file.parent.glob("*upgrading*"))


def test_without_a_backup_nothing_is_lost_either(
    core: Core, onedb: Onedb, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(core, older.to_5_10)
    before = content(core.store)
    core.zone.close()
    with monkeypatch.context() as patch:
        steps = (*migrations.LOCAL[:-1], migrations.Step("5.12.0", "6.0.0", (), (fail,)))
        patch.setattr(migrations, "LOCAL", steps)
        assert onedb.refused("upgrade", "--no-backup") == "The database is as it was before the upgrade.\n"
    assert content(core.store) == before
    core.zone.close()
    onedb.done("upgrade", "--no-backup")
    assert repair.look(core.store).unrepaired == []
    assert [file.name for file in onedb.file.parent.glob("*upgrading*")] == []


def test_a_rehearsal(core: Core, onedb: Onedb) -> None:
    age(core, older.to_5_10)
    before = content(core.store)
    core.zone.close()
    shown = onedb.done("upgrade", "--dry-run")
    assert "Database migrated from 5.10.0 to 5.12.0" in shown and "Total time:" in shown
    assert re.search(r"An upgrade will take about \d+ s\. Nothing was changed\.\n$", shown)
    assert content(core.store) == before
    assert sorted(file.name for file in onedb.file.parent.glob("one.db*") if "-" not in file.name) == [
        "one.db"
    ]
    core.zone.close()


def test_a_rehearsal_beside_a_front_end(core: Core, onedb: Onedb) -> None:
    age(core, older.to_5_12)
    lock = onedb.folder / "var/lock"
    lock.mkdir()
    (lock / ".lock").touch()  # OpenNebula's own oned works on it
    assert "First stop OpenNebula" in onedb.refused("upgrade")
    assert "Nothing was changed" in onedb.done("upgrade", "--dry-run")


def test_what_is_wrong_is_repaired_on_the_way(core: Core, onedb: Onedb) -> None:
    age(core, older.to_5_12)
    body = onedb.rows("SELECT body FROM host_pool WHERE oid = 0")[0][0]
    dirty = re.sub("<CPU_USAGE>.*?</CPU_USAGE>", "<CPU_USAGE>12345</CPU_USAGE>", body)
    assert dirty != body
    onedb.change("UPDATE host_pool SET body = ? WHERE oid = 0", dirty)
    shown = onedb.done("upgrade")
    assert "12345" in shown and "Total errors repaired:" in shown and "Total errors unrepaired: 0" in shown
    assert repair.look(core.store).unrepaired == []
    core.zone.close()


def test_what_comes_out_is_verified(core: Core, onedb: Onedb) -> None:
    age(core, older.to_5_12)
    onedb.rows("ALTER TABLE vm_pool ADD COLUMN more INTEGER")
    before = content(core.store)
    core.zone.close()
    ran = onedb.run("upgrade")
    assert ran.code == 255 and "table vm_pool has columns" in ran.out
    assert content(core.store) == before


@pytest.mark.parametrize(("shared", "local"), [("5.6.0", "5.8.0"), ("4.6.0", "4.6.0"), ("5.12.0", "5.11.85")])
def test_too_old(core: Core, onedb: Onedb, shared: str, local: str) -> None:
    onedb.change("UPDATE db_versioning SET version = ?", shared)
    onedb.change("UPDATE local_db_versioning SET version = ?", local)
    before = content(core.store)
    said = onedb.refused("upgrade")
    assert f"{shared} (shared) and {local} (local) cannot be upgraded" in said
    assert "supported are 5.10.0, 5.12.0" in said and "Nothing was changed" in said
    assert content(core.store) == before


def test_too_new(onedb: Onedb) -> None:
    onedb.change("UPDATE db_versioning SET version = '6.4.0'")
    assert "newer than this release" in onedb.refused("upgrade")


def test_other_refusals(onedb: Onedb, core: Core) -> None:
    assert "cannot upgrade to version 5.12.0" in onedb.refused("upgrade", "5.12.0")
    assert onedb.done("upgrade", "6.0.0") == "Database schema is up to date.\n"
    onedb.change("INSERT INTO onebox_lease VALUES ('engine', 'elsewhere', 1, 99999999999)")
    assert "First stop the front-end" in onedb.refused("upgrade")
    onedb.change("DELETE FROM onebox_lease")
    onedb.change("DELETE FROM db_versioning")
    assert "There was a failure retrieving the DB version" in onedb.refused("upgrade", code=254)


def test_the_slave_of_a_federation(core: Core, onedb: Onedb) -> None:
    age(core, older.to_5_12)
    onedb.change("UPDATE local_db_versioning SET is_slave = 1")
    onedb.change("UPDATE db_versioning SET version = '6.0.0'")
    shown = onedb.done("upgrade")
    assert "shared tables" not in shown and ">>> Running migrators for local tables" in shown
    assert onedb.rows("SELECT is_slave FROM local_db_versioning ORDER BY oid") == [(1,), (1,)]
    assert len(onedb.rows("SELECT * FROM db_versioning")) == 1


def test_steps_of_our_own_tables(core: Core, onedb: Onedb, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(tx: Tx) -> None:
        tx.run("UPDATE onebox_lease SET name = 'renamed'")

    onedb.change("INSERT INTO onebox_lease VALUES ('old', '', 1, 0)")
    for module in (versions, migrate):
        monkeypatch.setattr(module, "OWN_SCHEMA_VERSION", 2)
    monkeypatch.setattr(own_steps, "STEPS", (rename,))
    assert onedb.run("version").code == 2
    with core.store.read() as tx, pytest.raises(Exception, match="onedb upgrade"):
        versions.require_known(tx)
    onedb.done("upgrade")
    assert onedb.rows("SELECT name FROM onebox_lease") == [("renamed",)]
    assert onedb.rows("SELECT version FROM onebox_versioning ORDER BY oid") == [(1,), (2,)]
    assert onedb.run("version").code == 0


def test_there_is_a_step_for_every_version() -> None:
    assert len(own_steps.STEPS) == OWN_SCHEMA_VERSION - 1
