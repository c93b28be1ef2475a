"""onedb on a real MariaDB: repairs, backup and restore, upgrade, conversion from SQLite."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.oned.fsck import repair
from services.oned.store import Store, Tx, copies, schema
from tests.support import older
from tests.support.breakable import Breakable
from tests.support.breaks import HOPELESS, REPAIRED, Break
from tests.support.copied import conf_of, on_mariadb
from tests.support.mariadb import MariaDb
from tests.support.onedb import NOBODY, Onedb, content

VALUES = "a 'b' \"c\" \\ ; -- d\n# e\r\n/* f */ \t\x1a €😀"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Breakable]:
    """A zone on SQLite, with everything in it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("whole")
        (folder / "var").mkdir()
        patch.setenv("ONE_LOCATION", str(folder))
        made = Breakable(folder)
    yield made


@pytest.fixture(scope="module")
def copied(
    whole: Breakable, mariadb: MariaDb, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Onedb, Store, str]]:
    """The same zone on MariaDB, made by sqlite2mysql: the command, the store, what the command printed."""
    onedb, store, printed = on_mariadb(whole, mariadb, "one_copied", tmp_path_factory.mktemp("copied"))
    yield onedb, store, printed
    store.close()


@pytest.fixture
def onedb(copied: tuple[Onedb, Store, str], monkeypatch: pytest.MonkeyPatch) -> Onedb:
    """The command, on the zone on MariaDB; what a test changes, it changes back."""
    monkeypatch.setenv("ONE_LOCATION", str(copied[0].folder))
    monkeypatch.setenv("ONE_XMLRPC", NOBODY)
    return copied[0]


@pytest.fixture
def store(copied: tuple[Onedb, Store, str]) -> Store:
    """Its database."""
    return copied[1]


# -- sqlite2mysql ------------------------------------------------------------------------------------------
def test_every_row_is_copied(whole: Breakable, copied: tuple[Onedb, Store, str]) -> None:
    _, store, printed = copied
    ours, theirs = content(store), content(whole.core.store)
    whole.core.zone.close()
    assert "Migration successful." in printed and "MySQL dump stored in" in printed
    for table, rows in theirs.items():
        assert f"> {table} ({len(rows)} records)" in printed
        if table == "logdb":  # SQLite has no unsigned 64-bit numbers
            rows = [(*row[:4], 2**64 - 1, row[5]) for row in rows]
        assert ours[table] == rows, table
    assert repair.look(store).unrepaired == []


def test_another_version_is_not_copied(onedb: Onedb, store: Store, whole: Breakable, tmp_path: Path) -> None:
    before = content(store)
    store.run(lambda tx: tx.run("UPDATE db_versioning SET version = '5.12.0'"))
    said = onedb.refused("sqlite2mysql", "--sqlite", str(whole.core.zone.conf.db.path))
    assert "The versions do not match: 6.0.0 (shared)" in said
    store.run(lambda tx: tx.run("UPDATE db_versioning SET version = '6.0.0'"))
    assert content(store) == before
    assert "doesn't exist" in onedb.refused("sqlite2mysql", "--sqlite", str(tmp_path / "none"))


# -- fsck --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("broken", REPAIRED, ids=lambda broken: broken.name)
def test_a_repair(store: Store, broken: Break) -> None:
    assert repair.look(store).unrepaired == []
    ((stime,),) = store.read_value(lambda tx: tx.all("SELECT stime FROM history WHERE vid = 1 AND seq = 0"))
    lines = [line.replace("{stime}", str(stime)) for line in broken.lines]
    before = content(store)
    store.run(broken.spoil)
    try:
        seen, done = repair.look(store), repair.repair(store)
        assert set(lines) <= set(seen.unrepaired)
        assert broken.has_more or sorted(seen.unrepaired) == sorted(done.repaired) == sorted(lines)
        assert done.unrepaired == [] and repair.look(store).found == 0
    finally:
        put_back(store, before)


@pytest.mark.parametrize(
    "broken",
    [broken for broken in HOPELESS if not broken.on_sqlite_only],
    ids=lambda broken: broken.name,
)
def test_what_only_a_person_can_decide(onedb: Onedb, store: Store, broken: Break) -> None:
    before = content(store)
    store.run(broken.spoil)
    try:
        ran = onedb.run("fsck", "--no-backup")
        assert ran.code == 1 and f"[UNREPAIRED] {broken.lines[0]}" in ran.out
    finally:
        put_back(store, before)


def put_back(store: Store, before: dict[str, list[tuple[object, ...]]]) -> None:
    """Make every table as it was."""

    def run(tx: object) -> None:
        for table, rows in before.items():
            tx.run(f"DELETE FROM {table}")  # type: ignore[attr-defined]
            for row in rows:
                tx.run(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", *row)  # type: ignore[attr-defined]

    store.run(run)


# -- backup and restore ------------------------------------------------------------------------------------
def test_there_and_back(onedb: Onedb, store: Store, tmp_path: Path) -> None:
    store.run(lambda tx: tx.run("UPDATE template_pool SET body = ? WHERE oid = 0", VALUES))
    before = content(store)
    file = tmp_path / "saved.sql"
    assert onedb.done("backup", str(file)).splitlines() == [
        f"MySQL dump stored in {file}",
        "Use 'onedb restore' or restore the DB using the mysql command:",
        "mysql -u user -h server -P port db_name < backup_file",
        "",
    ]
    assert file.stat().st_mode & 0o777 == 0o600 and "secret" not in file.read_text()
    store.run(lambda tx: tx.run("DELETE FROM vm_pool"))
    store.run(lambda tx: tx.run("CREATE TABLE left_over (a INTEGER)"))
    assert "exists, use -f to overwrite" in onedb.refused("restore", str(file))
    assert onedb.done("restore", "-f", str(file)) == "MySQL DB one_copied at localhost restored.\n"
    assert content(store) == before
    with store.read() as tx:
        assert schema.problems(tx) == []
        assert tx.one("SHOW INDEX FROM vm_pool WHERE Key_name = 'ftidx'") is not None
    cut = tmp_path / "cut.sql"
    cut.write_text(file.read_text()[:-5000])
    assert "Nothing was changed" in onedb.refused("restore", "-f", str(cut))
    assert content(store) == before
    template = next(row for row in before["template_pool"] if row[0] == 0)
    assert template[2] == VALUES
    store.run(lambda tx: tx.run("UPDATE template_pool SET body = '<VMTEMPLATE><ID>0</ID></VMTEMPLATE>'"))
    assert onedb.run("fsck", "--no-backup").code == 0


def test_the_program_of_the_database_reads_it(
    onedb: Onedb, store: Store, mariadb: MariaDb, tmp_path: Path
) -> None:
    file = tmp_path / "saved.sql"
    onedb.done("backup", str(file))
    mariadb.database("one_by_program")
    with open(file) as text:
        subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={mariadb.socket}", "-u", "root", "one_by_program"],
            stdin=text,
            check=True,
        )
    other = Store.open(conf_of(mariadb, "one_by_program"))
    assert content(other) == content(store)
    other.close()


def test_what_a_federation_shares(onedb: Onedb, store: Store, tmp_path: Path) -> None:
    before = content(store)
    file = tmp_path / "shared.sql"
    onedb.done("backup", "--federated", str(file))
    assert "vm_pool" not in file.read_text()
    store.run(lambda tx: tx.run("UPDATE user_pool SET name = 'eve' WHERE oid = 2"))
    onedb.done("restore", "--federated", str(file))
    after = content(store)
    assert after.pop("logdb") == [] != before.pop("logdb")
    assert after == before
    assert "lacks the tables" in onedb.refused("restore", "-f", str(file))


def test_no_process_is_started_and_no_password_shown(
    onedb: Onedb, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **more: object) -> None:
        raise AssertionError(f"a process was started: {args}")

    for module, name in ((subprocess, "Popen"), (os, "system"), (os, "posix_spawn")):
        monkeypatch.setattr(module, name, refuse)
    ran = (
        onedb.run("fsck", "-v"),
        onedb.run("backup", str(tmp_path / "b")),
        onedb.run("restore", "-f", str(tmp_path / "b")),
    )
    assert [each.code for each in ran] == [0, 0, 0]
    monkeypatch.undo()
    printed = "".join(each.out + each.err for each in ran)
    log = Path(onedb.folder / "var/onedb-fsck.log")
    assert "secret" not in printed and (not log.exists() or "secret" not in log.read_text())


@pytest.mark.parametrize("word", ["p a's\"s\\w#o;r€d", "--defaults", "$(id)"])
def test_passwords_of_all_kinds(
    onedb: Onedb, mariadb: MariaDb, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    mariadb.sql(
        f"CREATE OR REPLACE USER odd@localhost IDENTIFIED BY '{escaped}'; "
        "GRANT ALL ON one_copied.* TO odd@localhost;"
    )
    monkeypatch.setenv("ONE_DB_PASSWORD", word)
    assert onedb.run("version", "-u", "odd").code == 0
    monkeypatch.setenv("ONE_DB_PASSWORD", "wrong")
    said = onedb.refused("version", "-u", "odd")
    assert "Access denied" in said and "wrong" not in said


# -- upgrade and index -------------------------------------------------------------------------------------
@pytest.mark.parametrize(("version", "make"), [("5.12.0", older.to_5_12), ("5.10.0", older.to_5_10)])
def test_an_upgrade(onedb: Onedb, store: Store, tmp_path: Path, version: str, make: object) -> None:
    with store.read() as tx:
        fresh = {table: sorted(schema.columns(tx, table)) for table in schema.tables(tx)}
    whole = tmp_path / "whole.sql"
    onedb.done("backup", str(whole))
    store.run(make)  # type: ignore[arg-type]
    assert onedb.run("version").code == 2
    saved = tmp_path / "before.sql"
    assert ">>> Running migrators for local tables" in onedb.done("upgrade", "--backup", str(saved))
    assert saved.exists() and onedb.run("version").code == 0
    with store.read() as tx:
        assert {table: sorted(schema.columns(tx, table)) for table in schema.tables(tx)} == fresh
    assert repair.look(store).unrepaired == []
    # The backup is of the old version, and restores to it.
    onedb.done("restore", "-f", str(saved))
    assert onedb.run("version").code == 2
    onedb.done("restore", "-f", str(whole))
    assert onedb.run("version").code == 0


def test_two_upgrades_at_once(onedb: Onedb, store: Store, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from services.oned.onedb import commands, target, upgrade
    from services.oned.onedb.commands import COMMANDS

    whole = tmp_path / "whole.sql"
    onedb.done("backup", str(whole))
    store.run(older.to_5_12)

    def run(_: int) -> int:
        options = commands.parse(COMMANDS["upgrade"], ["--no-backup"])
        return upgrade.upgrade(target.find(options), options)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(4))) == [0, 0, 0, 0]
    rows = store.read_value(lambda tx: tx.all("SELECT version FROM db_versioning ORDER BY oid"))
    assert rows == [("5.12.0",), ("6.0.0",)]
    onedb.done("restore", "-f", str(whole))


@pytest.fixture
def old(onedb: Onedb, store: Store, mariadb: MariaDb, tmp_path: Path) -> Iterator[Path]:
    """The database is of release 5.12, and user limited may use it but make no other; a backup of it."""
    whole, backup = tmp_path / "whole.sql", tmp_path / "old.sql"
    onedb.done("backup", str(whole))
    store.run(older.to_5_12)
    onedb.done("backup", str(backup))
    mariadb.sql(
        "CREATE USER IF NOT EXISTS limited@localhost IDENTIFIED BY 'secret'; "
        "GRANT ALL ON one_copied.* TO limited@localhost;"
    )
    yield backup
    onedb.done("restore", "-f", str(whole))


LIMITED = ("-u", "limited", "-p", "secret")


def test_an_upgrade_without_the_right_to_copy(onedb: Onedb, store: Store, old: Path) -> None:
    said = onedb.refused("upgrade", "--dry-run", *LIMITED)
    assert "GRANT ALL ON `one\\_copied\\_onebox\\_upgrade`.* allows it. Nothing was changed." in said
    shown = onedb.done("upgrade", "--no-backup", *LIMITED)
    assert "The tables are changed where they are: user limited may not make the database" in shown
    assert repair.look(store).unrepaired == [] and onedb.run("version").code == 0


def test_a_failure_without_the_right_to_copy(onedb: Onedb, store: Store, old: Path, tmp_path: Path) -> None:
    store.run(lambda tx: tx.run("UPDATE vm_pool SET body = '<VM><ID>' WHERE oid = 1"))
    before = content(store)
    ran = onedb.run("upgrade", "--backup", str(tmp_path / "saved.sql"), *LIMITED)
    assert ran.code == 255 and "The database will be restored" in ran.out
    assert ran.err == "The database is as it was before the upgrade.\n"
    assert content(store) == before


def test_the_exchange_is_finished_after_a_crash(
    onedb: Onedb, store: Store, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers that rename tables one by one may stop between two of them."""
    whole = copies._given

    def half(tx: Tx, statement: str) -> None:
        if statement.startswith("RENAME TABLE "):
            renames = statement.removeprefix("RENAME TABLE ").split(", ")
            whole(tx, f"RENAME TABLE {', '.join(renames[: len(renames) // 2])}")
            raise KeyboardInterrupt
        whole(tx, statement)

    with monkeypatch.context() as patch:
        patch.setattr(copies, "_given", half)
        assert onedb.run("upgrade", "--no-backup").code == 130
    with store.read() as tx:
        assert "db_versioning" in schema.tables(tx), "never taken for an empty database"
    assert onedb.done("upgrade") == "Database schema is up to date.\n"
    assert repair.look(store).unrepaired == []
    assert store.read_value(lambda tx: tx.all("SHOW DATABASES LIKE '%copied%upgrade'")) == []


def test_the_index_of_searches(onedb: Onedb, store: Store) -> None:
    assert "Duplicate key name" in onedb.refused("create-index")
    onedb.done("create-index", "--recreate")
    with store.read() as tx:
        assert tx.one("SHOW INDEX FROM vm_pool WHERE Key_name = 'ftidx'") is not None


def test_versions(onedb: Onedb, mariadb: MariaDb) -> None:
    mariadb.database("one_empty")
    assert "not correctly bootstraped" in onedb.refused("version", "-d", "one_empty", code=1)
    assert "cannot be reached" in onedb.refused("version", "-d", "one_nowhere")


# -- databases of a real OpenNebula ------------------------------------------------------------------------
@pytest.mark.parametrize("dump", ["admin", "vms"])
def test_a_real_dump(onedb: Onedb, mariadb: MariaDb, shared_folder: Path, tmp_path: Path, dump: str) -> None:
    name = f"one_real_{dump}"
    mariadb.database(name)
    file = shared_folder / f"dumps/opennebula-6.0.0.3-{dump}.sql"
    onedb.done("restore", str(file), "-d", name)
    assert onedb.run("version", "-d", name).code == 0
    real = Store.open(conf_of(mariadb, name))
    before = content(real)
    assert "Total errors found: 0" in onedb.done("fsck", "-d", name)
    assert content(real) == before, "Onebox's own tables are made when a front-end starts"
    saved = tmp_path / "again.sql"
    onedb.done("backup", str(saved), "-d", name)
    onedb.done("restore", "-f", str(saved), "-d", name)
    assert content(real) == before
    real.close()
