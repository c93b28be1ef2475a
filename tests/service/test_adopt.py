"""onedb adopt: an OpenNebula's MySQL dump becomes this front-end's database, of either kind."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.oned.fsck import repair
from services.oned.model.user import User
from services.oned.store import Store, Tx, schema
from tests.support import older
from tests.support.breakable import Breakable
from tests.support.copied import on_mariadb
from tests.support.mariadb import MariaDb
from tests.support.onedb import NOBODY, Onedb, content
from tests.support.zone import Zone, settings

VALUES = "a 'b' \"c\" \\ ; -- d\n# e\r\n/* f */ \t\x1a €😀 \\n 100%_"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Breakable]:
    """A zone on SQLite, with everything in it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("whole")
        (folder / "var").mkdir()
        patch.setenv("ONE_LOCATION", str(folder))
        yield Breakable(folder)


@pytest.fixture(scope="module", params=["5.10", "5.12"])
def dump(
    request: pytest.FixtureRequest,
    whole: Breakable,
    mariadb: MariaDb,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A dump of an older release, with a text that is hard to quote and a counter that is wrong."""
    folder = tmp_path_factory.mktemp("old")
    onedb, store, _ = on_mariadb(whole, mariadb, f"one_old_{request.param.replace('.', '_')}", folder)

    def spoil(tx: Tx) -> None:
        tx.run("INSERT INTO system_attributes VALUES ('NOTE', ?)", VALUES)
        for table, pattern, new in (
            ("host_pool", "<CPU_USAGE>.*?</CPU_USAGE>", "<CPU_USAGE>12345</CPU_USAGE>"),
            ("user_pool", "<PASSWORD>.*?</PASSWORD>", "<PASSWORD><![CDATA[of-the-other-one]]></PASSWORD>"),
        ):
            row = tx.one(f"SELECT body FROM {table} WHERE oid = 0")
            assert row is not None
            tx.run(f"UPDATE {table} SET body = ? WHERE oid = 0", re.sub(pattern, new, row[0], count=1))

    store.run(spoil)
    store.run(older.to_5_10 if request.param == "5.10" else older.to_5_12)
    file = folder / "opennebula.sql"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONE_LOCATION", str(folder))
        patch.setenv("ONE_XMLRPC", NOBODY)
        onedb.done("backup", str(file))
    store.close()
    return file


class Here:
    """A front-end that has just been installed: its zone, and the command."""

    def __init__(self, folder: Path, section: str) -> None:
        self.zone = Zone(folder, section)
        self.onedb = Onedb(folder)
        (folder / "etc/oned.conf").write_text(settings(section).to_text())

    @property
    def store(self) -> Store:
        """Its database."""
        return self.zone.store

    def content(self) -> dict[str, list[tuple[object, ...]]]:
        """What the database holds."""
        found = content(self.store)
        self.store.close()
        return found


@pytest.fixture(params=["sqlite", "mysql"])
def here(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    """The front-end, on each kind of database."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    monkeypatch.setenv("ONE_XMLRPC", NOBODY)
    section = 'DB = [ BACKEND = "sqlite" ]'
    if request.param == "mysql":
        section = request.getfixturevalue("mariadb").section("one_here")
    made = Here(tmp_path, section)
    made.store.close()
    yield made
    made.store.close()


def test_a_dump_becomes_the_database(here: Here, dump: Path, whole: Breakable) -> None:
    with here.store.read() as tx:
        fresh = {table: sorted(schema.columns(tx, table)) for table in schema.tables(tx)}
    here.store.close()
    shown = here.onedb.done("adopt", str(dump))
    assert "The dump is of release 5.1" in shown
    assert "user oneadmin (0): password and driver core of this front-end" in shown
    assert "12345" in shown and "Total errors unrepaired: 0" in shown
    with here.store.read() as tx:
        assert {table: sorted(schema.columns(tx, table)) for table in schema.tables(tx)} == fresh
        assert tx.one("SELECT body FROM system_attributes WHERE name = 'NOTE'") == (VALUES,)
        assert schema.problems(tx) == []
    assert repair.look(here.store).unrepaired == []
    theirs = content(whole.core.store)
    whole.core.zone.close()
    counted = {
        name: int(count) for count, name in re.findall(r"^ +(\d+) ([a-zA-Z ]+?)(?: \(.*)?$", shown, re.M)
    }
    assert counted["images"] == len(theirs["image_pool"]) and counted["hosts"] == len(theirs["host_pool"])
    assert here.zone.value("one.user.info", -1), "the password is this front-end's"
    assert {row[0] for row in here.content()["vm_pool"]} == {row[0] for row in theirs["vm_pool"]}
    assert list((here.onedb.folder / "var").glob("*upgrading*")) == []


def test_from_standard_input_with_its_passwords(
    here: Here, dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dump.open("rb") as opened:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(opened))
        shown = here.onedb.done("adopt", "-", "--keep-passwords")
    assert "user oneadmin" not in shown
    with here.store.read() as tx:
        assert User.load(tx, 0).password == "of-the-other-one"
    assert list((here.onedb.folder / "var").glob(".adopted*")) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("CREATE TABLE `vm_pool`", "CREATE TABLE `vm_pond`", "lacks the tables vm_pool"),
        (r"'5\.1[02]\.0'", "'5.8.0'", "cannot be upgraded by this release"),
        (r"'5\.1[02]\.0'", "'6.8.0'", "newer than this one"),
        ("<NAME>oneadmin</NAME>", "<NAME>somebody</NAME>", "user 0 is called somebody, expected oneadmin"),
        ("<USER><ID>2</ID>", "<USER><ID>2<ID>", "user 2"),
    ],
)
def test_what_is_refused_changes_nothing(
    here: Here, dump: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = dump.read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.sql"
    wrong.write_text(re.sub(old, new, text), encoding="utf-8")
    assert wrong.read_text(encoding="utf-8") != text
    before = here.content()
    assert said in here.onedb.refused("adopt", str(wrong))
    assert here.content() == before
    assert list((here.onedb.folder / "var").glob("*upgrading*")) == []


def test_what_is_there_is_not_replaced_unasked(here: Here, dump: Path) -> None:
    here.zone.value("one.template.allocate", "NAME=mine\nCPU=1\nMEMORY=1")
    before = here.content()
    assert "holds objects already" in here.onedb.refused("adopt", str(dump))
    assert here.content() == before
    shown = here.onedb.done("adopt", "-f", str(dump))
    saved = re.search(r"stored in (\S+)", shown)
    assert saved is not None
    here.store.close()
    here.onedb.done("restore", "-f", saved[1])
    assert here.content() == before


def test_a_dump_that_is_not_there(here: Here, tmp_path: Path) -> None:
    assert "doesn't exist" in here.onedb.refused("adopt", str(tmp_path / "none.sql"))
    own = tmp_path / "own.sql"
    here.onedb.done("backup", str(own))
    said = here.onedb.refused("adopt", str(own))
    assert "is a dump of SQLite" in said or "is a backup of Onebox's: onedb restore puts it back" in said


@pytest.mark.parametrize("name", ["admin", "vms"])
def test_a_real_dump(here: Here, shared_folder: Path, name: str) -> None:
    file = shared_folder / f"dumps/opennebula-6.0.0.3-{name}.sql"
    shown = here.onedb.done("adopt", str(file))
    assert "The dump is of release 6.0.0" in shown and "Adopted in" in shown
    assert repair.look(here.store).unrepaired == []
    assert here.zone.value("one.user.info", -1)
    assert ("there is no user serveradmin" in shown) == (name == "admin")
