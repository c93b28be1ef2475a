"""Consoles in tests: the program opennebula-novnc of a front-end, and logging in at a screen through it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from tests.support.frontend import ROOT, Frontend, free_port
from tests.support.websocket import Websocket

_LIMIT_S = 60


def wait(condition: Callable[[], bool]) -> None:
    """Return once it holds."""
    until = time.monotonic() + _LIMIT_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@dataclass
class Proxy:
    """The program opennebula-novnc of a front-end."""

    port: int
    process: subprocess.Popen[bytes]
    output: Path


@contextlib.contextmanager
def program(frontend: Frontend, host: str = "") -> Iterator[Proxy]:
    """The program, from when it can be used to its end. host: how clients reach it."""
    if shutil.which("websockify") is None:
        pytest.skip("left out: websockify is not installed")
    port = free_port()
    stock = (ROOT / "share/etc/sunstone-server.conf").read_text()
    assert ":vnc_proxy_port: 29876" in stock
    (frontend.folder / "etc/sunstone-server.conf").write_text(
        stock.replace(":vnc_proxy_port: 29876", f":vnc_proxy_port: 127.0.0.1:{port}")
    )
    output = frontend.folder / "novnc.out"
    note = frontend.folder / "var/run/novnc.json"
    with output.open("ab") as opened:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.consoles"],
            env=frontend.env | ({"OPENNEBULA_HOST": host} if host else {}),
            stdout=opened,
            stderr=opened,
            start_new_session=True,
        )
    try:
        wait(note.exists)
        yield Proxy(port, process, output)
    finally:
        process.terminate()
        process.wait(_LIMIT_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0
    assert not note.exists()


def _answer(challenge: bytes, password: str) -> bytes:
    """As RFB wants it: DES, the password's bytes with their bits turned round as the key."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode()[:8].ljust(8, b"\0"))
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()
    return encryptor.update(challenge) + encryptor.finalize()


def log_in(port: int, path: str, password: str) -> int:
    """RFB's answer to a password: 0 is yes."""
    screen = Websocket(port, path)
    try:
        assert screen.status.startswith("HTTP/1.1 101")
        assert screen.receive(12) == b"RFB 003.008\n"
        screen.send(b"RFB 003.008\n")
        kinds = screen.receive(screen.receive(1)[0])
        assert 2 in kinds
        screen.send(b"\2")
        screen.send(_answer(screen.receive(16), password))
        return int.from_bytes(screen.receive(4), "big")
    finally:
        screen.close()
