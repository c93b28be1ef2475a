"""A front-end and two nodes for transfer actions: real ssh to an sshd of the test, datastores for each.

The nodes are this machine; a mount namespace of each connection puts the node's own folder where the
front-end has its datastores, so that the paths are the same everywhere, as they have to be. Folders of
NODE.mounts become mounts of their own in it.
"""

from __future__ import annotations

import base64
import os
import platform
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

REMOTES = Path(__file__).resolve().parents[4] / "services/remotes"
FRONT_END = platform.node()
VM_ID = "42"
_ENTER = """#!/bin/sh
# Every command of a connection runs here: on the node that the client names.
export PATH="$TM_PATH$PATH"
exec unshare {options} --mount sh -c '
    mount --bind "$TM_NODE" "$TM_ROOT" || exit 1
    for each in "$TM_NODE".mounts/*; do
        [ ! -d "$each" ] || mount --bind "$each" "$TM_ROOT/${{each##*/}}" || exit 1
    done
    cd / && exec sh -c "$SSH_ORIGINAL_COMMAND"'
"""


@dataclass(frozen=True)
class Sshd:
    """Where it listens, and the key that it lets in."""

    port: int
    key: Path


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd that runs commands as this user on the nodes of the tests."""
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "key"):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(argv, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    enter = folder / "enter"
    enter.write_text(_ENTER.format(options="" if os.getuid() == 0 else "--map-root-user"))
    enter.chmod(0o755)
    (folder / "sshd.conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nStrictModes no\n"
        "UsePAM no\n"
        f"AuthorizedKeysFile {folder}/key.pub\nPermitRootLogin yes\nAcceptEnv TM_*\nForceCommand {enter}\n"
        "MaxStartups 100\n"
    )
    if os.getuid() == 0:
        # sshd insists on its own empty folder; it stays, for other tests may use it at the same time.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "sshd.conf")],
        stderr=open(folder / "log", "w"),  # noqa: SIM115
    )
    try:
        _wait(port, process, folder / "log")
        yield Sshd(port, folder / "key")
    finally:
        process.terminate()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"sshd did not start: {log.read_text()}")


@dataclass
class Rig:
    """A front-end with datastores, two nodes, one VM."""

    folder: Path
    disks: dict[str, dict[str, str]] = field(default_factory=dict)
    lcm_state: int = 1
    tm_mad: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def datastores(self) -> Path:
        """The folder of all datastores, as every machine calls it."""
        return self.folder / "fe/var/datastores"

    def on(self, host: str) -> Path:
        """Where this test finds the datastores of a machine."""
        return self.datastores if host == FRONT_END else self.folder / host

    def at(self, host: str, name: str) -> str:
        """HOST:PATH of something in the folder of the VM in system datastore 0; '' for the folder."""
        return f"{host}:{self.datastores}/0/{VM_ID}" + (f"/{name}" if name else "")

    def file(self, host: str, name: str) -> Path:
        """The same, for the test to look at."""
        return self.on(host) / "0" / VM_ID / name

    def image(self, name: str = "image") -> Path:
        """An image of datastore 1 of the front-end."""
        return self.datastores / "1" / name

    def disk(self, disk_id: int, **values: str) -> None:
        """What the VM's document says of a disk."""
        self.disks[str(disk_id)] = {"DISK_ID": str(disk_id), **values}

    def document(self) -> str:
        """The VM's document."""
        disks = "".join(
            "<DISK>"
            + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in disk.items())
            + "</DISK>"
            for disk in self.disks.values()
        )
        return (
            f"<VM><ID>{VM_ID}</ID><LCM_STATE>{self.lcm_state}</LCM_STATE><DEPLOY_ID>one-{VM_ID}</DEPLOY_ID>"
            f"<TEMPLATE>{disks}</TEMPLATE><HISTORY_RECORDS><HISTORY><SEQ>0</SEQ><VM_MAD>kvm</VM_MAD>"
            f"<TM_MAD>{self.tm_mad}</TM_MAD></HISTORY></HISTORY_RECORDS></VM>"
        )

    def run(self, action: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        """Run tm/ACTION as the engine does."""
        (self.folder / "vm.xml").write_text(self.document())
        return subprocess.run(
            [str(REMOTES / "tm" / action), *arguments],
            input=stdin.decode(),
            capture_output=True,
            text=True,
            env={**os.environ, **self.environment},
            cwd=self.folder,
            check=False,
        )

    def done(self, action: str, *arguments: str, stdin: bytes = b"") -> str:
        """The output of an action that must succeed."""
        outcome = self.run(action, *arguments, stdin=stdin)
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout

    def refused(self, action: str, *arguments: str, stdin: bytes = b"") -> str:
        """The message of an action that must fail, with one that is for the user."""
        outcome = self.run(action, *arguments, stdin=stdin)
        assert outcome.returncode == 1, outcome.stderr
        assert "ERROR MESSAGE --8<------" in outcome.stderr
        assert "Traceback" not in outcome.stderr
        return outcome.stderr

    def sealed_document(self) -> bytes:
        """The VM's document as migrations get it."""
        return base64.b64encode(self.document().encode())

    def everything(self) -> dict[str, str]:
        """All files of all machines, with what is in them."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            if path.name in ("vm.xml", ".isofiles"):
                continue
            name = str(path.relative_to(self.folder))
            if path.is_symlink():
                found[name] = f"-> {os.readlink(path)}"
            else:
                found[name] = path.read_bytes().hex()[:200] if path.is_file() else "/"
        return found

    def leftovers(self) -> list[str]:
        """Temporary names that an action has left anywhere."""
        return [
            name for name in self.everything() if ".part" in name or ".gone" in name or ".convert" in name
        ]


@pytest.fixture
def rig(tmp_path: Path, sshd: Sshd) -> Rig:
    """A front-end with an empty image datastore 1, and the nodes node1 and node2."""
    made = Rig(tmp_path)
    for folder in ("bin", "fe/etc", "fe/var/datastores/1", "node1", "node2"):
        (tmp_path / folder).mkdir(parents=True)
    hosts = "".join(
        f"Host {name}\n  SetEnv TM_NODE={tmp_path / name} TM_ROOT={made.datastores} TM_PATH={tmp_path}/bin:\n"
        for name in ("node1", "node2")
    )
    (tmp_path / "ssh.conf").write_text(
        f"{hosts}Host *\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {sshd.key}\n"
        "  LogLevel ERROR\n  IdentitiesOnly yes\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n"
    )
    programs = {
        "ssh": f'exec /usr/bin/ssh -F {tmp_path}/ssh.conf "$@"',
        "onevm": f"cat {tmp_path}/vm.xml",
        "oneimage": f"cat {tmp_path}/image.xml",
    }
    for name, line in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    made.environment = {
        "ONE_LOCATION": str(tmp_path / "fe"),
        "PATH": f"{tmp_path}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    made.disk(0, SIZE="1", ORIGINAL_SIZE="1", DRIVER="raw", CLONE="YES")
    return made


def raw_image(path: Path, size_mb: int = 1, first: bytes = b"data") -> Path:
    """A sparse raw image that begins with these bytes."""
    with open(path, "wb") as file:
        file.truncate(size_mb * 1024 * 1024)
        file.write(first)
    return path


def qemu_img(*arguments: str | Path) -> str:
    """The output of qemu-img."""
    argv: Sequence[str] = ["qemu-img", *(str(argument) for argument in arguments)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def layer_content(path: Path, pattern: int, at: str = "0", write: bool = False) -> bool:
    """Write 4 KiB of a byte to a qcow2 disk, or say whether it has them."""
    verb = "write" if write else "read"
    argv = ["qemu-io", "-f", "qcow2", "-c", f"{verb} -P {pattern} {at} 4096", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "verification failed" not in done.stdout
