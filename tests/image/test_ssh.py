"""The integrated SSH server and oneadmin's key: made or own, any port, logins from other containers."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support import containers
from tests.support import own_files as own
from tests.support.containers import Container, Engine

OPTIONS = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o ConnectTimeout=20"


def _address(container: Container) -> str:
    return str(container.inspect()["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])


def _login(docker: Engine, image: str, key: Path, address: str, port: int, command: str) -> tuple[int, str]:
    """Log in from a container of its own, as a node does; exit code and output."""
    login = f"ssh {OPTIONS} -i /tmp/key -p {port} oneadmin@{address} {command}"
    script = f"cp /key /tmp/key && chmod 600 /tmp/key && {login}"
    result = docker.try_call(
        "run", "--rm", "--no-healthcheck", "-v", f"{key}:/key:ro", image, "sh", "-c", script
    )
    return result.returncode, result.stdout + result.stderr


def test_a_node_logs_in_with_the_own_key_on_both_ports(
    docker: Engine, image: str, own_container: Container, own_files: Path
) -> None:
    for port in (22, 2222):
        code, said = _login(
            docker, image, own_files / "ssh/id_rsa", _address(own_container), port, "id -un; umask"
        )
        assert code == 0 and "oneadmin" in said, said


def test_others_are_refused(docker: Engine, image: str, own_container: Container, tmp_path: Path) -> None:
    from bootstrap import ssh_keys

    own.write(tmp_path / "other/id", ssh_keys.generate("ed25519").private)
    code, said = _login(docker, image, tmp_path / "other/id", _address(own_container), 22, "id")
    assert code == 255 and "Permission denied (publickey)" in said


def test_a_made_key_works_and_stays(plain_container: Container) -> None:
    """The front-end reaches its own datastores over SSH, and knows its own server."""
    asked = ("ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "localhost", "id", "-un")
    assert plain_container.exec(*asked, user="oneadmin").strip() == "oneadmin"
    listed = plain_container.exec(
        "env", "SSH_AUTH_SOCK=/run/one/ssh-agent.sock", "ssh-add", "-L", user="oneadmin"
    )
    assert listed.split()[1] == plain_container.exec("cat", "/var/lib/one/.ssh/id_rsa.pub").split()[1]


def test_the_agent_has_the_key_again_after_a_restart(plain_container: Container) -> None:
    plain_container.supervisor("restart", "opennebula-ssh-agent")
    deadline = time.monotonic() + 60
    asked = (
        "exec",
        "-u",
        "oneadmin",
        "-e",
        "SSH_AUTH_SOCK=/run/one/ssh-agent.sock",
        plain_container.name,
        "ssh-add",
        "-l",
    )
    while plain_container.engine.try_call(*asked).returncode:
        assert time.monotonic() < deadline, "the agent is still empty"
        time.sleep(0.2)


def test_settings_for_nodes_with_other_ports(own_container: Container) -> None:
    script = "printf 'Host node7\\n  Port 2207\\n' > ~/.ssh/config.d/nodes; ssh -G node7; ssh -G localhost"
    said = own_container.exec("sh", "-c", f"cd; HOME=/var/lib/one; {script}", user="oneadmin")
    assert "port 2207" in said and "port 2222" in said


def test_a_container_with_sshd_alone(docker: Engine, image: str, own_files: Path) -> None:
    """Its volume of oneadmin's public parts is filled by the container of oned; host keys are in theirs."""
    with containers.volumes(docker, "/srv/one/secret-ssh-host-keys", "/var/lib/one/.ssh") as volumes:
        shared = next(name for name, path in volumes.items() if path.endswith(".ssh"))
        public = (own_files / "ssh/id_rsa.pub").read_text()
        fill = "cd /v; cat > authorized_keys; chmod 600 authorized_keys; chown 9869:9869 authorized_keys"
        mount = ("--network", "none", "-v", f"{shared}:/v")
        docker.call("run", "--rm", "-i", *mount, image, "sh", "-c", fill, stdin=public)
        parameters = {"OPENNEBULA_SERVICE": "sshd"}
        with containers.run(docker, image, parameters, volumes=volumes, publish=False) as container:
            container.wait_healthy()
            assert set(container.programs()) == {"bootstrap", "crond", "sshd", "supervisor-listener"}
            code, said = _login(docker, image, own_files / "ssh/id_rsa", _address(container), 22, "true")
            assert code == 0, said
