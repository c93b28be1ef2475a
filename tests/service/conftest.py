"""Front-ends of real processes: one on SQLite, one on a private MariaDB, for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.frontend import Frontend
from tests.support.mariadb import MariaDb


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    """A private MariaDB server."""
    if not MariaDb.available():
        pytest.skip("left out: mariadbd is not installed (./onebox test --all installs it)")
    server = MariaDb(tmp_path_factory.mktemp("mariadb"))
    server.start()
    yield server
    server.stop()


def mysql_section(server: MariaDb, name: str) -> str:
    """The DB section of oned.conf for a fresh database of that server."""
    return server.section(name)


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def frontend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A running front-end, on each database in turn."""
    folder = tmp_path_factory.mktemp("frontend")
    if request.param == "mysql":
        name = f"one_{folder.name.replace('-', '_')}_{request.module.__name__.split('.')[-1]}"[:60]
        running = Frontend(folder, mysql_section(request.getfixturevalue("mariadb"), name))
    else:
        running = Frontend(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()
