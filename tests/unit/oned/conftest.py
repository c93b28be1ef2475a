"""Fixtures of the core's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import paths
from tests.support.core import Core


@pytest.fixture
def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    """A fresh zone to call."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    paths.log().mkdir(exist_ok=True)
    made = Core(tmp_path)
    yield made
    made.zone.close()
