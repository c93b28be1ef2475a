"""Stop, crash, re-creation, and less privilege than the default."""

from __future__ import annotations

import signal
import time

from tests.support import containers
from tests.support.containers import Container, Engine

HOST = {"OPENNEBULA_HOST": "localhost"}
KEPT = ("/var/lib/mysql", "/var/lib/one/.one", "/var/lib/one/datastores", "/var/log", "/srv/one")
# What root inside needs, as docs/image.md explains it. Docker gives more by default.
CAPABILITIES = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID", "SYS_CHROOT",
)  # fmt: skip


def _allocate(container: Container, name: str) -> int:
    return int(container.client().call("template.allocate", f'NAME = "{name}"\nCPU = 1\nMEMORY = 64'))


def _name(container: Container, template_id: int) -> str:
    body: str = container.client().call("template.info", template_id)
    return body.partition("<NAME>")[2].partition("</NAME>")[0]


def test_data_survives_a_new_container(docker: Engine, image: str) -> None:
    with containers.volumes(docker, *KEPT) as volumes:
        with containers.run(docker, image, HOST, volumes=volumes) as first:
            first.wait_healthy()
            session = first.session
            template_id = _allocate(first, "kept")
            print(f"docker stop: {first.stop():.1f} s")
            assert first.exit_code == 0, "it was killed, or ended with a fault"
            # Written out and closed: the next start has nothing to recover.
            assert "mariadbd: Shutdown complete" in first.logs()
        with containers.run(docker, image, HOST, volumes=volumes) as second:
            ready_s = second.wait_healthy()
            print(f"container start to healthy, used volumes: {ready_s:.1f} s")
            assert second.session == session
            assert _name(second, template_id) == "kept"
            assert "crash recovery" not in second.logs()


def test_acknowledged_change_survives_a_kill(docker: Engine, image: str) -> None:
    with containers.run(docker, image, HOST) as container:
        container.wait_healthy()
        template_id = _allocate(container, "acknowledged")
        container.kill()
        container.start()
        # Until its first check after a start, Docker shows "starting".
        container.wait_healthy()
        assert _name(container, template_id) == "acknowledged"


def test_stop_right_after_the_start_is_heard(docker: Engine, image: str) -> None:
    for delay_s in (0.0, 0.3, 1.0):
        with containers.run(docker, image, HOST, publish=False) as container:
            container.wait_handler(signal.SIGTERM)
            time.sleep(delay_s)
            container.stop()
            assert container.exit_code == 0, f"{delay_s} s after the start:\n{container.logs()}"


def test_read_only_root_and_few_capabilities(docker: Engine, image: str) -> None:
    options = [
        "--read-only",
        "--tmpfs",
        "/tmp",
        "--tmpfs",
        "/run",
        "--tmpfs",
        "/etc/one",
        "--cap-drop",
        "ALL",
    ]
    for capability in CAPABILITIES:
        options += ["--cap-add", capability]
    options += ["--security-opt", "no-new-privileges"]
    with containers.run(docker, image, HOST, *options) as container:
        container.wait_healthy()
        assert _name(container, _allocate(container, "tight")) == "tight"
        container.stop()
        assert container.exit_code == 0
        container.start()
        container.wait_healthy()


def test_read_only_root_without_the_folder_says_which(docker: Engine, image: str) -> None:
    options = ("--read-only", "--tmpfs", "/tmp", "--tmpfs", "/run")
    with containers.run(docker, image, HOST, *options, publish=False) as container:
        assert container.wait_exit() == 1
        assert "--tmpfs /etc/one" in container.logs().strip().splitlines()[-1]


def test_link_in_place_of_a_folder_is_refused(docker: Engine, image: str) -> None:
    """A service that puts a link where root prepares a folder must not have root change what it points to."""
    with containers.volumes(docker, "/var/lib/one/backups") as volumes:
        [name] = volumes
        docker.call(
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            f"{name}:/volume",
            image,
            "ln",
            "-s",
            "/etc",
            "/volume/db",
        )
        with containers.run(docker, image, HOST, volumes=volumes, publish=False) as container:
            assert container.wait_exit() == 1
            last = container.logs().strip().splitlines()[-1]
            assert "/var/lib/one/backups/db" in last
            assert "symbolic link" in last
