"""The folder compose/: one container per service, each with what it needs and nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from bootstrap import params
from services.common.oca import Client
from tests.support import compose, crash
from tests.support.compose import Project
from tests.support.containers import Container, Engine, EngineError
from tests.support.frontend import free_port

pytestmark = pytest.mark.timeout(300)
DEBIANS = ("docker-compose",)
# One file for all containers, with lines for several of them.
PATCH = """\
/etc/one/sched.conf set SCHED_INTERVAL 10
/var/lib/one/remotes/etc/vmm/kvm/kvmrc set SHUTDOWN_TIMEOUT 60
/etc/one/oned.conf set DEFAULT_COST/CPU_COST 0.1
"""
# Prepares the others, and ends.
FIRST = "opennebula-secrets"
CAPABILITIES = {
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETUID",
    "SYS_CHROOT",
}


@dataclass(frozen=True)
class Deployed:
    """A running project, and the passwords that were given to it or made up."""

    project: Project
    passwords: dict[str, str]

    def containers(self) -> dict[str, Container]:
        """The containers of services, by the word of OPENNEBULA_SERVICE."""
        services = self.project.config()["services"]
        return {
            part["environment"]["OPENNEBULA_SERVICE"]: self.project.container(name)
            for name, part in services.items()
            if name != FIRST
        }


@pytest.fixture(scope="module")
def deployed(docker: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The project, up and healthy; passwords given in each way there is."""
    given = {name: secrets.token_hex(12) for name in ("ONEADMIN_PASSWORD", "MYSQL_ROOT_PASSWORD")}
    settings = {
        "OPENNEBULA_HOST": "localhost", "DEPLOY_ONED_EXTERNAL_PORT": str(free_port()),
        "DEPLOY_SUNSTONE_EXTERNAL_VNC_PORT": str(free_port()),
        "DEPLOY_MONITORD_EXTERNAL_PORT": str(free_port()),
        "DEPLOY_SSH_EXTERNAL_PORT": str(free_port()), "DEPLOY_BIND_SSH_ADDR": "127.0.0.1",
        "DEPLOY_ONED_INTERNAL_PORT": "2633", "MYSQL_ROOT_PASSWORD": given["MYSQL_ROOT_PASSWORD"],
        "ONEADMIN_PASSWORD_FILE": "/secrets/oneadmin", "OPENNEBULA_ONECFG_PATCH": "/config/onecfg_patch",
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("compose")
    with compose.project(docker, DEBIANS, folder, image, settings) as project:
        secret = project.folder / "secrets" / "oneadmin"
        secret.write_text(given["ONEADMIN_PASSWORD"])
        secret.chmod(0o600)
        (project.folder / "config" / "onecfg_patch").write_text(PATCH)
        project.run("up", "-d")
        made = Deployed(project, given)
        for container in made.containers().values():
            container.wait_healthy()
        oned = made.containers()["oned"]
        given["MYSQL_PASSWORD"] = oned.exec("cat", "/srv/one/secrets/mysql_password").strip()
        yield made


@pytest.fixture(scope="module", params=compose.docker_tools(), ids=" ".join)
def rendered(
    request: pytest.FixtureRequest, docker: Engine, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """The project as each tool of this machine reads it, without starting anything."""
    folder = tmp_path_factory.mktemp("rendered")
    with compose.project(docker, request.param, folder, image, {"OPENNEBULA_HOST": "localhost"}) as project:
        yield project


def test_every_service_has_a_container(rendered: Project) -> None:
    services = rendered.config()["services"]
    found = sorted(
        part["environment"]["OPENNEBULA_SERVICE"] for name, part in services.items() if name != FIRST
    )
    assert found == sorted(set(params.SERVICES) - {"all", "none"})
    assert services[FIRST]["environment"]["OPENNEBULA_SERVICE"] == "none"


def test_settings_files_bring_no_secret_where_it_is_not_needed(rendered: Project) -> None:
    """What is written into .env or custom.env would reach every container; empty values keep it out."""
    secret = {param.name: f"found-{param.name}" for param in params.PARAMS if param.secret}
    rendered.set(**secret)
    for name, part in rendered.config()["services"].items():
        if name == FIRST:
            continue
        environment = part["environment"]
        here = {
            param.name
            for param in params.PARAMS
            if param.secret and environment["OPENNEBULA_SERVICE"] in param.services
        }
        for secret_name in secret:
            if secret_name in here:
                assert environment[secret_name] or environment[f"{secret_name}_FILE"], (name, secret_name)
            else:
                assert environment[secret_name] == environment[f"{secret_name}_FILE"] == "", (
                    name,
                    secret_name,
                )
        # Passwords come from files even where they are needed: inspect shows the environment.
        assert not {value for value in secret.values() if "PASSWORD" in value} & set(environment.values()), (
            name
        )


def test_containers_have_few_rights(deployed: Deployed) -> None:
    for service, container in deployed.containers().items():
        config = container.inspect()["HostConfig"]
        assert config["ReadonlyRootfs"], service
        assert not config["Privileged"], service
        assert config["CapDrop"] == ["ALL"], service
        assert set(config["CapAdd"]) <= CAPABILITIES, service
        assert config["SecurityOpt"] == ["no-new-privileges:true"], service
        assert config["NetworkMode"].startswith(deployed.project.name), service
        assert config["RestartPolicy"]["Name"] == "unless-stopped", service


def test_every_volume_has_a_name_and_its_place(deployed: Deployed) -> None:
    """A volume without a name would be left behind by each "down"; none holds the whole root."""
    for service, container in deployed.containers().items():
        for mount in container.inspect()["Mounts"]:
            if mount["Type"] == "volume":
                assert mount["Name"].startswith(f"{deployed.project.name}_opennebula_"), (service, mount)
            assert mount["Destination"] not in ("/", "/var", "/srv", "/etc"), (service, mount)


def _shows(client: Client, vm: int, text: str) -> bool:
    return text in client.call("vm.info", vm)


def test_virtual_machines_run(deployed: Deployed) -> None:
    """The scheduler of one container places them with the core of another, in the database of a third."""
    client = deployed.containers()["oned"].client()
    hosts, template = crash.prepare(client, "compose")
    vms = [
        int(client.call("template.instantiate", template, f"vm-{number}", False, "", False))
        for number in (1, 2)
    ]
    for vm in vms:
        crash.wait(partial(_shows, client, vm, "<LCM_STATE>3<"), f"VM {vm} RUNNING", 60)
    for vm in vms:
        client.call("vm.action", "terminate-hard", vm)
        crash.wait(partial(_shows, client, vm, "<STATE>6<"), f"VM {vm} DONE", 60)
    for host in hosts:
        client.call("host.delete", host)


def test_scheduler_reads_no_datastore_and_no_database_password(deployed: Deployed) -> None:
    containers = deployed.containers()
    probe = "/var/lib/one/datastores/probe"
    containers["oned"].exec("touch", probe, user="oneadmin")
    assert containers["oned"].exec("ls", probe).strip() == probe
    scheduler = containers["scheduler"]
    assert scheduler.exec("find", "/", "-xdev", "-name", "probe") == ""
    assert scheduler.exec("ls", "-A", "/var/lib/one/datastores") == ""
    wanted = "\n".join(deployed.passwords[name] for name in ("MYSQL_PASSWORD", "MYSQL_ROOT_PASSWORD")) + "\n"
    assert "/srv/one/secrets/mysql_password" in _files_with(containers["oned"], wanted)
    assert _files_with(scheduler, wanted) == []
    # Nor can it try passwords: the database is in a network of its own.
    reach = "import socket; socket.create_connection(('opennebula-mysql', 3306), 3)"
    python = "/usr/lib/one/venv/bin/python"
    assert containers["oned"].exec(python, "-c", reach) == ""
    with pytest.raises(EngineError, match="Name or service not known|name resolution"):
        scheduler.exec(python, "-c", reach)


def test_one_patch_is_for_all_containers(deployed: Deployed) -> None:
    containers = deployed.containers()
    found = containers["scheduler"].exec("grep", "^SCHED_INTERVAL", "/etc/one/sched.conf")
    assert found.split() == ["SCHED_INTERVAL", "=", "10"]
    assert "CPU_COST    = 0.1" in containers["oned"].exec("cat", "/etc/one/oned.conf")
    kvmrc = containers["oned"].exec("cat", "/var/lib/one/remotes/etc/vmm/kvm/kvmrc")
    assert "SHUTDOWN_TIMEOUT=60" in kvmrc


def test_nodes_reach_the_datastores_over_ssh(deployed: Deployed) -> None:
    """With the key of the core's container, which is in no other one."""
    containers = deployed.containers()
    command = (
        "ssh",
        "-o",
        "BatchMode=yes",
        "opennebula-sshd",
        "touch /var/lib/one/datastores/by-ssh; id -un",
    )
    assert containers["oned"].exec(*command, user="oneadmin").strip() == "oneadmin"
    assert "by-ssh" in containers["oned"].exec("ls", "/var/lib/one/datastores")
    assert "id_rsa\n" not in containers["sshd"].exec("ls", "/var/lib/one/.ssh")
    assert containers["sshd"].exec("ls", "-A", "/var/lib/one/.one") == ""


def _files_with(container: Container, patterns: str) -> list[str]:
    places = "/etc /run /srv /tmp /var /config"
    return container.exec("sh", "-c", f"grep -rlF -f - {places} 2>/dev/null; true", stdin=patterns).split()


def test_inspect_shows_no_password(deployed: Deployed) -> None:
    shown = "".join(str(container.inspect()) for container in deployed.containers().values())
    logs = deployed.project.run("logs", "--no-color")
    for name, value in deployed.passwords.items():
        assert value not in shown, name
        assert value not in logs, name


def _is_in_maintenance(container: Container) -> bool:
    # It succeeds in maintenance mode too, but compose's own check alone, and for a moment only.
    return container.problems() == "maintenance mode"


def test_maintenance_and_back_with_another_password(deployed: Deployed) -> None:
    """The session of OpenNebula's manual; data outlives "down", the database takes a new password over."""
    project = deployed.project
    template = int(
        deployed.containers()["oned"].client().call("template.allocate", 'NAME="kept"\nCPU=1\nMEMORY=1')
    )
    project.down()
    project.set(MAINTENANCE_MODE="yes")
    project.run("up", "-d")
    containers = deployed.containers()
    for service, container in containers.items():
        crash.wait(partial(_is_in_maintenance, container), f"{service} configured", 60)
        states = container.programs()
        assert states.pop("infinite-loop") == "RUNNING", service
        states.pop("bootstrap", None)
        assert set(states.values()) == {"STOPPED"}, service
    database = containers["mysqld"]
    assert database.supervisor("start", "mysqld") == "mysqld: started\n"
    checked = containers["oned"].exec("sudo", "-u", "oneadmin", "onedb", "fsck")
    assert "MySQL dump stored in /var/lib/one/mysql_opennebula-mysql_opennebula_" in checked
    assert "Total errors found: 0" in checked
    database.wait_health("unhealthy", 90)
    project.down()
    deployed.passwords["MYSQL_PASSWORD"] = secrets.token_hex(12)
    project.set(MAINTENANCE_MODE="no", MYSQL_PASSWORD=deployed.passwords["MYSQL_PASSWORD"])
    project.run("up", "-d")
    oned = deployed.containers()["oned"]
    oned.wait_healthy()
    assert oned.exec("cat", "/srv/one/secrets/mysql_password") == deployed.passwords["MYSQL_PASSWORD"]
    assert oned.session == f"oneadmin:{deployed.passwords['ONEADMIN_PASSWORD']}"
    assert "<NAME>kept</NAME>" in oned.client().call("template.info", template)


def test_faulty_settings_are_named_before_anything_starts(
    docker: Engine, image: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("faulty")
    settings = {"MYSQL_PORT": "99999"}
    with compose.project(docker, DEBIANS, folder, image, settings) as project:
        result = project.try_run("up", "-d")
        assert result.returncode != 0
        logs = project.run("logs", "--no-color", FIRST)
        assert "OPENNEBULA_HOST: required with OPENNEBULA_SERVICE=oned" in logs
        assert logs.count("MYSQL_PORT: expected") == 1
        assert project.run("ps", "-q", "opennebula-mysql").strip() == ""
