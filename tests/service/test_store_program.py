"""The program that makes the database: once, whoever starts it and however often, on SQLite and MariaDB."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.oned.auth.credentials import first_users
from services.oned.config import from_settings
from services.oned.store import Store
from tests.service.conftest import mysql_section
from tests.support.zone import ROOT, settings

SECRET = "pa55word"


class Place:
    """A folder with settings and credentials, and the program run there."""

    def __init__(self, folder: Path, db_section: str) -> None:
        self.folder = folder
        for name in ("etc", "var/.one"):
            (folder / name).mkdir(parents=True)
        (folder / "etc/oned.conf").write_text(db_section + "\n")
        self.auth = folder / "var/.one"
        (self.auth / "one_auth").write_text(f"oneadmin:{SECRET}\n")
        self.env = {**os.environ, "ONE_LOCATION": str(folder), "PYTHONPATH": str(ROOT)}
        conf = from_settings(settings(db_section))
        self.db = replace(conf.db, path=folder / "var/one.db")

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start the program."""
        return subprocess.Popen(
            [sys.executable, "-m", "services.oned.store", *args],
            env=self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *args: str) -> tuple[int, str, str]:
        """Run the program: exit code, standard output and error."""
        process = self.start(*args)
        out, err = process.communicate(timeout=60)
        assert SECRET not in out + err
        return process.returncode, out, err

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """What the database holds."""
        store = Store.open(self.db)
        try:
            with store.read() as tx:
                return tx.all(sql)
        finally:
            store.close()

    def change(self, sql: str) -> None:
        """Change the database."""
        store = Store.open(self.db)
        store.run(lambda tx: tx.run(sql))
        store.close()


@pytest.fixture(params=["sqlite", "mysql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place with an empty database, on each kind in turn."""
    section = 'DB = [ BACKEND = "sqlite" ]'
    if request.param == "mysql":
        section = mysql_section(request.getfixturevalue("mariadb"), "one_store_program")
    yield Place(tmp_path, section)


def test_a_zone_is_made_once(place: Place) -> None:
    code, out, err = place.run("version")
    assert code == 1 and "the database is empty" in err
    code, out, err = place.run("init")
    assert (code, err) == (0, "") and "has been created" in out and out.count("\n") == 1
    before = place.rows("SELECT body FROM user_pool ORDER BY oid")
    code, out, err = place.run("init")
    assert (code, err) == (0, "") and "there already" in out
    assert place.rows("SELECT body FROM user_pool ORDER BY oid") == before
    assert place.run("version") == (0, "Shared tables: 6.0.0, local tables: 6.0.0\n", "")


def test_makers_at_the_same_time_make_one_zone(place: Place) -> None:
    processes = [place.start("init") for _ in range(3)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert sum("has been created" in out for out, _ in outputs) == 1
    assert place.rows("SELECT COUNT(*) FROM user_pool") == [(2,)]
    assert place.rows("SELECT COUNT(*) FROM acl") == [(6,)]


def test_a_start_that_was_cut_short_before_the_database(place: Place) -> None:
    serveradmin = first_users(place.auth)[1]  # the files are there, the zone is not
    assert place.run("init")[0] == 0
    ((body,),) = place.rows("SELECT body FROM user_pool WHERE oid = 1")
    assert serveradmin.password in str(body)


def test_without_credentials_nothing_is_made(place: Place) -> None:
    (place.auth / "one_auth").unlink()
    code, _, err = place.run("init")
    assert code == 1 and "one_auth: cannot be read" in err and err.count("\n") == 1
    assert place.rows("SELECT COUNT(*) FROM user_pool") == [(0,)]
    assert not list(place.auth.iterdir())
    (place.auth / "one_auth").write_text(f"oneadmin:{SECRET}\n")
    assert place.run("init")[0] == 0


def test_tables_of_another_release_are_left_alone(place: Place) -> None:
    place.run("init")
    place.change("UPDATE local_db_versioning SET version = '5.12.0'")
    place.change("DROP TABLE onebox_lease")
    code, _, err = place.run("init")
    assert code == 1 and "5.12.0 (local tables), expected 6.0.0" in err
    with pytest.raises(Exception, match="onebox_lease"):
        place.rows("SELECT * FROM onebox_lease")


def test_an_adopted_database_gets_the_missing_tables(place: Place) -> None:
    place.run("init")
    for table in ("onebox_lease", "onebox_job", "onebox_event"):
        place.change(f"DROP TABLE {table}")
    (place.auth / "one_auth").unlink()  # not needed: the users are there
    assert place.run("init")[0] == 0
    assert place.rows("SELECT * FROM onebox_lease") == []


def test_waiting(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert place.run("wait", "--timeout-s", "10") == (0, "The database accepts connections.\n", "")
    nowhere = 'DB = [ BACKEND = "mysql", SOCKET = "/nonexistent/socket", USER = "u", PASSWD = "pa55word" ]'
    code, _, err = Place(tmp_path_factory.mktemp("nowhere"), nowhere).run("wait", "--timeout-s", "0.6")
    assert code == 1 and "after 0.6 s: the database cannot be reached" in err


def test_faulty_settings_are_named(place: Place) -> None:
    (place.folder / "etc/oned.conf").write_text('DB = [ BACKEND = "oracle" ]')
    code, _, err = place.run("init")
    assert code == 1 and "DB/BACKEND must be sqlite or mysql, found 'oracle'" in err
