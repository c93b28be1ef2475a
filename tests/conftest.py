"""Fixtures that several rings share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder with recorded answers and XSDs, which lies beside some checkouts only."""
    folder = Path(os.environ.get("ONEBOX_SHARED", ROOT.parent / "shared"))
    if not (folder / "conformance").is_dir():
        pytest.skip("left out: no ../shared/conformance beside this checkout (set ONEBOX_SHARED)")
    return folder


@pytest.fixture(scope="session")
def newer_pyone() -> str:
    """A Python that has pyone 6.10.5, which cannot share an environment with 6.0.3."""
    python = os.environ.get("ONEBOX_PYONE_610")
    if not python:
        pytest.skip("left out: no environment with pyone 6.10 (./onebox test makes one: ONEBOX_PYONE_610)")
    return python
