"""onedb fsck: what it prints, its exit codes, its backup and its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.breaks import HOPELESS, REPAIRED
from tests.support.core import Core
from tests.support.onedb import Onedb, content

ZERO = "Total errors found: 0\nTotal errors repaired: 0\nTotal errors unrepaired: 0\n"


def backups(onedb: Onedb) -> list[Path]:
    return sorted(onedb.file.parent.glob("one.db_20*"))


def test_a_clean_database(onedb: Onedb, tmp_path: Path) -> None:
    shown = onedb.done("fsck")
    assert ZERO in shown and len(backups(onedb)) == 1
    log = tmp_path / "var/onedb-fsck.log"
    assert f"A copy of this output was stored in {log}" in shown
    assert log.read_text() == ZERO


@pytest.mark.parametrize("word", ["--dry", "--dry-run"])
def test_looking_only(core: Core, onedb: Onedb, word: str) -> None:
    onedb.change("UPDATE template_pool SET name = 'other'")
    before = content(core.store)
    core.zone.close()
    ran = onedb.run("fsck", word)
    assert ran.code == 1
    assert "[UNREPAIRED] virtual machine template 0: column name is 'other'" in ran.out
    assert "Total errors found: 1\nTotal errors repaired: 0\nTotal errors unrepaired: 1\n" in ran.out
    assert content(core.store) == before and not backups(onedb)


def test_a_repair(onedb: Onedb, tmp_path: Path) -> None:
    onedb.change("UPDATE template_pool SET name = 'other'")
    file = tmp_path / "before"
    shown = onedb.done("fsck", "--backup", str(file))
    assert "Total errors found: 1\nTotal errors repaired: 1\nTotal errors unrepaired: 0\n" in shown
    assert "'other'" in file.read_text() and not backups(onedb)
    assert ZERO in onedb.done("fsck", "--no-backup") and not backups(onedb)
    assert "Use -f to overwrite" in onedb.refused("fsck", "-b", str(file))
    onedb.done("fsck", "-f", "-b", str(file))


def test_everything_at_once(core: Core, onedb: Onedb) -> None:
    # Not those that need another one's object as it was.
    at_once = [broken for broken in REPAIRED if not broken.has_more and broken.name not in _IN_THE_WAY]
    for broken in at_once:
        core.store.run(broken.spoil)
    core.zone.close()
    shown = onedb.done("fsck")
    assert shown.count("\n") > len(at_once)
    assert ZERO in onedb.done("fsck", "--dry")


_IN_THE_WAY = (
    "a primary group that does not exist",
    "a group that does not exist",
    "the name of a VM's host",
    "leases that nobody has, and one too few",
    "a reservation that is not recorded",
    "a range that is too small",
    "an address on hold that a machine has",
    "members of a cluster that does not exist",
    "a record that is closed in its row only",
    "a row of a newer record",
    "a VNC port that is not taken",
    "an image that nobody works on",
)


@pytest.mark.parametrize("broken", HOPELESS, ids=lambda broken: broken.name)
def test_what_cannot_be_repaired(core: Core, onedb: Onedb, broken: object) -> None:
    core.store.run(broken.spoil)  # type: ignore[attr-defined]
    core.zone.close()
    ran = onedb.run("fsck", "--no-backup")
    assert ran.code == 1
    assert f"[UNREPAIRED] {broken.lines[0]}" in ran.out  # type: ignore[attr-defined]


def test_another_version(onedb: Onedb) -> None:
    onedb.change("UPDATE local_db_versioning SET version = '5.12.0'")
    assert "Version mismatch" in onedb.refused("fsck")
    assert not backups(onedb)


def test_the_log_cannot_be_written(onedb: Onedb, tmp_path: Path) -> None:
    (tmp_path / "var/onedb-fsck.log").mkdir()
    assert "No copy of this output could be stored" in onedb.done("fsck", "--dry")


def test_the_slave_of_a_federation(onedb: Onedb) -> None:
    onedb.change("UPDATE local_db_versioning SET is_slave = 1")
    onedb.change("UPDATE group_pool SET body = REPLACE(body, '<ID>3</ID>', '') WHERE oid = 100")
    onedb.change("UPDATE template_pool SET name = 'other'")
    ran = onedb.run("fsck", "--no-backup")
    assert ran.code == 1
    assert (
        "[UNREPAIRED] group 100: USERS are [2]" in ran.out
        and "(to be repaired in the master zone)" in ran.out
    )
    assert "Total errors found: 2\nTotal errors repaired: 1\nTotal errors unrepaired: 1\n" in ran.out
    assert "<USERS><ID>2</ID></USERS>" in onedb.rows("SELECT body FROM group_pool WHERE oid = 100")[0][0]
