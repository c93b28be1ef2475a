"""``./onebox node`` on a Debian machine without systemd: what it says, what it does, and only once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node import nodes
from tests.support.node.nodes import Network, Node

_ITEMS = re.compile(r"^  (ok|TODO)\s+(\S.{15})", re.MULTILINE)
# Everything that the command may touch; times of files tell whether it wrote.
_STATE = (
    "find /etc /var/lib/one /var/tmp/one -type f ! -path '*/nwfilter/*' "
    "-printf '%p %T@ %m %u\\n' 2>/dev/null | sort; ls /sys/class/net; "
    "pgrep -x sshd; pgrep -x virtlogd; pgrep -x libvirtd; true"
)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A front-end's key."""
    return nodes.new_key(tmp_path_factory.mktemp("key"))


@pytest.fixture
def bare(net: Network, node_image: str, key: Path) -> Iterator[Node]:
    """A Debian machine with the packages, and nothing else."""
    with nodes.machine(net, node_image, key) as made:
        yield made


def _todo(said: str) -> set[str]:
    return {name.strip() for word, name in _ITEMS.findall(said) if word == "TODO"}


def test_check_names_every_item_and_changes_nothing(bare: Node) -> None:
    """A machine that is no node yet is told so, line by line, and left alone."""
    before = bare.sh(_STATE)
    said = bare.prepare("--check", "--bridge", "br0:eth1")
    assert _todo(said) == {
        "user", "home", "ssh folder", "keys", "ssh client", "datastores", "driver actions", "sudo",
        "host keys", "ssh server", "qemu", "libvirt", "sshd", "virtlogd", "libvirtd", "bridge filter",
        "bridge br0",
    }, said  # fmt: skip
    assert "oneadmin, number 9869" in said
    assert bare.sh(_STATE) == before


def test_a_second_run_changes_nothing(bare: Node, key: Path) -> None:
    """The first makes it a node; the second and the check find nothing to do, and no file is written."""
    public = key.with_name("id_rsa.pub").read_text().strip()
    words = ("--key", public, "--bridge", "br0:eth1", "--datastores", "/srv/cloud/datastores")
    assert "This machine is a node." in bare.prepare(*words)
    before = bare.sh(_STATE)
    for more in ((), ("--check",)):
        said = bare.prepare(*words, *more)
        assert _todo(said) == set() and "(changed)" not in said and "This machine is a node." in said
    assert bare.sh(_STATE) == before
    assert bare.sh("stat -c %U /srv/cloud/datastores").strip() == "oneadmin"
    assert "eth1" in bare.sh("ls /sys/class/net/br0/brif")
    assert bare.ssh("virsh -c qemu:///system uri && test $(id -u) = 9869").returncode == 0


def test_what_was_spoilt_is_found_and_put_right(bare: Node, key: Path) -> None:
    """Settings of others stay; ours come back, and the services take them up."""
    public = key.with_name("id_rsa.pub").read_text().strip()
    bare.sh("echo 'max_processes = 77' >> /etc/libvirt/qemu.conf")
    bare.prepare("--key", public, "--bridge", "br0")
    bare.sh("sed -i 's/^dynamic_ownership.*/dynamic_ownership = 1/' /etc/libvirt/qemu.conf; "
            "ip link set br0 down; chmod 644 /etc/sudoers.d/onebox-node; pkill -x libvirtd")  # fmt: skip
    said = bare.prepare("--check", "--bridge", "br0")
    assert {"qemu", "bridge br0", "sudo"} <= _todo(said)
    said = bare.prepare("--bridge", "br0")
    assert "This machine is a node." in said
    text = bare.sh("cat /etc/libvirt/qemu.conf")
    assert "max_processes = 77" in text and text.count("dynamic_ownership = 0") == 1
    assert "dynamic_ownership = 1" not in re.sub(r"(?m)^\s*#.*$", "", text)


@pytest.mark.parametrize(
    "line",
    [
        "sudo -n sh -c id",
        "sudo -n iptables -L --modprobe=/bin/id",
        "sudo -n ip netns exec x id",
        "sudo -n ip -batch /etc/shadow",
        "sudo -n nft -f /etc/shadow",
        "sudo -n cat /etc/shadow",
        "sudo -n iptables-restore /etc/shadow",
        "sudo -n ipset restore -exist",
        "sudo -n setpriv --reuid=0 ipset restore -exist",
    ],
)
def test_oneadmin_is_not_root(node_of_sudo: Node, line: str) -> None:
    """Nothing that would run or read what it is told as root."""
    done = node_of_sudo.ssh(line)
    assert done.returncode and "password is required" in done.stderr, (done.stdout, done.stderr)


def test_sets_are_restored_without_writing_files(node_of_sudo: Node) -> None:
    """A line of ipset's input may name a file: as root it would be any file of the node."""
    lowered = (
        "sudo -n setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all,+net_admin "
        "--ambient-caps=-all,+net_admin --bounding-set=-all,+net_admin /usr/sbin/ipset restore -exist"
    )
    lines = "create one-1-0-4n0a hash:net\\nadd one-1-0-4n0a 10.0.0.0/8\\n"
    assert node_of_sudo.ssh(f"printf '{lines}' | {lowered}").returncode == 0
    assert "one-1-0-4n0a" in node_of_sudo.ssh("sudo -n ipset list -name").stdout
    for file in ("/etc/ld.so.preload", "/var/lib/one/x", "/etc/sudoers.d/onebox-node"):
        done = node_of_sudo.ssh(f"echo 'save -file {file}' | {lowered}")
        assert done.returncode and "Permission denied" in done.stderr, (done.stdout, done.stderr)
    assert node_of_sudo.ssh(f"echo destroy one-1-0-4n0a | {lowered}").returncode == 0


@pytest.fixture(scope="module")
def node_of_sudo(net: Network, node_image: str, key: Path) -> Iterator[Node]:
    """A prepared node."""
    with nodes.start(net, node_image, key) as made:
        assert made.ssh("sudo -n iptables-save -t filter").returncode == 0
        yield made


def test_others_are_refused_in_one_line(bare: Node) -> None:
    """Another distribution, another user, an interface with an address, a key that is none."""
    bare.sh("useradd somebody; sed 's/^ID=.*/ID=fedora/; s/^PRETTY_NAME=.*/PRETTY_NAME=\"Fedora 40\"/' "
            "/etc/os-release > /tmp/other")  # fmt: skip
    said = bare.engine.try_call(
        "exec", "-u", "somebody", bare.name, "python3", "-B", "/onebox/onebox", "node"
    )
    assert said.returncode == 1 and "run it as root" in said.stderr and len(said.stderr.splitlines()) == 1
    assert "eth0 has the address" in bare.prepare("--bridge", "br0:eth0")
    assert "eth0" not in bare.sh("ls /sys/class/net/br0/brif 2>/dev/null || true")
    refused = bare.prepare("--key", "-----BEGIN OPENSSH PRIVATE KEY-----")
    assert "failed: --key" in refused
    for words in (
        ("--datastores", "/x/../etc"),
        ("--datastores", "/"),
        ("--bridge", "br0;id"),
        ("--bridge", ""),
    ):
        assert "failed: " + words[0] in bare.prepare(*words), words
    bare.sh("cp --remove-destination /tmp/other /etc/os-release")
    assert "found Fedora 40" in bare.prepare("--check")
