"""The agent on a real node: what a host shows, wilds and zombies, an import, foreign probes, onehost sync."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from tests.support.node.cloud import NodeCloud, wait
from tests.support.node.nodes import Node

_PERIODS_S = {"SYSTEM_HOST": 5, "MONITOR_HOST": 5, "MONITOR_VM": 5, "BEACON_HOST": 5, "SYNC_STATE_VM": 10}
_ACTIVE, _DONE, _POWEROFF = "3", "6", "8"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeCloud]:
    """A front-end whose agents report often."""
    made = NodeCloud(tmp_path_factory.mktemp("fe"))
    conf = made.folder / "etc/monitord.conf"
    text = conf.read_text()
    for name, seconds in _PERIODS_S.items():
        text, count = re.subn(rf"({name}\s*=\s*)\d+", rf"\g<1>{seconds}", text)
        assert count == 1, name
    conf.write_text(text)
    try:
        made.start()
        yield made
    finally:
        made.close()


def machine(node: Node, name: str) -> str:
    """A machine that libvirt runs without being asked by the front-end; its UUID."""
    node.exec(
        "sh", "-c", "cat >/tmp/machine.xml && virsh -q create /tmp/machine.xml",
        stdin=f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu><os>"
        "<type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>"
        "<graphics type='vnc' autoport='yes'/></devices></domain>",
    )  # fmt: skip
    return node.exec("virsh", "domuuid", name).strip()


def agents(node: Node) -> list[int]:
    """The processes of monitoring agents."""
    return [int(pid) for pid in node.sh("pgrep -f '[i]m_agent.py (start|resume)' || true").split()]


def shown(cloud: NodeCloud, host: int, path: str) -> str:
    """A text of the host's document, as far as it is there."""
    return cloud.show("host", host).findtext(path) or ""


def test_a_nodes_life(cloud: NodeCloud, node: Node) -> None:
    """One host through all of it; each step builds upon the one before."""
    wild_uuid = machine(node, "stray")
    machine(node, "one-987654")
    host = cloud.add_host(node)
    _capacity(cloud.show("host", host), node)
    _wild_is_imported(cloud, node, host, wild_uuid)
    _zombie(cloud, node, host)
    _sync(cloud, node, host)
    _one_agent(cloud, node, host)


def _capacity(document: ElementTree.Element, node: Node) -> None:
    found = {child.tag: child.text or "" for child in document.iterfind("TEMPLATE/*") if len(child) == 0}
    assert found["HYPERVISOR"] == "kvm" and found["VERSION"] == "6.0.0.3"
    assert found["HOSTNAME"] == node.name and found["ARCH"] == node.exec("uname", "-m").strip()
    assert "pc" in found["KVM_MACHINES"].split() and "qemu64" in found["KVM_CPU_MODELS"].split()
    cpus = int(node.exec("nproc"))
    assert document.findtext("HOST_SHARE/TOTAL_CPU") == str(cpus * 100)
    total_kb = re.search(r"MemTotal:\s+(\d+)", node.exec("cat", "/proc/meminfo"))
    assert total_kb and document.findtext("HOST_SHARE/TOTAL_MEM") == total_kb[1]
    assert len(document.findall("HOST_SHARE/NUMA_NODES/NODE/CORE")) >= 1
    assert int(document.findtext("HOST_SHARE/DATASTORES/MAX_DISK") or "0") > 0


def _wild_is_imported(cloud: NodeCloud, node: Node, host: int, uuid: str) -> None:
    """Until it is a VM that ends on the node, and is deleted."""

    def wilds() -> list[ElementTree.Element]:
        return cloud.show("host", host).findall("TEMPLATE/VM")

    found = wait("a wild machine", wilds)
    assert [(vm.findtext("VM_NAME"), vm.findtext("DEPLOY_ID")) for vm in found] == [("stray", uuid)]
    assert shown(cloud, host, "TEMPLATE/TOTAL_WILDS") == "1"
    assert "stray" in cloud.one("onehost", "show", str(host))
    vm = cloud.create("onehost", "importvm", str(host), "stray")
    wait("the import", lambda: cloud.show("vm", vm).findtext("STATE") == _ACTIVE)
    document = cloud.show("vm", vm)
    assert document.findtext("DEPLOY_ID") == uuid and document.findtext("NAME") == "stray"
    assert document.findtext("TEMPLATE/MEMORY") == "16"
    wait("no wild", lambda: not wilds(), said=lambda: cloud.one("onehost", "show", str(host)))
    wait(
        "figures of the machine",
        lambda: int(cloud.show("vm", vm).findtext("MONITORING/MEMORY") or "0") > 1000,
    )
    assert vm in [int(row.text or "") for row in cloud.show("host", host).iterfind("VMS/ID")]
    node.exec("virsh", "-q", "destroy", "stray")
    wait("its end is noticed", lambda: cloud.show("vm", vm).findtext("STATE") == _POWEROFF)
    assert re.search(r"MEMORY *: *[\d.]+M", cloud.one("onevm", "show", str(vm)).split("MONITORING")[1])
    assert cloud.one("onehost", "monitoring", str(host), "USED_MEMORY", "--table")
    cloud.one("onevm", "recover", str(vm), "--delete")
    wait("the VM's end", lambda: cloud.show("vm", vm).findtext("STATE") == _DONE, said=cloud.tails)


def _zombie(cloud: NodeCloud, node: Node, host: int) -> None:
    wait("a zombie", lambda: shown(cloud, host, "TEMPLATE/ZOMBIES") == "987654", said=cloud.tails)
    assert shown(cloud, host, "TEMPLATE/TOTAL_ZOMBIES") == "1"
    node.exec("virsh", "-q", "destroy", "one-987654")
    wait("no zombie", lambda: not shown(cloud, host, "TEMPLATE/TOTAL_ZOMBIES"))


def _sync(cloud: NodeCloud, node: Node, host: int) -> None:
    remotes = cloud.folder / "var/remotes"
    target = "/var/tmp/one"
    assert "No hosts are going to be updated." in cloud.one("onehost", "sync")
    probe = remotes / "im/kvm-probes.d/host/system/rack.sh"
    for folder in ("kvm", "qemu"):
        probe = remotes / f"im/{folder}-probes.d/host/system/rack.sh"
        probe.write_text('#!/bin/sh\necho "RACK=\\"$3 $(wc -c | tr -d " ")\\""\n')
        probe.chmod(0o755)
    (remotes / "VERSION").write_text("6.0.0.4\n")
    for options in ([], ["--ssh", "--force"], [str(host), "--force"]):
        node.sh(f"touch {target}/left-over")
        said = cloud.one("onehost", "sync", *options)
        assert f"* Adding {node.address} to upgrade" in said and "All hosts updated successfully." in said
        assert node.exec("cat", f"{target}/VERSION").strip() == "6.0.0.4"
        assert (
            node.ssh(f"test ! -e {target}/left-over && test -x {target}/im/run_monitord_client").returncode
            == 0
        )
        assert shown(cloud, host, "TEMPLATE/VERSION") == "6.0.0.4"
    wait("the foreign probe", lambda: shown(cloud, host, "TEMPLATE/RACK").startswith(f"{node.address} "))
    assert shown(cloud, host, "TEMPLATE/VERSION") == "6.0.0.4"


def _one_agent(cloud: NodeCloud, node: Node, host: int) -> None:
    """Monitoring again leaves one agent; a host that is offline has none, and goes on when it is enabled."""
    cloud.one("onehost", "forceupdate", str(host))
    wait("one agent", lambda: len(agents(node)) == 1)
    cloud.one("onehost", "offline", str(host))
    wait("no agent", lambda: not agents(node), said=cloud.tails)
    cloud.one("onehost", "enable", str(host))
    cloud.wait_host(host, 2)
    wait("an agent", lambda: len(agents(node)) == 1)
    cloud.one("onehost", "delete", str(host))
    wait("no agent of a deleted host", lambda: not agents(node), said=cloud.tails)
