"""Command lines of OpenNebula's documents for its own image, with older parameter names, start this one."""

from __future__ import annotations

from contextlib import ExitStack

from services.common.oca import Client
from tests.support import containers
from tests.support.containers import Container, Engine

# -p of the documents; the test leaves the choice of the host's ports to the engine.
ALL_PORTS = ("80", "443", "22", "29876", "2633", "5030", "2474", "4124")
NO_API_PORTS = ("80", "443", "22", "29876", "5030", "2474")


def _published(*ports: str) -> list[str]:
    return [word for port in ports for word in ("-p", f"127.0.0.1::{port}")]


def _privileged(docker: Engine, image: str) -> list[str]:
    """The option, where the machine's own limits let any container have it."""
    tried = docker.try_call(
        "run", "--rm", "--privileged", "--network", "none", "--no-healthcheck", image, "true"
    )
    return [] if "unable to apply caps" in tried.stderr else ["--privileged"]


def _answers(container: Container) -> None:
    container.wait_healthy(90)
    assert container.exec("sudo", "-u", "oneadmin", "onevm", "list").split()[:2] == ["ID", "USER"]
    assert container.session == "oneadmin:changeme123"


def test_first_start_with_older_names(docker: Engine, image: str) -> None:
    """Privileged, Docker-in-Docker asked for, every port, four volumes: the line that begins most tours."""
    parameters = {
        "OPENNEBULA_FRONTEND_HOST": "one.example.com",
        "OPENNEBULA_FRONTEND_SSH_HOST": "one.example.com",
        "ONEADMIN_PASSWORD": "changeme123",
        "DIND_ENABLED": "yes",
    }
    places = ("/var/lib/mysql", "/var/lib/one/datastores", "/var/lib/one/.one", "/srv/one")
    with ExitStack() as stack:
        volumes = stack.enter_context(containers.volumes(docker, *places))
        options = (*_privileged(docker, image), *_published(*ALL_PORTS))
        container = stack.enter_context(
            containers.run(docker, image, parameters, *options, volumes=volumes, publish=False)
        )
        _answers(container)
        assert "<NAME>oneadmin</NAME>" in Client(container.endpoint, container.session).call("user.info", -1)
        # What is not here is said, not passed over.
        assert "DIND_ENABLED" in container.logs()


def test_health_check_given_on_the_command_line(docker: Engine, image: str) -> None:
    """Terminal and standard input kept open, the engine's restarts, a health check of the line itself."""
    parameters = {"OPENNEBULA_FRONTEND_HOST": "one.example.com", "ONEADMIN_PASSWORD": "changeme123"}
    options = (
        "-it", *_published(*NO_API_PORTS), "--health-cmd=/frontend-healthcheck.sh", "--health-interval=3s",
        "--health-timeout=10s", "--health-retries=3", "--health-start-period=2m", "--restart=always",
    )  # fmt: skip
    with containers.run(docker, image, parameters, *options, publish=False) as container:
        _answers(container)
        assert container.inspect()["Config"]["Tty"] is True
