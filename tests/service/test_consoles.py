"""Consoles: qemu's own VNC server through the proxy, with a token of ``onevm vnc``."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.consoles import tokens
from tests.support.commands import Commands
from tests.support.consoles import log_in, program, wait
from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(120)
_LIMIT_S = 60
PASSWORD = "longer than eight"


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a machine's VNC server that asks for a password; the machine itself stands still."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("left out: qemu-system-x86_64 is not installed")
    control = tmp_path_factory.mktemp("qemu") / "qmp"
    command = [
        "qemu-system-x86_64", "-S", "-nodefaults", "-accel", "tcg", "-m", "16", "-vga", "std",
        "-display", "none",
        "-object", f"secret,id=s,data={PASSWORD[:8]}", "-vnc", "127.0.0.1:0,to=500,password-secret=s",
        "-qmp", f"unix:{control},server=on,wait=off",
    ]  # fmt: skip
    with subprocess.Popen(command) as machine:
        try:
            wait(control.exists)
            yield _vnc_port(control)
        finally:
            machine.terminate()


def _vnc_port(control: Path) -> int:
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.settimeout(_LIMIT_S)
        wait(lambda: monitor.connect_ex(str(control)) == 0)
        with monitor.makefile("rw") as lines:
            for command in ("qmp_capabilities", "query-vnc"):
                lines.readline()
                lines.write(json.dumps({"execute": command}) + "\n")
                lines.flush()
            answer = json.loads(lines.readline())
    return int(answer["return"]["service"])


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A running front-end on SQLite, with one simulated host."""
    running = Frontend(tmp_path_factory.mktemp("fe"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def cli(frontend: Frontend) -> Commands:
    """Its commands, with a host called localhost."""
    commands = Commands({**frontend.env, "HOME": str(frontend.folder)})
    commands.new("onehost create localhost --im dummy --vm dummy")
    commands.new("onedatastore create -c default -", stdin='NAME="s"\nTYPE="SYSTEM_DS"\nTM_MAD="dummy"\n')
    return commands


def machine(cli: Commands, graphics: str) -> str:
    """A machine that runs, with such GRAPHICS."""
    text = f'NAME="m"\nCPU="0.1"\nMEMORY="16"\n{graphics}'
    return cli.new("onevm create -", stdin=text)


def is_running(cli: Commands, oid: str) -> bool:
    """Whether the simulated hypervisor has started it."""
    return re.search(r"LCM_STATE +: RUNNING", cli.ok(f"onevm show {oid}")) is not None


def test_a_screen_through_the_proxy(frontend: Frontend, cli: Commands, screen: int) -> None:
    oid = machine(cli, f'GRAPHICS=[TYPE="VNC",LISTEN="0.0.0.0",PORT="{screen}",PASSWD="{PASSWORD}"]')
    wait(lambda: is_running(cli, oid))
    assert cli.refused(f"onevm vnc {oid}").startswith("No console proxy runs here")
    with program(frontend) as proxy:
        said = cli.ok(f"onevm vnc {oid}")
        assert f"PASSWORD:  {PASSWORD}" in said
        found = re.search(rf"WEBSOCKET: ws://[^ ]+:{proxy.port}(/\?token=(\w+))", said)
        assert found, said
        path, token = found.groups()
        assert log_in(proxy.port, path, PASSWORD) == 0
        assert log_in(proxy.port, path, "something else") == 1
        file = frontend.folder / f"var/run/sunstone_vnc_tokens/one-{oid}"
        assert file.read_text() == f"{token}: localhost:{screen}\n"
        assert file.stat().st_mode & 0o777 == 0o600
        # A new token voids the one before.
        again = re.search(r"/\?token=\w+", cli.ok(f"onevm vnc {oid}"))
        assert again and again[0] != path
        with pytest.raises((EOFError, AssertionError)):
            log_in(proxy.port, path, PASSWORD)
        assert log_in(proxy.port, again[0], PASSWORD) == 0
        for wrong in ("/", "/?token=", "/?token=x", f"/?token={token}%0a", "/?token=../one-0"):
            with pytest.raises((EOFError, AssertionError)):
                log_in(proxy.port, wrong, PASSWORD)
        log = proxy.output.read_text()
        assert "token=***" in log and token not in log and PASSWORD not in log
    # The folder of a new run has no tokens of the last one.
    with program(frontend, "2001:db8::1") as proxy:
        assert not file.exists()
        assert f"WEBSOCKET: ws://[2001:db8::1]:{proxy.port}/?token=" in cli.ok(f"onevm vnc {oid}")


def test_machines_without_a_screen(frontend: Frontend, cli: Commands) -> None:
    none = machine(cli, "")
    far = machine(cli, 'GRAPHICS=[TYPE="vnc",LISTEN="127.0.0.1"]')
    ssh = machine(cli, 'GRAPHICS=[TYPE="vnc",LISTEN="0.0.0.0",PORT="22"]')
    held = cli.new("onevm create --hold -", stdin='CPU="1"\nMEMORY="1"\nGRAPHICS=[TYPE="vnc"]')
    with program(frontend):
        for oid in (none, far, ssh):
            wait(functools.partial(is_running, cli, oid))
        assert "GRAPHICS of TYPE vnc or spice is needed" in cli.refused(f"onevm vnc {none}")
        assert "can be reached from its host alone" in cli.refused(f"onevm vnc {far}")
        assert "its port must be 5900 to 65535, found 22" in cli.refused(f"onevm vnc {ssh}")
        assert f"VM {held} does not run" in cli.refused(f"onevm vnc {held}")
        assert not list((frontend.folder / "var/run/sunstone_vnc_tokens").iterdir())


def test_old_tokens_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    tokens.make_folder()
    tokens.issue(1, "node1", 5901)
    file = tokens.folder() / "one-1"
    os.utime(file, (0, time.time() - tokens.TTL_S - 1))
    tokens.issue(2, "node1", 5902)
    assert tokens.forget_old() == 1
    assert [file.name for file in tokens.folder().iterdir()] == ["one-2"]
    with pytest.raises(tokens.TokenError, match="its host must be a name"):
        tokens.issue(3, "node1\nx: y:1", 5903)
