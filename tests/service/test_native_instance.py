"""``./onebox`` natively, as a person uses it: up, look, kill programs, down, up again, purge."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.supervisor import Supervisor
from tests.support.frontend import ROOT, free_port
from tests.support.mariadb import MariaDb

PASSWORD = "Initial-Word.1"


class Instance:
    """A native instance in a folder of its own, driven through the script."""

    def __init__(self, folder: Path, db: str) -> None:
        self.data = folder
        self.db = db
        port = 0
        while not 2633 <= port <= 52633:
            port = free_port()
        self.port = port

    def onebox(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-E", "-S", str(ROOT / "onebox"), *arguments, "--data", str(self.data)]
        return subprocess.run(
            command, text=True, capture_output=True, timeout=240, check=False, env=os.environ | environ
        )

    def up(self, **environ: str) -> subprocess.CompletedProcess[str]:
        offset = str(self.port - 2633)
        return self.onebox("up", "--engine", "native", "--db", self.db, "--port-offset", offset, **environ)

    def client(self, command: str) -> str:
        script = f'eval "$({ROOT}/onebox env --data {self.data})"; {command}'
        return subprocess.check_output(["sh", "-c", script], text=True, timeout=60)

    def pid(self, program: str) -> int:
        supervisor = Supervisor(self.data / "supervisor" / "supervisord.conf")
        return int(supervisor.call("getProcessInfo", program)["pid"])

    def wait_status(self, code: int, timeout_s: float = 30.0) -> str:
        deadline = time.monotonic() + timeout_s
        while (result := self.onebox("status")).returncode != code:
            assert time.monotonic() < deadline, result.stdout + result.stderr
            time.sleep(0.1)
        return result.stdout


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def instance(request: pytest.FixtureRequest) -> Iterator[Instance]:
    """An instance that was started once."""
    if request.param == "mysql" and not MariaDb.available():
        pytest.skip("left out: mariadbd is not installed (./onebox test --all installs it)")
    # pytest's own folders are too long for sockets.
    with tempfile.TemporaryDirectory(prefix="onebox-svc-") as folder:
        found = Instance(Path(folder, "data"), request.param)
        result = found.up(ONEADMIN_PASSWORD=PASSWORD)
        try:
            assert result.returncode == 0, result.stdout + result.stderr
            yield found
        finally:
            found.onebox("down")


def test_up_tells_what_to_do_next_and_no_password(instance: Instance) -> None:
    result = instance.up()
    assert result.returncode == 0 and "was running already" in result.stdout
    assert f"http://127.0.0.1:{instance.port}/RPC2" in result.stdout
    file = instance.data / "one/var/.one/one_auth"
    assert f"in {file}" in result.stdout and file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == f"oneadmin:{PASSWORD}\n"
    assert PASSWORD not in result.stdout + result.stderr


def test_parameters_do_not_stay_in_any_environment(instance: Instance) -> None:
    supervisor = Supervisor(instance.data / "supervisor" / "supervisord.conf")
    pids = [
        int(supervisor.call("getPID")),
        *(process["pid"] for process in supervisor.processes() if process["pid"]),
    ]
    assert len(pids) >= 5
    for pid in pids:
        assert PASSWORD.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    for log in instance.data.rglob("*.log"):
        assert PASSWORD not in log.read_text(errors="replace"), log


def test_the_commands_reach_it(instance: Instance) -> None:
    assert instance.client("onehost create node-a --im dummy --vm dummy && onehost list").count("node-a") == 1


def test_each_killed_program_comes_back(instance: Instance) -> None:
    kinds = json.loads((instance.data / "supervisor" / "state.json").read_text())["programs"]
    programs = [name for name, kind in kinds.items() if kind != "oneshot"]
    assert ("mysqld" in programs) == (instance.db == "mysql") and len(programs) >= 4
    for program in programs:
        before = instance.pid(program)
        os.kill(before, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while instance.pid(program) in (0, before):
            assert time.monotonic() < deadline, program
            time.sleep(0.05)
        instance.wait_status(0)
        assert "node-a" in instance.client("onehost list")


def test_a_stopped_program_shows_until_it_is_started(instance: Instance) -> None:
    supervisor = Supervisor(instance.data / "supervisor" / "supervisord.conf")
    supervisor.call("stopProcess", "opennebula-scheduler")
    assert "opennebula-scheduler: is STOPPED, expected RUNNING" in instance.wait_status(1)
    supervisor.call("startProcess", "opennebula-scheduler")
    instance.wait_status(0)


def test_a_killed_supervisor_leaves_nothing_in_the_way(instance: Instance) -> None:
    programs = [instance.pid(name) for name in ("opennebula", "opennebula-engine", "opennebula-ssh-agent")]
    os.kill(int((instance.data / "supervisor/supervisord.pid").read_text()), signal.SIGKILL)
    deadline = time.monotonic() + 60
    while left := [pid for pid in programs if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left]
        time.sleep(0.1)
    result = instance.up()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "was running already" not in result.stdout
    assert "node-a" in instance.client("onehost list")


def test_logs_of_one_program(instance: Instance) -> None:
    result = instance.onebox("logs", "opennebula")
    assert result.returncode == 0 and len(result.stdout.splitlines()) > 2
    assert "there is no log of nothing" in instance.onebox("logs", "nothing").stderr


def test_a_faulty_parameter_is_told_and_nothing_starts(instance: Instance) -> None:
    instance.onebox("down")
    result = instance.up(MYSQL_PORT="abc", ONEADMIN_PASWORD="x")
    assert result.returncode == 1
    assert "MYSQL_PORT: expected a whole number" in result.stderr
    assert "did you mean ONEADMIN_PASSWORD?" in result.stderr
    assert instance.onebox("status").returncode == 3


def test_maintenance_starts_nothing(instance: Instance) -> None:
    instance.onebox("down")
    result = instance.up(MAINTENANCE_MODE="yes")
    assert result.returncode == 0 and "maintenance mode" in result.stdout
    status = instance.wait_status(1)
    assert "maintenance mode" in status and "infinite-loop            RUNNING" in status
    assert instance.pid("opennebula") == 0
    instance.onebox("down")


def test_data_stays_until_it_is_purged(instance: Instance) -> None:
    assert instance.up().returncode == 0
    assert "node-a" in instance.client("onehost list")
    result = instance.onebox("down", "--purge")
    assert result.returncode == 0 and not instance.data.exists()
