"""A root with the stock files, as an installed front-end has them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from onecfg import catalog, cli, compare

ROOT = Path(__file__).resolve().parents[3]
Command = Callable[..., "Done"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A prefix with the stock files, in the modes of the catalogue."""
    root = tmp_path / "root"
    for name in compare.stock_names():
        entry = catalog.find(name)
        assert entry is not None
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(compare.stock(name).read_bytes())
        path.chmod(entry.mode)
    return root


class Done(NamedTuple):
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def onecfg(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command below the root, in this process; ``stdin`` and ``env`` by name."""
    for name in [name for name in os.environ if name.startswith("ONE")]:
        monkeypatch.delenv(name)

    def run(
        command: str, *arguments: str, stdin: str | bytes = "", env: dict[str, str] | None = None
    ) -> Done:
        privileges = ["--unprivileged"] if command == "patch" and os.geteuid() != 0 else []
        data = stdin.encode() if isinstance(stdin, str) else stdin
        with monkeypatch.context() as context:
            context.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
            for name, value in (env or {}).items():
                context.setenv(name, value)
            code = cli.run([command, *arguments, "--prefix", str(root), *privileges])
        return Done(code, *capsys.readouterr())

    return run


def tree(root: Path) -> dict[str, bytes]:
    """Content of every file below a folder, backups left out."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "backups" not in path.parts
    }
