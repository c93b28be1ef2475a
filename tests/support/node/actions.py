"""Hypervisor actions on a node as the engine runs them: over ssh with a forwarded agent, XML on stdin."""

from __future__ import annotations

import base64
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

from tests.support.containers import EngineError
from tests.support.node.nodes import BRIDGE, Guest, Node

REMOTES = "/var/tmp/one"
FOLDER = "/var/lib/one/datastores/0"
_NAMESPACE = "http://opennebula.org/xmlns/libvirt/1.0"


class ActionFailed(AssertionError):
    """An action ended with a failure; the text is its message to the user."""


@contextmanager
def agent(key: Path, folder: Path) -> Iterator[str]:
    """The socket of an ssh agent that holds a key."""
    socket = folder / "agent"
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            added = subprocess.run(
                ["ssh-add", "-q", str(key)],
                env={**os.environ, "SSH_AUTH_SOCK": str(socket)},
                capture_output=True,
            )
            if added.returncode == 0:
                break
        else:
            raise EngineError(f"the agent does not take the key: {added.stderr.decode()}")
        yield str(socket)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


class Actions:
    """Runs the actions of ``vmm/<driver>`` on a node."""

    def __init__(self, node: Node, agent_socket: str, driver: str = "qemu") -> None:
        self.node, self.driver = node, driver
        self._environment = {**os.environ, "SSH_AUTH_SOCK": agent_socket}

    def install(self, **settings: str) -> None:
        """Copy the actions of this checkout to the node, with some settings of kvmrc changed."""
        lines = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
        self.node.sh(
            f"mkdir -p {REMOTES} && cd {REMOTES} && rm -rf lib vmm etc && cd /onebox/services/remotes"
            f" && cp -a lib vmm etc {REMOTES}/ && chown -R oneadmin: {REMOTES}"
        )
        self.node.exec("tee", "-a", f"{REMOTES}/etc/vmm/kvm/kvmrc", stdin=lines)

    def try_run(self, action: str, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run an action, however it ends."""
        line = shlex.join([f"{REMOTES}/vmm/{self.driver}/{action}", *args])
        return subprocess.run(
            ["ssh", "-F", "none", "-A", "-i", str(self.node.key), "-o", "BatchMode=yes",
             "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
             f"oneadmin@{self.node.address}", line],
            input=stdin, text=True, capture_output=True, timeout=300, env=self._environment,
        )  # fmt: skip

    def __call__(self, action: str, *args: str, stdin: str = "") -> str:
        """What an action prints. Raises ActionFailed with what it says between its marks."""
        result = self.try_run(action, *args, stdin=stdin)
        if result.returncode:
            found = re.search(
                r"ERROR MESSAGE --8<------\n(.*)\nERROR MESSAGE ------>8--", result.stderr, re.S
            )
            raise ActionFailed(found[1] if found else f"no message: {result.stderr}")
        return result.stdout.strip()


class Machine:
    """A VM's files and documents on a node; its guest is the node ring's (see README)."""

    def __init__(
        self, node: Node, guest: Guest | None, vm_id: int, address: str, location: str = FOLDER
    ) -> None:
        self.node, self.vm_id, self.address = node, str(vm_id), address
        self.name, self.folder = f"one-{vm_id}", f"{location}/{vm_id}"
        self.deploy_id = self.name  # known to drivers by its UUID once it was started
        self.mac = "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))
        self.disks: list[str] = []
        self._boot = ""
        if guest is not None:
            for file in (guest.kernel, guest.initramfs):
                node.engine.call("cp", str(file), f"{node.name}:/var/lib/one/{file.name}")
                node.sh(f"chmod a+r /var/lib/one/{file.name}")
            self._boot = (
                "<kernel>/var/lib/one/kernel</kernel><initrd>/var/lib/one/initramfs</initrd>"
                "<cmdline>console=ttyS0</cmdline>"
            )
        node.sh(f"rm -rf {self.folder}; install -d -o oneadmin -g oneadmin {location} {self.folder}")

    def as_oneadmin(self, line: str) -> str:
        """Output of a shell line in the VM's folder on the node."""
        return self.node.exec("setpriv", "--reuid=oneadmin", "--regid=oneadmin", "--init-groups", "sh", "-c",
                              f"cd {self.folder} && {line}")  # fmt: skip

    def disk(self, name: str, form: str = "qcow2", size: str = "64M") -> str:
        """Make an ext4 disk in the VM's folder that the domain has from its start; its path."""
        self.as_oneadmin(
            f"truncate -s {size} raw && mke2fs -q -t ext4 raw; qemu-img convert -O {form} raw {name}; rm raw"
        )
        self.use(name, form)
        return f"{self.folder}/{name}"

    def use(self, name: str, form: str) -> None:
        """Give the domain a disk that is there."""
        target = f"vd{'abcdef'[len(self.disks)]}"
        self.disks.append(
            f"<disk type='file' device='disk'><driver name='qemu' type='{form}' cache='none'/>"
            f"<source file='{self.folder}/{name}'/><target dev='{target}' bus='virtio'/></disk>"
        )

    def cdrom(self, name: str, says: str) -> str:
        """A drive hda with a CD that says so at its beginning; its path."""
        self.cd(name, says)
        self.disks.append(
            "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>"
            f"<source file='{self.folder}/{name}'/>"
            "<target dev='hda' bus='ide'/><readonly/></disk>"
        )
        return f"{self.folder}/{name}"

    def cd(self, name: str, says: str) -> None:
        """A CD; the guest need not be able to mount it."""
        self.as_oneadmin(f"echo {shlex.quote(says)} > {name} && truncate -s 1M {name}")

    def xml(self, *, acpi: bool = True, extra: str = "", top: str = "", memory_mib: int = 96) -> str:
        """The deployment file. extra: devices; top: what stands beside them."""
        features = "<features><acpi/></features>" if acpi else ""
        return f"""<domain type='qemu'><name>{self.name}</name><vcpu current='1'>2</vcpu>
            <memory>{memory_mib * 1024}</memory>
            <os><type arch='x86_64'>hvm</type>{self._boot}</os>{features}
            <metadata><one:vm xmlns:one='{_NAMESPACE}'>
            <one:system_datastore>{self.folder}</one:system_datastore></one:vm></metadata>{top}<devices>{"".join(self.disks)}
            <interface type='bridge'><source bridge='{BRIDGE}'/><mac address='{self.mac}'/>
            <target dev='one-{self.vm_id}-0'/><model type='virtio'/></interface>
            <serial type='pty'/>{extra}</devices></domain>"""

    def message(self, vm: str = "", *, shared: str = "YES", tm: str = "shared") -> str:
        """The action XML with the parts of the VM's template."""
        return (
            f"<VMM_DRIVER_ACTION_DATA><DISK_TARGET_PATH>{escape(self.folder)}</DISK_TARGET_PATH><VM><ID>{self.vm_id}"
            f"</ID><TEMPLATE>{vm}</TEMPLATE></VM><DATASTORE><TM_MAD>{tm}</TM_MAD><TEMPLATE><SHARED>{shared}</SHARED>"
            "</TEMPLATE></DATASTORE></VMM_DRIVER_ACTION_DATA>"
        )

    def message64(self, vm: str) -> str:
        """The same as some actions get it as an argument."""
        return base64.b64encode(self.message(vm).encode()).decode()

    def dump(self) -> str:
        """What libvirt says of the domain."""
        return self.node.exec("virsh", "dumpxml", self.name)
