"""A guest boots on a real node: made from a template, pinged at its leased address, gone without a trace."""

from __future__ import annotations

from pathlib import Path

from tests.support.node.cloud import NodeCloud
from tests.support.node.day import assert_clean
from tests.support.node.nodes import Guest, Network, Node


def test_first_guest(cloud: NodeCloud, node: Node, net: Network, guest: Guest, data_image: Path) -> None:
    """From images to a ping, then terminate: no domain, file, interface or rule is left."""
    cloud.use_tm("ssh")
    cloud.add_host(node)
    images = cloud.guest_images(guest, data_image)
    network = cloud.guest_network(net)
    vm = cloud.create("onevm", "create", "/dev/stdin", stdin=cloud.guest_template(images, network))
    cloud.wait_vm(vm)
    shell = cloud.shell(vm)
    assert shell.address in {net.guest_address(n) for n in range(100)}
    shell.wait_ping(said=lambda: node.sh(f"virsh dumpxml one-{vm}"))
    assert shell.sh("hostname") == "guest"
    assert shell.sh("echo proof > /data/proof; cat /data/proof") == "proof"

    cloud.one("onevm", "terminate", str(vm))
    cloud.wait_vm(vm, 6)
    assert_clean(node, cloud.datastores_path)
