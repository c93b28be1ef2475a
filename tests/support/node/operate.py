"""What a test does with nodes, images and machines, whatever kind of front-end it has."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.support.node.nodes import BRIDGE, Guest, Network, Node

# A minute for everything: two slow processors emulate the machines.
DEADLINE_S = 120.0


class Failed(AssertionError):
    """Something did not come about; the text has the log's end."""


def wait(
    what: str, holds: Callable[[], Any], deadline_s: float = DEADLINE_S, said: Callable[[], str] = str
) -> Any:
    """What ``holds`` returns once that is true. Raises Failed with ``said()`` after the deadline."""
    deadline = time.monotonic() + deadline_s
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {deadline_s:g} s\n{said()}")
        time.sleep(0.1)
    return found


class GuestShell:
    """The guest's own answers, over the network."""

    def __init__(self, address: str) -> None:
        self.address = address

    def pings(self) -> bool:
        """Whether one ping is answered."""
        return subprocess.run(
            ["ping", "-q", "-n", "-c", "1", "-W", "1", self.address], capture_output=True, check=False
        ).returncode == 0  # fmt: skip

    def wait_ping(self, deadline_s: float = DEADLINE_S, said: Callable[[], str] = str) -> None:
        """Return once a ping is answered."""
        wait(f"ping of {self.address}", self.pings, deadline_s, said)

    def sh(self, line: str, timeout_s: float = 30.0) -> str:
        """The output of shell commands in the guest that must succeed. Raises Failed."""
        request = urllib.request.Request(f"http://{self.address}/cgi-bin/sh", data=line.encode() + b"\n")
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                with urllib.request.urlopen(request, timeout=timeout_s) as reply:
                    output, _, code = reply.read().decode().rstrip("\n").rpartition("exit ")
                break
            except (urllib.error.URLError, OSError) as error:
                # Its server comes a moment after its first ping.
                if time.monotonic() > deadline:
                    raise Failed(f"guest {self.address} does not answer: {error}") from None
                time.sleep(0.2)
        if code != "0":
            raise Failed(f"guest {self.address}: {line!r} ended with {code}: {output}")
        return output.strip()


# BOOT_FAILURE … of the life cycle: nothing moves on from them by itself.
FAILED = frozenset({36, 37, 38, 39, 40, 41, 42, 44, 46, 47, 48, 49, 50, 61})


class Operator(ABC):
    """A front-end's commands, run by an operator of it."""

    @abstractmethod
    def run(self, *command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command line as oneadmin, whatever its exit code."""

    @property
    @abstractmethod
    def datastores_path(self) -> str:
        """DATASTORE_LOCATION."""

    @property
    @abstractmethod
    def put_folder(self) -> str:
        """The folder of ``put``."""

    @abstractmethod
    def log(self, name: str) -> str:
        """A log file's text, empty when it is not there."""

    @abstractmethod
    def put(self, file: Path) -> str:
        """Where the front-end finds a copy of a file, to make images of it."""

    @abstractmethod
    def host_name(self, node: Node) -> str:
        """The name by which the front-end reaches a node."""

    def tails(self) -> str:
        """The end of the services' logs, for messages."""
        return "\n".join(
            f"--- {name}\n" + "\n".join(self.log(name).splitlines()[-25:])
            for name in ("oned.log", "engine.log", "monitor.log")
        )

    # -- commands ------------------------------------------------------------------------------------
    def one(self, *command: str, stdin: str | None = None) -> str:
        """The output of a command line that must succeed. Raises Failed."""
        done = self.run(*command, stdin=stdin)
        if done.returncode:
            raise Failed(f"{' '.join(command)}: {done.stdout}{done.stderr}\n{self.tails()}")
        return done.stdout

    def create(self, *command: str, stdin: str | None = None) -> int:
        """The id that a command printed last (``ID: 7``)."""
        return int(self.one(*command, stdin=stdin).split()[-1])

    def show(self, kind: str, object_id: int) -> ElementTree.Element:
        """An object's document: ``show("vm", 3)``."""
        return ElementTree.fromstring(self.one(f"one{kind}", "show", "-x", str(object_id)))

    # -- hosts, datastores, networks -----------------------------------------------------------------
    def add_host(self, node: Node, *, wait_on: bool = True) -> int:
        """A node as a host of ours; its id, once it is on."""
        hypervisor = node.hypervisor
        host = self.create("onehost", "create", self.host_name(node), "-i", hypervisor, "-v", hypervisor)
        if wait_on:
            self.wait_host(host, 2)
        return host

    def wait_host(self, host: int, state: int, deadline_s: float = DEADLINE_S) -> None:
        """Return once the host has the state (2 is monitored, 3 error)."""
        wait(
            f"host {host} in state {state}",
            lambda: self.show("host", host).findtext("STATE") == str(state), deadline_s,
            lambda: f"{self.one('onehost', 'show', str(host))}\n{self.tails()}",
        )  # fmt: skip

    def use_tm(self, driver: str) -> None:
        """Have the system and image datastore (0 and 1) use a transfer driver: ssh, shared or qcow2.

        Images may be made of what was ``put`` from then on.
        """
        safe = f'SAFE_DIRS="{self.put_folder}"\n'
        texts = {0: f"TM_MAD={driver}\n", 1: f"DS_MAD=fs\nTM_MAD={driver}\n{safe}", 2: safe}
        for datastore, text in texts.items():
            self.one("onedatastore", "update", str(datastore), "--append", "/dev/stdin", stdin=text)

    def image(self, template: str, datastore: int = 1) -> int:
        """A new image's id, once it is ready."""
        image = self.create("oneimage", "create", "-d", str(datastore), "/dev/stdin", stdin=template)
        self.wait_image(image)
        return image

    def wait_image(self, image: int, state: int = 1) -> None:
        """Return once an image has the state (1 is ready)."""
        wait(
            f"image {image} in state {state}",
            lambda: self.show("image", image).findtext("STATE") == str(state),
            said=lambda: f"{self.one('oneimage', 'show', str(image))}\n{self.tails()}",
        )

    def guest_images(self, guest: Guest, data: Path) -> tuple[int, int, int]:
        """Images of the kernel and the initramfs, in the file datastore, and of a data disk."""
        ids = []
        for name, kind, path in (
            ("kernel", "KERNEL", guest.kernel),
            ("initramfs", "RAMDISK", guest.initramfs),
        ):
            ids.append(self.image(f'NAME="{name}"\nTYPE="{kind}"\nPATH="{self.put(path)}"\n', 2))
        ids.append(self.image(f'NAME="data"\nTYPE="OS"\nPATH="{self.put(data)}"\nDEV_PREFIX="vd"\n'))
        return ids[0], ids[1], ids[2]

    def guest_network(self, net: Network, driver: str = "bridge") -> int:
        """The nodes' bridge as a virtual network that leases the guests' addresses; its id."""
        template = (
            f'NAME="guests"\nVN_MAD="{driver}"\nBRIDGE="{BRIDGE}"\nNETWORK_MASK="{net.mask}"\n'
            f'AR=[TYPE="IP4",IP="{net.guest_address(0)}",SIZE="100"]\n'
        )
        return self.create("onevnet", "create", "/dev/stdin", stdin=template)

    # -- machines ------------------------------------------------------------------------------------
    # An emulated timer on a busy machine may miss ticks, for which the kernel would stop (IO-APIC + timer).
    _KERNEL_CMD = "console=ttyS0 quiet no_timer_check"

    def guest_template(self, images: tuple[int, int, int], network: int, **more: str) -> str:
        """A template of a small guest with the data disk and an interface; ``more`` attributes."""
        kernel, initramfs, data = images
        texts = {
            "NAME": '"guest"', "CPU": '"0.1"', "VCPU": '"1"', "MEMORY": '"128"',
            "OS": f'[KERNEL_DS="$FILE[IMAGE_ID={kernel}]",INITRD_DS="$FILE[IMAGE_ID={initramfs}]",'
            f'KERNEL_CMD="{self._KERNEL_CMD}"]',
            "DISK": f'[IMAGE_ID="{data}"]', "NIC": f'[NETWORK_ID="{network}",MODEL="virtio"]',
            "GRAPHICS": '[TYPE="VNC",LISTEN="0.0.0.0"]', "CONTEXT": '[NETWORK="YES",SET_HOSTNAME="guest"]',
            **more,
        }  # fmt: skip
        return "".join(f"{name}={value}\n" for name, value in texts.items())

    def vm_state(self, vm: int) -> tuple[int, int]:
        """STATE and LCM_STATE."""
        found = self.show("vm", vm)
        return int(found.findtext("STATE") or -1), int(found.findtext("LCM_STATE") or -1)

    def wait_vm(
        self, vm: int, state: int = 3, lcm_state: int | None = None, deadline_s: float = DEADLINE_S
    ) -> None:
        """Return once a VM has the state, running by default. Raises Failed, for a failure state too."""
        wanted = (state, 3 if state == 3 and lcm_state is None else lcm_state)

        def there() -> bool:
            found = self.vm_state(vm)
            if wanted[1] not in FAILED and found[0] == 3 and found[1] in FAILED:
                raise Failed(f"vm {vm} is in failure state {found}, expected {wanted}\n{self.vm_log(vm)}")
            return found[0] == wanted[0] and wanted[1] in (None, found[1])

        wait(f"vm {vm} in state {wanted}", there, deadline_s,
             lambda: f"is {self.vm_state(vm)}\n{self.vm_log(vm)}\n{self.tails()}")  # fmt: skip

    def vm_log(self, vm: int) -> str:
        """What its log says, and its last error."""
        error = self.show("vm", vm).findtext("USER_TEMPLATE/ERROR") or ""
        return f"{self.log(f'{vm}.log')[-3000:]}\n{error}"

    def address(self, vm: int, nic: int = 0) -> str:
        """The leased address of an interface."""
        for card in self.show("vm", vm).findall("TEMPLATE/NIC"):
            if card.findtext("NIC_ID") == str(nic):
                return card.findtext("IP") or ""
        raise Failed(f"vm {vm} has no interface {nic}")

    def shell(self, vm: int, nic: int = 0) -> GuestShell:
        """The guest behind a VM."""
        return GuestShell(self.address(vm, nic))
