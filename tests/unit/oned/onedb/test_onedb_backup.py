"""onedb backup and restore on SQLite; those on MariaDB are in tests/service/test_onedb_mariadb.py."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.oned.engine import holder
from services.oned.store.sql_text import IncompleteDump, literal, mysql_statements, sqlite_statements
from tests.support.core import Core
from tests.support.onedb import Onedb, content
from tests.support.zone import ROOT

AWKWARD = "a 'quoted' \"text\"; -- no comment\n/* and \\ more */\tü€😀 \r\n;\n"
NEEDED = ("db_versioning", "user_pool", "vm_pool")


def test_there_and_back(core: Core, onedb: Onedb, tmp_path: Path) -> None:
    onedb.change("UPDATE template_pool SET name = ? WHERE oid = 0", AWKWARD)
    before = content(core.store)
    core.zone.close()
    file = tmp_path / "saved.bck"
    assert onedb.done("backup", str(file)).splitlines() == [
        f"Sqlite database backup stored in {file}",
        "Use 'onedb restore' to restore the DB.",
    ]
    assert file.stat().st_mode & 0o777 == 0o600
    onedb.change("DELETE FROM vm_pool")
    onedb.change("UPDATE template_pool SET name = 'other'")
    assert "use -f to overwrite" in onedb.refused("restore", str(file))
    assert onedb.rows("SELECT name FROM template_pool") == [("other",)]
    assert onedb.done("restore", "-f", str(file)) == f"Sqlite database backup restored in {onedb.file}\n"
    assert content(core.store) == before
    assert onedb.file.stat().st_mode & 0o777 == 0o600
    # Numbers of jobs and events are not given out again.
    assert onedb.rows("SELECT seq FROM sqlite_sequence WHERE name = 'onebox_event'") > [(0,)]
    core.zone.close()


def test_without_a_database(onedb: Onedb, tmp_path: Path) -> None:
    file = tmp_path / "saved"
    onedb.done("backup", str(file))
    onedb.file.unlink()
    assert "doesn't exist" in onedb.refused("backup", str(tmp_path / "more"))
    onedb.done("restore", str(file))
    assert onedb.run("fsck", "--dry").code == 0


def test_a_file_is_not_overwritten(onedb: Onedb, tmp_path: Path) -> None:
    file = tmp_path / "saved"
    file.write_text("mine")
    assert "backup aborted. Use -f" in onedb.refused("backup", str(file))
    assert file.read_text() == "mine"
    onedb.done("backup", "-f", str(file))
    assert "doesn't exist" in onedb.refused("restore", str(tmp_path / "none"))
    assert "cannot be written" in onedb.refused("backup", str(tmp_path / "no/folder"))
    assert not list(tmp_path.glob("*.part"))


def test_without_a_name(onedb: Onedb) -> None:
    for _ in range(2):
        onedb.done("backup")
    assert len(list(onedb.file.parent.glob("one.db_20*.bck"))) == 2


def test_the_program_of_the_database_reads_it(onedb: Onedb, tmp_path: Path) -> None:
    program = shutil.which("sqlite3")
    if program is None:
        pytest.skip("left out: the program sqlite3 is not installed")
    file = tmp_path / "saved"
    onedb.done("backup", str(file))
    other = tmp_path / "other.db"
    subprocess.run([program, str(other)], stdin=open(file), check=True)  # noqa: SIM115
    assert onedb.run("fsck", "--dry", "-s", str(other)).code == 0
    # The other way round: OpenNebula's command has that program write its backups.
    dump = subprocess.run([program, str(onedb.file), ".dump"], capture_output=True, check=True).stdout
    file.write_bytes(dump)
    onedb.file.unlink()
    onedb.done("restore", str(file))
    assert onedb.run("fsck", "--dry").code == 0


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text[: len(text) // 2].rsplit("\n", 1)[0][:-20], "ends in the middle"),
        (lambda text: "", "lacks the tables db_versioning, user_pool, vm_pool"),
        (lambda text: "CREATE TABLE x (a);\n", "lacks the tables"),
        (lambda text: "".join(f"CREATE TABLE `{name}` (a int);\n" for name in NEEDED), "dump of MySQL"),
        (lambda text: text.replace("COMMIT;", "NONSENSE;"), "syntax error"),
    ],
)  # fmt: skip
def test_a_broken_dump_changes_nothing(
    core: Core, onedb: Onedb, tmp_path: Path, spoil: object, said: str
) -> None:
    before = content(core.store)
    core.zone.close()
    file = tmp_path / "saved"
    onedb.done("backup", str(file))
    file.write_text(spoil(file.read_text()))  # type: ignore[operator]
    assert said in onedb.refused("restore", "-f", str(file))
    assert content(core.store) == before
    assert not list(tmp_path.glob("var/*restoring*"))


def test_a_dump_that_is_no_text(onedb: Onedb, tmp_path: Path) -> None:
    file = tmp_path / "saved"
    file.write_bytes(b"\xff\xfe;\n")
    assert "is not UTF-8" in onedb.refused("restore", "-f", str(file))


def test_while_a_front_end_runs(core: Core, onedb: Onedb, tmp_path: Path) -> None:
    file = tmp_path / "saved"
    lock = tmp_path / "var/lock/.lock"
    lock.parent.mkdir()
    lock.touch()
    onedb.done("backup", str(file))
    assert f"Lock file found: {lock}" in onedb.refused("restore", "-f", str(file))
    lock.unlink()
    onedb.change("INSERT INTO onebox_lease VALUES ('engine', 'elsewhere', 1, 99999999999)")
    assert "its engine works" in onedb.refused("restore", "-f", str(file))
    # One that was killed on this machine holds nothing any more; one elsewhere lets its lease run out.
    place = holder.holder_text().partition(" pid=")[0]
    onedb.change("UPDATE onebox_lease SET holder = ?", f"{place} pid=999999999 start=1")
    onedb.done("restore", "-f", str(file))
    onedb.change("INSERT INTO onebox_lease VALUES ('engine', 'elsewhere', 1, ?)", time.time() + 1.2)
    onedb.done("restore", "-f", str(file))


def test_what_a_federation_shares(core: Core, onedb: Onedb, tmp_path: Path) -> None:
    onedb.change("INSERT INTO logdb VALUES (7, 0, 'x', 1, 3, 1)")
    file = tmp_path / "shared"
    assert "backup of federated tables" in onedb.done("backup", "--federated", str(file))
    text = file.read_text()
    assert text.startswith("-- FEDERATED\n") and "vm_pool" not in text and "'alice'" in text
    onedb.change("UPDATE user_pool SET name = 'eve' WHERE name = 'alice'")
    onedb.change("UPDATE template_pool SET name = 'mine'")
    onedb.done("restore", "--federated", str(file))
    assert onedb.rows("SELECT name FROM user_pool WHERE oid = 2") == [("alice",)]
    assert onedb.rows("SELECT name FROM template_pool") == [("mine",)]
    # Records of the zone's own log are not the others' business.
    assert onedb.rows("SELECT log_index FROM logdb") == [(7,)]
    assert "lacks the tables" in onedb.refused("restore", "-f", str(file))


# -- text --------------------------------------------------------------------------------------------------
def test_statements_of_a_dump() -> None:
    text = (
        "/*M!999999\\- enable the sandbox mode */ \n-- It's a comment\n\n/*!40101 SET NAMES utf8mb4 */;\n"
        "INSERT INTO `a;b` VALUES\n(1,'it''s; \\'x\\'\\n;'),\n(2,\"\\\\\");\n"
        "CREATE TABLE `t` (\n  `c` text COMMENT 'a;'\n) ENGINE=InnoDB;\n"
    )
    found = list(mysql_statements(text.splitlines(keepends=True)))
    assert [statement.split("\n")[-2][:12] for statement in found] == [
        "/*!40101 SET",
        '(2,"\\\\");',
        ") ENGINE=Inn",
    ]
    with pytest.raises(IncompleteDump):
        list(mysql_statements(text.splitlines(keepends=True)[:-1]))
    with pytest.raises(IncompleteDump):
        list(sqlite_statements(["CREATE TABLE a (b TEXT);\n", "INSERT INTO a VALUES('x;\n"]))
    lines = ["INSERT INTO a VALUES('x;\n", "y');\n", "COMMIT;\n"]
    assert list(sqlite_statements(lines)) == ["".join(lines[:2]), "COMMIT;\n"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "NULL"), (7, "7"), (True, "1"), (1.5, "1.5"), (b"", "''"), (b"\x00\xff", "0x00ff"), ("", "''")],
)
def test_values(value: object, text: str) -> None:
    assert literal(value) == text


def test_a_text_stays_on_its_line() -> None:
    assert literal(AWKWARD + "\0\x1a").count("\n") == 0
    assert "\\0\\Z" in literal("\0\x1a")


def test_a_wal_that_was_left_behind_does_no_harm(core: Core, onedb: Onedb, tmp_path: Path) -> None:
    file = tmp_path / "saved"
    onedb.done("backup", str(file))
    database = sqlite3.connect(onedb.file)
    database.execute("PRAGMA wal_autocheckpoint=0")
    with database:
        database.execute("DELETE FROM vm_pool")
    for rest in ("-wal", "-shm"):
        shutil.copy(f"{onedb.file}{rest}", tmp_path / f"left{rest}")
    database.close()
    for rest in ("-wal", "-shm"):
        shutil.copy(tmp_path / f"left{rest}", f"{onedb.file}{rest}")
    onedb.done("restore", "-f", str(file))
    assert onedb.rows("SELECT COUNT(*) FROM vm_pool") == [(4,)]


def test_root_leaves_files_to_their_owner(onedb: Onedb, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("left out: only root can give files away")
    owner = 12345
    for path in (onedb.file, onedb.file.parent):
        os.chown(path, owner, owner)
    for path in onedb.file.parent.glob("one.db-*"):
        path.unlink()
    file = tmp_path / "saved"
    onedb.done("backup", str(file))
    onedb.done("restore", "-f", str(file))
    onedb.file.unlink()
    onedb.done("restore", str(file))
    onedb.done("version")
    assert {path.stat().st_uid for path in onedb.file.parent.glob("one.db*")} == {owner}


def test_a_reader_that_has_seen_enough(onedb: Onedb) -> None:
    command = [sys.executable, "-m", "services.oned.onedb", "show-body", "vm", "--id", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
