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
