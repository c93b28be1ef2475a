"""A database of an older release in a container: the next start upgrades it, whatever ends it meanwhile."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest

from tests.support import containers
from tests.support.containers import Container, Engine

# Each costs a start of the container; the long form is run by hand.
KILLS = int(os.environ.get("UPGRADE_KILLS", "2"))
QUIET = ("/usr/lib/one/venv/bin/python", "-m", "bootstrap.quiet")
BACKUPS = "/var/lib/one/backups/db"
# What release 5.12 kept of a zone with hosts and templates only.
AGED = """
DROP TABLE onebox_job, onebox_due, onebox_event, onebox_versioning, onebox_lease;
UPDATE db_versioning SET version = '5.12.0';
UPDATE local_db_versioning SET version = '5.12.0';
"""


@pytest.fixture(scope="module")
def frontend(docker: Engine, image: str) -> Iterator[Container]:
    """A front-end with some objects."""
    with containers.run(docker, image, {"OPENNEBULA_HOST": "localhost"}) as container:
        container.wait_healthy()
        client = container.client()
        for number in range(200):
            client.call("template.allocate", f'NAME=t{number}\nCPU=1\nMEMORY=1\nNOTE="{"x" * 2000}"')
        client.call("host.allocate", "node", "dummy", "dummy", -1)
        yield container


def age(container: Container) -> None:
    """Make the database old; the front-end starts again on it."""
    container.exec("sh", "-c", "cat > /tmp/aged.sql; chmod 644 /tmp/aged.sql", stdin=AGED)
    container.exec(*QUIET, "onedb", "patch", "/tmp/aged.sql")


def wait_ready(container: Container) -> None:
    """Ask until the health check finds nothing: what the engine knows may be from before."""
    deadline = time.monotonic() + 120
    while found := container.problems():
        assert time.monotonic() < deadline, f"{found}\n{container.logs()[-3000:]}"
        time.sleep(0.3)


def check(container: Container) -> None:
    """Nothing is lost, and the database is of this release."""
    assert (
        container.engine.try_call("exec", "-u", "oneadmin", container.name, "onedb", "version").returncode
        == 0
    )
    assert container.exec("onetemplate", "list", "--csv", "--no-header", user="oneadmin").count("\n") == 200
    assert "Total errors found: 0" in container.exec("onedb", "fsck", "--dry-run", user="oneadmin")


def test_the_next_start_upgrades(frontend: Container) -> None:
    before = frontend.exec("ls", BACKUPS).split()
    age(frontend)
    wait_ready(frontend)
    check(frontend)
    log = frontend.logs()
    assert "is of release 5.12.0: it is upgraded now." in log
    assert "Database migrated from 5.12.0 to 6.0.0" in log
    assert len(frontend.exec("ls", BACKUPS).split()) == len(before) + 1


def test_killed_during_the_upgrade(frontend: Container) -> None:
    dice = random.Random(11)
    for number in range(KILLS):
        age(frontend)
        # Between the first moment after the programs were started again and about the end of the upgrade.
        frontend.exec("sleep", f"{(number + dice.random()) / KILLS * 1.5:.2f}")
        frontend.kill()
        frontend.start()
        wait_ready(frontend)
        check(frontend)
    databases = frontend.exec("onedb", "version", "-v", user="oneadmin")
    assert "6.0.0" in databases
