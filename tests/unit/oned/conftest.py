"""Fixtures of the core's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import paths
from tests.support.core import Core
from tests.support.furnished import Furnished


@pytest.fixture
def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    """A fresh zone to call."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    paths.log().mkdir(exist_ok=True)
    made = Core(tmp_path)
    yield made
    made.zone.close()


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    """A zone with objects of every kind, which copies are made of."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("furnished")
        patch.setenv("ONE_LOCATION", str(folder))
        (folder / "var" / "log").mkdir(parents=True)
        yield Furnished(folder)
