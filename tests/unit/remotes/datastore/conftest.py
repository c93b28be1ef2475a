"""A datastore of its own for each test, and a web server for each module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.datastore_driver import Stage
from tests.support.web import Web


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(tmp_path)
    made.safe.mkdir()
    return made


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    """A web server that also does what web servers should not do."""
    with Web() as server:
        yield server
