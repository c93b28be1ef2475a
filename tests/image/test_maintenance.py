"""Maintenance mode, as an operator types it: all configured, nothing started, the database looked after."""

from __future__ import annotations

import time

from tests.support import containers
from tests.support.containers import Container, Engine

HOST = {"OPENNEBULA_HOST": "localhost"}
KEPT = ("/var/lib/mysql", "/var/lib/one/.one")
PROGRAMS = {
    "crond", "mysqld", "mysqld-configure", "mysqld-upgrade", "opennebula", "opennebula-configure",
    "opennebula-engine", "opennebula-monitord", "opennebula-novnc", "opennebula-scheduler",
    "opennebula-showback", "opennebula-ssh-add", "opennebula-ssh-agent", "opennebula-ssh-socks-cleaner",
    "sshd", "stunnel", "supervisor-listener",
}  # fmt: skip


def _wait_configured(container: Container) -> None:
    deadline = time.monotonic() + 60
    while container.programs().get("bootstrap") != "EXITED":
        assert time.monotonic() < deadline, container.logs()[-2000:]
        time.sleep(0.2)


def test_the_guide_s_session(docker: Engine, image: str) -> None:
    with containers.volumes(docker, *KEPT) as volumes:
        with containers.run(docker, image, HOST, volumes=volumes) as container:
            container.wait_healthy()
            container.client().call("template.allocate", 'NAME = "kept"')
            container.stop()
        maintenance = HOST | {"MAINTENANCE_MODE": "yes"}
        options = ("--health-start-period", "1s", "--health-interval", "1s")
        with containers.run(docker, image, maintenance, *options, volumes=volumes) as container:
            _wait_configured(container)
            assert container.problems() == "maintenance mode"
            assert container.wait_health("unhealthy", 60) >= 0
            states = container.programs()
            assert states.pop("infinite-loop") == "RUNNING"
            # The program that configured all this has done its work; OpenNebula's image does not list it.
            assert states.pop("bootstrap") == "EXITED"
            assert states == dict.fromkeys(PROGRAMS, "STOPPED")
            assert container.supervisor("status", "crond").split()[1:] == ["STOPPED", "Not", "started"]
            assert container.supervisor("start", "mysqld").strip() == "mysqld: started"
            lines = container.exec("sudo", "-u", "oneadmin", "onedb", "fsck").splitlines()
            assert lines[0].startswith("MySQL dump stored in /var/lib/one/mysql_localhost_opennebula_")
            assert "Total errors found: 0" in lines and "Total errors unrepaired: 0" in lines
            assert lines[-1].startswith("A copy of this output was stored in /var/log/one/onedb-fsck.log")
            # What was not asked for still does not run, and the container says so.
            assert container.programs()["opennebula"] == "STOPPED"
            assert container.problems() == "maintenance mode"
        with containers.run(docker, image, HOST, volumes=volumes) as container:
            container.wait_healthy()
            assert "<NAME>kept</NAME>" in container.client().call("templatepool.info", -2, -1, -1)
