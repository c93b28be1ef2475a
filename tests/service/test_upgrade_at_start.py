"""The upgrade before a front-end starts: older databases, both kinds, killed at any moment."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.oned.fsck import repair
from services.oned.onedb import commands, target
from services.oned.store import Store, copies, schema
from tests.support import older
from tests.support.breakable import Breakable
from tests.support.copied import on_mariadb
from tests.support.mariadb import MariaDb
from tests.support.onedb import NOBODY, Onedb, content
from tests.support.zone import ROOT

KILLS = 10  # on each kind of database
Content = dict[str, list[tuple[Any, ...]]]


@dataclass
class Aged:
    """A database of release 5.10; ``fill`` makes it that again."""

    onedb: Onedb
    store: Store
    before: Content
    backup: Path

    @property
    def folder(self) -> Path:
        """Where the front-end is."""
        return self.onedb.folder

    def start(self, **more: str) -> subprocess.Popen[str]:
        """Begin the program that runs before a front-end."""
        environment = os.environ | {"ONE_LOCATION": str(self.folder), "ONE_XMLRPC": NOBODY} | more
        return subprocess.Popen(
            [sys.executable, "-m", "services.oned.onedb.at_start"],
            cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, **more: str) -> tuple[int, str]:
        """Run it; exit code and output."""
        program = self.start(**more)
        output = program.communicate(timeout=120)[0]
        return program.returncode, output

    def content(self) -> Content:
        """What the database holds."""
        try:
            return content(self.store)
        finally:
            self.store.close()

    def fill(self) -> None:
        """Make it old again."""
        self.store.close()
        self.onedb.done("restore", "-f", str(self.backup))
        self.store.close()

    def backups(self) -> list[str]:
        """The backups that upgrades made."""
        return sorted(file.name for file in (self.folder / "var/backups/db").glob("*"))


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aged]:
    """An old database of each kind."""
    folder = tmp_path_factory.mktemp("aged")
    with pytest.MonkeyPatch.context() as patch:
        source = tmp_path_factory.mktemp("source")
        (source / "var").mkdir()
        patch.setenv("ONE_LOCATION", str(source))
        whole = Breakable(source)
        if request.param == "mysql":
            server: MariaDb = request.getfixturevalue("mariadb")
            onedb, store, _ = on_mariadb(whole, server, "one_aged", folder)
        else:
            onedb, store = Onedb(source), whole.core.store
        patch.setenv("ONE_LOCATION", str(onedb.folder))
        patch.setenv("ONE_XMLRPC", NOBODY)
        store.run(older.to_5_10)
        backup = tmp_path_factory.mktemp("backup") / "old.sql"
        onedb.done("backup", str(backup))
        yield Aged(onedb, store, content(store), backup)
        store.close()


@pytest.fixture
def aged(made: Aged, monkeypatch: pytest.MonkeyPatch) -> Aged:
    """The same, old again, without backups."""
    monkeypatch.setenv("ONE_LOCATION", str(made.folder))
    monkeypatch.setenv("ONE_XMLRPC", NOBODY)
    made.fill()
    for name in made.backups():
        (made.folder / "var/backups/db" / name).unlink()
    return made


def is_upgraded(aged: Aged) -> bool:
    """Whether it is of this release, whole; else it must be what it was.

    The server finishes the statement of a client that was killed: its lock says when.
    """
    conf = target.find(commands.parse(commands.COMMANDS["version"], [])).conf
    with copies.alone(conf, aged.store):
        pass
    with aged.store.read() as tx:
        tables_differ = schema.problems(tx)
    if tables_differ:
        assert aged.content() == aged.before
        return False
    assert repair.look(aged.store).unrepaired == []
    aged.store.close()
    return True


def test_an_older_database_is_upgraded(aged: Aged) -> None:
    code, said = aged.run()
    assert code == 0, said
    assert "is of release 5.10.0: it is upgraded now." in said and "Database migrated from 5.12.0" in said
    assert is_upgraded(aged)
    assert len(aged.backups()) == 1
    assert (aged.folder / "var/backups/db" / aged.backups()[0]).stat().st_mode & 0o777 == 0o600
    assert aged.run() == (0, ""), "there is nothing left to do"
    aged.onedb.done("restore", "-f", str(aged.folder / "var/backups/db" / aged.backups()[0]))
    assert aged.content() == aged.before


def test_without_a_backup(aged: Aged) -> None:
    code, said = aged.run(ONED_DB_BACKUP_ENABLED="no")
    assert code == 0, said
    assert is_upgraded(aged) and aged.backups() == []


def test_a_newer_database_is_refused(aged: Aged) -> None:
    aged.store.run(lambda tx: tx.run("UPDATE db_versioning SET version = '7.0.0'"))
    before = aged.content()
    code, said = aged.run()
    assert code == 3 and "7.0.0 (shared tables)" in said and "a newer release made it" in said
    assert aged.content() == before and aged.backups() == []


def test_an_unreadable_document_stops_it(aged: Aged) -> None:
    aged.store.run(lambda tx: tx.run("UPDATE vm_pool SET body = '<VM><ID>' WHERE oid = 1"))
    before = aged.content()
    code, said = aged.run()
    assert code == 255 and "The upgrade failed" in said and "is as it was before the upgrade" in said
    assert aged.content() == before and len(aged.backups()) == 1


def test_killed_at_any_moment(aged: Aged) -> None:
    """Whatever the moment, the database is the old or the new one, and the next start finishes the work."""
    dice = random.Random(7)
    outcomes = []
    for number in range(KILLS):
        aged.fill()
        program = aged.start(PYTHONUNBUFFERED="1")
        assert program.stdout is not None
        # What it prints says how far it is; the first line comes before anything is done.
        for _ in range(1 + 2 * number):
            program.stdout.readline()
        time.sleep(number * dice.random() / 50)
        program.kill()
        program.communicate()
        outcomes.append(is_upgraded(aged))
        code, said = aged.run()
        assert code == 0, said
        assert is_upgraded(aged)
        assert not [name for name in aged.backups() if name.endswith(".part")]
        assert list((aged.folder / "var").glob("*upgrading*")) == []
    assert not outcomes[0]
