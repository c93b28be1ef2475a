"""Node containers on a network of their own.

    with nodes.network(engine) as net, nodes.start(net, key, datastores) as node:
        node.ssh("virsh list")

A node has two interfaces: eth0, its own address, over which the front-end comes; eth1 is in the bridge
``br0``, without an address. Addresses from ``net.guest_address(n)`` belong to nobody else: by them guests on
any node, and the test, reach each other.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from onebox_cli.node.packages import PACKAGES
from tests.support.containers import ROOT, Engine, EngineError, one_build

IMAGE = "onebox-node:test"
BRIDGE = "br0"
_LABEL = "io.onebox.node-context"
_SOURCE = Path(__file__).parent / "image"
_OPTIONS = (
    "--init", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_ADMIN", "--device", "/dev/net/tun",
    "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
    "--sysctl", "net.bridge.bridge-nf-call-iptables=1", "--sysctl", "net.bridge.bridge-nf-call-ip6tables=1",
)  # fmt: skip


def build(engine: Engine) -> str:
    """The image of a machine that has a node's packages; made once for a state of its sources."""
    with one_build():
        return _build(engine)


def _build(engine: Engine) -> str:
    digest = hashlib.sha256(" ".join(PACKAGES).encode())
    for file in sorted(_SOURCE.iterdir()):
        digest.update(file.read_bytes())
    found = engine.try_call("image", "inspect", "--format", f'{{{{index .Config.Labels "{_LABEL}"}}}}', IMAGE)
    if found.returncode == 0 and found.stdout.strip() == digest.hexdigest():
        return IMAGE
    base = subprocess.run(
        [ROOT / "image/base/build.sh"], text=True, capture_output=True, check=True, stdin=subprocess.DEVNULL
    ).stdout.splitlines()[-1]
    result = subprocess.run(
        ["docker", "build", "--tag", IMAGE, "--label", f"{_LABEL}={digest.hexdigest()}",
         "--build-arg", f"BASE_IMAGE={base}", "--build-arg", f"PACKAGES={' '.join(PACKAGES)}",
         "--build-arg", "http_proxy", "--build-arg", "https_proxy",
         "--file", str(_SOURCE / "Containerfile"), str(_SOURCE)],
        env={**os.environ, "DOCKER_BUILDKIT": "0"}, text=True, capture_output=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if result.returncode:
        raise EngineError(f"the node image cannot be built: {(result.stdout + result.stderr)[-3000:]}")
    return IMAGE


def hypervisor(engine: Engine, image: str) -> str:
    """kvm where the guest boots with it, else qemu: that there is a /dev/kvm proves nothing."""
    if not Path("/dev/kvm").exists():
        return "qemu"
    line = (
        "timeout 15 qemu-system-x86_64 -accel kvm -m 128 -kernel /guest/kernel -initrd /guest/initramfs "
        "-append 'console=ttyS0 quiet' -display none -monitor none -serial stdio -no-reboot </dev/null "
        "| grep -q -m 1 'guest: READY'"
    )
    found = engine.try_call("run", "--rm", "--device", "/dev/kvm", image, "sh", "-c", line)
    return "kvm" if found.returncode == 0 else "qemu"


@dataclass(frozen=True)
class Guest:
    """A kernel and an initramfs that together are a whole guest (see README)."""

    kernel: Path
    initramfs: Path


def guest(engine: Engine, image: str, folder: Path) -> Guest:
    """The guest's files, copied out of the node image."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"onebox-guest-{secrets.token_hex(4)}"
    engine.call("create", "--name", name, image, "true")
    try:
        for file in ("kernel", "initramfs"):
            engine.call("cp", f"{name}:/guest/{file}", str(folder / file))
    finally:
        engine.try_call("rm", "-f", name)
    return Guest(folder / "kernel", folder / "initramfs")


@dataclass(frozen=True)
class Network:
    """Two container networks: ``control`` for nodes and front-ends, ``guests`` joins the nodes' bridges."""

    engine: Engine
    control: str
    guests: str
    range: ipaddress.IPv4Network

    def guest_address(self, number: int) -> str:
        """An address for a guest, 0 ≤ number < 100."""
        return str(self.range.network_address + 100 + number)

    @property
    def mask(self) -> str:
        """The network's mask."""
        return str(self.range.netmask)

    @property
    def gateway(self) -> str:
        """This machine's own address in the guests' network."""
        return str(self.range.network_address + 1)


@contextmanager
def network(engine: Engine) -> Iterator[Network]:
    """New networks, removed at the end."""
    mark = secrets.token_hex(4)
    names = [f"onebox-node-{mark}-control", f"onebox-node-{mark}-guests"]
    made: list[str] = []
    try:
        for name in names:
            engine.call("network", "create", name)
            made.append(name)
        # Once more, with the range that the engine found free: only then may a node that comes back
        # (``mend``) ask for its address.
        range_ = _range(engine, names[0])
        engine.call("network", "rm", names[0])
        engine.call("network", "create", "--subnet", str(range_), names[0])
        range_ = next(_range(engine, names[1]).subnets(new_prefix=24))
        yield Network(engine, names[0], names[1], range_)
    finally:
        for name in made:
            engine.try_call("network", "rm", name)


def _range(engine: Engine, network: str) -> ipaddress.IPv4Network:
    found = engine.call("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", network)
    return ipaddress.IPv4Network(found.strip())


class Node:
    """A machine that ``./onebox node`` prepared."""

    def __init__(self, net: Network, name: str, key: Path, hypervisor: str = "qemu") -> None:
        self.net, self.name, self.key, self.hypervisor = net, name, key, hypervisor
        self.engine = net.engine

    # -- looking -------------------------------------------------------------------------------------
    @property
    def address(self) -> str:
        """Where it answers; also its name as a host of a front-end that is not in a container."""
        template = f'{{{{(index .NetworkSettings.Networks "{self.net.control}").IPAddress}}}}'
        return self.engine.call("container", "inspect", "--format", template, self.name).strip()

    def exec(self, *command: str, stdin: str | None = None) -> str:
        """Standard output of a command as root that must succeed."""
        interactive = ["-i"] if stdin is not None else []
        return self.engine.call("exec", *interactive, self.name, *command, stdin=stdin)

    def sh(self, line: str) -> str:
        """The same for a shell line."""
        return self.exec("sh", "-c", line)

    def ssh(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a shell line over ssh as oneadmin, as the front-end does."""
        return subprocess.run(
            ["ssh", "-F", "none", "-i", str(self.key), "-o", "BatchMode=yes",
             "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
             f"oneadmin@{self.address}", line],
            text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip

    def domains(self) -> list[str]:
        """Every machine that libvirt knows, running or not."""
        return self.exec("virsh", "-q", "list", "--all", "--name").split()

    def files(self, folder: Path | str) -> list[str]:
        """Everything below a folder."""
        return sorted(self.sh(f"find '{folder}' -mindepth 1 -printf '%P\\n'").splitlines())

    def taps(self) -> list[str]:
        """Interfaces of machines."""
        return self.sh("ls /sys/class/net | grep -E '^(one-|vnet|tap)' || true").split()

    def rules(self) -> list[str]:
        """Packet filter rules and sets that mention a machine."""
        found = self.sh("iptables-save; ip6tables-save; nft list ruleset 2>/dev/null; ipset list -name")
        return [line for line in found.splitlines() if "one-" in line]

    # -- acting --------------------------------------------------------------------------------------
    def prepare(self, *words: str) -> str:
        """Run ``./onebox node`` on it; its output, whatever its exit code."""
        result = self.engine.try_call("exec", self.name, "python3", "-B", "/onebox/onebox", "node", *words)
        return result.stdout + result.stderr

    def stop_process(self, name: str, signal: str = "KILL") -> None:
        """Kill every process of that name inside."""
        self.exec("pkill", f"-{signal}", "-x", name)

    def cut(self) -> None:
        """Take its control network away, as a broken cable would."""
        self.engine.call("network", "disconnect", self.net.control, self.name)

    def mend(self, address: str) -> None:
        """Give it back."""
        self.engine.call("network", "connect", "--ip", address, self.net.control, self.name)

    def remove(self) -> None:
        """Remove it, running or not."""
        self.engine.try_call("rm", "-f", "-v", self.name)


@contextmanager
def machine(
    net: Network, image: str, key: Path, options: Sequence[str] = (), hypervisor: str = "qemu"
) -> Iterator[Node]:
    """A Debian machine with a node's packages that nothing was done to; removed at the end.

    hypervisor: what ``hypervisor()`` found; with kvm it may use this machine's.
    """
    name = f"onebox-node-{secrets.token_hex(4)}"
    node = Node(net, name, key, hypervisor)
    device = ("--device", "/dev/kvm") if hypervisor == "kvm" else ()
    try:
        net.engine.call(
            "run", "-d", "--name", name, "--hostname", name, "--network", net.control, *_OPTIONS, *device,
            *options, "-v", f"{ROOT}:/onebox:ro", image, "sleep", "infinity",
        )  # fmt: skip
        net.engine.call("network", "connect", net.guests, name)
        # It is a port of the bridge: a machine's address would answer beside the guests'.
        node.sh("ip address flush dev eth1")
        if device:
            node.sh("chgrp kvm /dev/kvm && chmod 660 /dev/kvm")
        yield node
    finally:
        node.remove()


@contextmanager
def start(
    net: Network,
    image: str,
    key: Path,
    datastores: Path | str = "/var/lib/one/datastores",
    options: Sequence[str] = (),
    hypervisor: str = "qemu",
) -> Iterator[Node]:
    """A new node that lets ``key`` (a private key's file with .pub beside it) in; removed at the end."""
    with machine(net, image, key, options, hypervisor) as node:
        public = key.with_name(f"{key.name}.pub").read_text().strip()
        words = ("--key", public, "--datastores", str(datastores), "--bridge", f"{BRIDGE}:eth1")
        said = node.prepare(*words)
        if "This machine is a node." not in said:
            raise EngineError(f"onebox node on {node.name}: {said[-3000:]}")
        _wait_ssh(node)
        yield node


def _wait_ssh(node: Node, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while (result := node.ssh("virsh -c qemu:///system uri")).returncode:
        if time.monotonic() > deadline:
            raise EngineError(f"{node.name} is no node after {timeout_s:g} s: {result.stderr.strip()}")
        time.sleep(0.2)


def new_key(folder: Path) -> Path:
    """A fresh key pair's private file."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "id_rsa"
    program = shutil.which("ssh-keygen") or "ssh-keygen"
    subprocess.run(
        [program, "-q", "-t", "rsa", "-N", "", "-f", str(key)], check=True, stdin=subprocess.DEVNULL
    )
    return key


def data_disk(file: Path, size_mb: int = 16) -> Path:
    """A qcow2 disk with an empty ext4 file system, which the guest mounts."""
    raw = file.with_suffix(".ext4")
    with raw.open("wb") as opened:
        os.truncate(opened.fileno(), size_mb << 20)
    made = (["mkfs.ext4", "-q", "-F", str(raw)],
            ["qemu-img", "convert", "-O", "qcow2", str(raw), str(file)])  # fmt: skip
    for command in made:
        subprocess.run(command, check=True, capture_output=True)
    raw.unlink()
    return file
