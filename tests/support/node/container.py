"""A front-end in a container of the image, on the nodes' control network."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support import containers
from tests.support.containers import Container
from tests.support.node.nodes import Network, Node
from tests.support.node.operate import Operator

_FOLDER = "/var/tmp/sources"
_COMMAND_TIMEOUT_S = 120.0


class ContainerCloud(Operator):
    """The front-end container's commands. ``key``: a copy of its private key, to see what it sees."""

    def __init__(self, container: Container, key: Path) -> None:
        self.container, self.key = container, key
        for name in ("id_rsa", "id_rsa.pub"):
            target = key.with_name(name)
            target.touch(mode=0o600)
            target.write_text(container.exec("cat", f"/var/lib/one/.ssh/{name}"))
        container.exec("install", "-d", "-o", "oneadmin", _FOLDER)

    def run(self, *command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """As oneadmin inside."""
        return self.container.engine.try_call(
            "exec", *(["-i"] if stdin is not None else []), "-u", "oneadmin", self.container.name, *command,
            stdin=stdin, timeout_s=_COMMAND_TIMEOUT_S,
        )  # fmt: skip

    @property
    def datastores_path(self) -> str:
        """The packages' place."""
        return "/var/lib/one/datastores"

    @property
    def put_folder(self) -> str:
        """A folder inside."""
        return _FOLDER

    def put(self, file: Path) -> str:
        """A copy inside."""
        self.container.engine.call("cp", str(file), f"{self.container.name}:{_FOLDER}/{file.name}")
        self.container.exec("chown", "oneadmin", f"{_FOLDER}/{file.name}")
        return f"{_FOLDER}/{file.name}"

    def allow_live_snapshots(self, drivers: str) -> None:
        """Have disks of a hypervisor's machines snapshotted while they run, as those of kvm-qcow2 are."""
        file = "/etc/one/vmm_exec/vmm_execrc"
        self.container.exec("sed", "-i", f's/"kvm-qcow2 /"{drivers} kvm-qcow2 /', file)
        assert drivers in self.container.exec("cat", file)
        self.container.supervisor("restart", "opennebula-engine")

    def trust_shared_folders(self) -> None:
        """Have libvirt move machines on file systems that it does not know as shared; before ``add_host``."""
        file = "/var/lib/one/remotes/etc/vmm/kvm/kvmrc"
        self.container.exec("sed", "-i", "s/^#MIGRATE_OPTIONS=--unsafe/MIGRATE_OPTIONS=--unsafe/", file)
        assert "\nMIGRATE_OPTIONS=--unsafe" in self.container.exec("cat", file)

    def host_name(self, node: Node) -> str:
        """The container's name, which its network knows."""
        return node.name

    def log(self, name: str) -> str:
        """From the folder of logs."""
        return self.container.engine.try_call(
            "exec", self.container.name, "cat", f"/var/log/one/{name}"
        ).stdout


@contextmanager
def start(
    net: Network, image: str, folder: Path, volumes: Mapping[str, str] | None = None
) -> Iterator[ContainerCloud]:
    """A healthy front-end beside the nodes, removed at the end. ``volumes``: see ``containers.run``."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"front-end-{net.control.split('-')[2]}"
    with containers.run(
        net.engine, image, {"OPENNEBULA_HOST": name}, "--network", net.control, "--hostname", name,
        "--network-alias", name, volumes=volumes,
    ) as container:  # fmt: skip
        container.wait_healthy()
        container.exec("chown", "oneadmin:oneadmin", *(volumes or {}).values())
        yield ContainerCloud(container, folder / "id_rsa")
