"""Wake-up datagrams: they arrive, never block, and dead readers are forgotten."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.common import wake
from services.common.wake import Wake


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wake folder of a prefix whose path is longer than a socket address can be."""
    prefix = tmp_path / ("x" * 60) / ("y" * 60)
    monkeypatch.setenv("ONE_LOCATION", str(prefix))
    return prefix / "var/run/wake"


def test_every_reader_is_woken(folder: Path) -> None:
    first, second = Wake("engine"), Wake("events")
    assert sorted(path.name for path in folder.iterdir()) == [
        f"engine-{os.getpid()}.sock",
        f"events-{os.getpid()}.sock",
    ]
    assert not first.wait(0)
    wake.notify()
    assert first.wait(1) and second.wait(1)
    assert not first.wait(0)
    first.close()
    second.close()
    first.close()
    assert list(folder.iterdir()) == []


def test_waiting_ends_early(folder: Path) -> None:
    reader = Wake("engine")
    code = "import time; from services.common import wake; time.sleep(0.2); wake.notify()"
    with subprocess.Popen([sys.executable, "-c", code]):
        began = time.monotonic()
        assert reader.wait(20)
        assert time.monotonic() - began < 10
    reader.close()


def test_many_wakeups_do_not_block_and_are_one(folder: Path) -> None:
    reader = Wake("engine")
    for _ in range(2000):
        wake.notify()
    assert reader.wait(0)
    assert not reader.wait(0)
    reader.close()


def test_dead_readers_are_removed_others_left(folder: Path) -> None:
    wake.notify()  # no folder yet
    reader = Wake("engine")
    dead = folder / "gone-1.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as once:
        here = os.getcwd()
        os.chdir(folder)  # a relative address is short enough
        once.bind(dead.name)
        os.chdir(here)
    (folder / "a-file.sock").touch()
    (folder / "notes.txt").touch()
    wake.notify()
    assert not dead.exists()
    assert (folder / "notes.txt").exists()
    assert reader.wait(1)
    reader.close()


def test_a_reader_that_exits_leaves_nothing(folder: Path) -> None:
    code = "from services.common.wake import Wake; Wake('engine')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert list(folder.iterdir()) == []
