"""A native prefix in a folder of its own, and a way to run bootstrap on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap import params, steps
from bootstrap.context import Context

Runner = Callable[..., list[str]]


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """ONE_LOCATION of a native instance that has nothing yet."""
    folder = tmp_path / "one"
    monkeypatch.setenv("ONE_LOCATION", str(folder))
    return folder


@pytest.fixture
def run(prefix: Path) -> Runner:
    """Run every native step with these parameters; the log lines."""

    def runner(**environ: str) -> list[str]:
        settings = params.read({"ONEBOX_DB": "sqlite"} | environ, native=True)
        lines: list[str] = []
        context = Context(settings, True, lambda text: lines.append(f"[{step.name}] {text}"))
        for step in steps.applicable(True, settings["OPENNEBULA_SERVICE"]):
            step.action(context)
        return lines

    return runner


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and mode of every file below a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
