"""kill -9 of each program during 50 instantiations: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.conftest import mysql_section
from tests.support import crash
from tests.support.frontend import PROGRAMS, Frontend
from tests.support.mariadb import MariaDb

pytestmark = pytest.mark.timeout(240)


def domains(frontend: Frontend) -> list[str]:
    """The machines that the simulated hypervisors know, one file each."""
    return sorted(path.name for path in (frontend.folder / "var/dummy").glob("*/*") if path.is_file())


def check_after(frontend: Frontend, burst: crash.Burst, hosts: list[int]) -> None:
    client = frontend.client()
    ids = crash.check_all_run(client, burst)
    assert len(domains(frontend)) == len(ids), "machines on the hypervisors"
    checked = frontend.run("onedb", "fsck", "--dry-run")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    crash.end_all(client, ids, hosts)
    assert domains(frontend) == []
    assert frontend.run("onedb", "fsck", "--dry-run").returncode == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_kill_a_program(frontend: Frontend, program: str) -> None:
    hosts, template = crash.prepare(frontend.client(), f"{program}-node")
    try:
        burst = crash.Burst(frontend.client, template, 50, program)
        burst.start()
        burst.wait_for(20)
        assert len(burst.attempted) < 50, "the kill must fall into the burst"
        frontend.kill(program)
        frontend.spawn(program)
        burst.join()
        assert len(burst.attempted) == 50
        check_after(frontend, burst, hosts)
    finally:
        for host in hosts:
            frontend.client().call("host.delete", host)


def test_kill_everything_at_once(frontend: Frontend) -> None:
    hosts, template = crash.prepare(frontend.client(), "all-node")
    try:
        burst = crash.Burst(frontend.client, template, 50, "all")
        burst.start()
        burst.wait_for(20)
        for program in PROGRAMS:
            frontend.kill(program)
        for program in PROGRAMS:
            frontend.spawn(program)
        burst.join()
        check_after(frontend, burst, hosts)
    finally:
        for host in hosts:
            frontend.client().call("host.delete", host)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[MariaDb]:
    """A MariaDB server that only this test uses, so that it may be killed."""
    if not MariaDb.available():
        pytest.skip("left out: mariadbd is not installed (./onebox test --all installs it)")
    server = MariaDb(tmp_path)
    server.start()
    yield server
    server.stop()


def _status(frontend: Frontend, path: str) -> int:
    credentials = b64encode(frontend.session.encode()).decode()
    request = urllib.request.Request(f"http://127.0.0.1:{frontend.port}{path}")
    request.add_header("Authorization", f"Basic {credentials}")
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_kill_the_database(own_server: MariaDb, tmp_path: Path) -> None:
    frontend = Frontend(tmp_path / "one", mysql_section(own_server, "killed"))
    try:
        frontend.start()
        hosts, template = crash.prepare(frontend.client(), "db-node")
        burst = crash.Burst(frontend.client, template, 50, "db")
        burst.start()
        burst.wait_for(20)
        own_server.kill()
        for path in ("/ready", "/events?after=0"):
            assert _status(frontend, path) == 503, f"{path} while there is no database"
        own_server.start()
        burst.join()
        check_after(frontend, burst, hosts)
    finally:
        frontend.stop()
