"""Deployment files before real libvirt: it takes every case; a guest with wishes boots and has a screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.consoles import log_in, program
from tests.support.deployment import CASES, deployment_text
from tests.support.node.cloud import NodeCloud
from tests.support.node.nodes import Guest, Network, Node

_REFUSED = {"hostile": "Invalid value for attribute 'cache'"}
_WISHES = {
    "FEATURES": '[IOTHREADS="1",HYPERV="yes",PAE="yes",APIC="yes",LOCALTIME="yes",VIRTIO_SCSI_QUEUES="2"]',
    "INPUT": '[TYPE="tablet",BUS="usb"]',
    "GRAPHICS": '[TYPE="VNC",LISTEN="0.0.0.0",RANDOM_PASSWD="YES",KEYMAP="de"]',
    "RAW": '[TYPE="kvm",DATA="<devices><watchdog model=\'i6300esb\'/></devices>"]',
}
# The domain on standard input is defined and forgotten; says nothing when libvirt takes it.
_TRY = """cat >/tmp/domain.xml
virsh -q define /tmp/domain.xml 2>&1 && virsh -q undefine one-7 2>&1 || true"""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_libvirt_takes_every_case(node: Node, case: Path) -> None:
    said = node.exec("sh", "-c", _TRY, stdin=deployment_text(case.read_text(), "qemu"))
    if case.stem in _REFUSED:
        assert _REFUSED[case.stem] in said
    else:
        assert said.strip() == ""


def test_a_guest_s_screen(cloud: NodeCloud, node: Node, net: Network, guest: Guest, data_image: Path) -> None:
    cloud.use_tm("ssh")
    cloud.add_host(node)
    images = cloud.guest_images(guest, data_image)
    disk = f'[IMAGE_ID="{images[2]}",TOTAL_IOPS_SEC="1000",WRITE_BYTES_SEC="9000000"]'
    template = cloud.guest_template(images, cloud.guest_network(net), DISK=disk, **_WISHES)
    vm = cloud.create("onevm", "create", "/dev/stdin", stdin=template)
    cloud.wait_vm(vm)
    cloud.shell(vm).wait_ping()
    running = node.sh(f"virsh dumpxml one-{vm}")
    limits = ("<total_iops_sec>1000", "<write_bytes_sec>9000000")
    for part in (*limits, "<vapic state='on'/>", "i6300esb", "queues='2'"):
        assert part in running
    with program(cloud) as proxy:
        said = cloud.one("onevm", "vnc", str(vm))
        path = re.search(r"WEBSOCKET: ws://[^/]+(\S+)", said)
        password = re.search(r"PASSWORD: +(\S+)", said)
        assert path and password, said
        assert log_in(proxy.port, path[1], password[1]) == 0
        assert log_in(proxy.port, path[1], "something else") == 1
    for log in (cloud.log("oned.log"), cloud.log("engine.log"), cloud.log(f"{vm}.log")):
        assert password[1] not in log
    cloud.one("onevm", "terminate", "--hard", str(vm))
    cloud.wait_vm(vm, 6)
