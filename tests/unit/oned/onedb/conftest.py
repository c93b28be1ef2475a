"""A zone with everything in it, of which each test of onedb gets a copy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.breakable import Breakable
from tests.support.core import Core
from tests.support.onedb import NOBODY, Onedb


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Breakable]:
    """The zone that tests get copies of."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("whole")
        (folder / "var").mkdir()
        patch.setenv("ONE_LOCATION", str(folder))
        made = Breakable(folder)
    yield made


@pytest.fixture
def core(whole: Breakable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    """A copy of the zone, in a folder that the environment names."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    monkeypatch.setenv("ONE_XMLRPC", NOBODY)
    copy = whole.copy(tmp_path)
    yield copy
    copy.zone.close()


@pytest.fixture
def onedb(core: Core, tmp_path: Path) -> Onedb:
    """The command, on the copy; no front-end runs."""
    core.zone.close()
    return Onedb(tmp_path)
