"""A real guest with security groups on a prepared node: what it may, a change while it runs, what is left."""

from __future__ import annotations

from pathlib import Path

from tests.support.node.cloud import NodeCloud, wait
from tests.support.node.nodes import Guest, Network, Node

WEB = 'RULE=[PROTOCOL="TCP",RULE_TYPE="inbound",RANGE="80"]\n'
PING = 'RULE=[PROTOCOL="ICMP",RULE_TYPE="inbound",ICMP_TYPE="8"]\n'
OUT = 'RULE=[PROTOCOL="ALL",RULE_TYPE="outbound"]\n'


def test_guest_with_security_groups(
    cloud: NodeCloud, node: Node, net: Network, guest: Guest, data_image: Path
) -> None:
    """Its port answers and ping does not, until its group says otherwise; false addresses leave it never."""
    cloud.use_tm("ssh")
    cloud.add_host(node)
    group = cloud.create("onesecgroup", "create", "/dev/stdin", stdin='NAME="web"\n' + WEB + OUT)
    network = cloud.guest_network(net, "fw")
    more = f'SECURITY_GROUPS="{group}"\nFILTER_IP_SPOOFING="YES"\nFILTER_MAC_SPOOFING="YES"\n'
    cloud.one("onevnet", "update", str(network), "--append", "/dev/stdin", stdin=more)
    images = cloud.guest_images(guest, data_image)
    vm = cloud.create("onevm", "create", "/dev/stdin", stdin=cloud.guest_template(images, network))
    cloud.wait_vm(vm)
    shell = cloud.shell(vm)
    assert shell.sh("hostname", timeout_s=120) == "guest"
    assert not shell.pings()
    assert shell.sh(f"ping -c 1 -W 20 {net.gateway} >/dev/null && echo yes") == "yes"

    false = net.guest_address(99)
    shell.sh(f"ip address add {false}/32 dev eth0")
    assert shell.sh(f"ping -c 1 -W 2 -I {false} {net.gateway} >/dev/null || echo no") == "no"
    assert shell.sh(f"ping -c 1 -W 20 {net.gateway} >/dev/null && echo yes") == "yes"

    cloud.one("onesecgroup", "update", str(group), "/dev/stdin", stdin=WEB + PING + OUT)
    wait("the group's new rules", shell.pings, said=lambda: cloud.one("onesecgroup", "show", str(group)))
    wait(
        "the VM among those that have them",
        lambda: str(vm) in [each.text for each in cloud.show("secgroup", group).iterfind("UPDATED_VMS/ID")],
    )
    assert shell.sh("hostname") == "guest"

    # A name of the user's own choice is looked up in the machine that runs.
    nic = f'NIC=[NETWORK_ID="{network}",TARGET="mine0"]\n'
    cloud.one("onevm", "nic-attach", str(vm), "--file", "/dev/stdin", stdin=nic)
    cloud.wait_vm(vm)
    assert any("--physdev-in mine0 " in rule for rule in node.rules())
    cloud.one("onevm", "nic-detach", str(vm), "1")
    cloud.wait_vm(vm)
    assert not any("mine0" in rule for rule in node.rules())
    assert any(f"one-{vm}-0" in rule for rule in node.rules())
    cloud.one("onevm", "terminate", "--hard", str(vm))
    cloud.wait_vm(vm, 6)
    assert (node.domains(), node.taps(), node.rules()) == ([], [], [])
