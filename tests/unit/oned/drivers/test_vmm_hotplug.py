"""Plans on machines that run: devices, snapshots, sizes, configuration; exact arguments and undoing."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from services.common import xmldoc
from services.oned.drivers import vmm_hotplug
from services.oned.drivers.step import PlanError
from services.oned.drivers.vmm_data import _ARGUMENT_MAX
from services.oned.drivers.vmm_plan import Builder
from tests.unit.oned.drivers.conftest import Make, lines

DISK = 'DISK=[DISK_ID="2",TM_MAD="qcow2",SOURCE="/x",CLONE="{}",SAVE="{}",DATASTORE_ID="1",TARGET="sdc",{}]'
ATTACHED = DISK.format("YES", "NO", 'ATTACH="YES"')
NIC = 'NIC=[NIC_ID="0",VN_MAD="fw",MAC="02:00",BRIDGE="br0",TARGET="one-7-0",ATTACH="YES"{}]'
ALIAS = (
    'NIC=[NIC_ID="0",VN_MAD="fw",MAC="02:00",BRIDGE="br0",TARGET="one-7-0"]'
    'NIC_ALIAS=[NIC_ID="1",PARENT_ID="0",ALIAS_ID="0",VN_MAD="{}",MAC="02:01",BRIDGE="br0",TARGET="one-7-1",'
    'ATTACH="YES"{}]'
)
CONTEXT = 'CONTEXT=[DISK_ID="4",TARGET="hda",NETWORK="YES",ETH0_IP="1",ETH0_ALIAS0_IP="2",ETH1_IP="3"]'


def told(location: Path) -> list[str]:
    return [
        "vmm/lxc/prereconfigure one-7 hda 7 node1",
        f"tm/ssh/context {location}/var/vms/7/context.sh node1:/ds/104/7/disk.4 7 104",
        "vmm/lxc/reconfigure one-7 hda /ds/104/7/disk.4 7 node1",
    ]


def test_attach_disk(context: Make) -> None:
    clone, plug = vmm_hotplug.attach_disk(context("lxc", ATTACHED))
    assert lines([clone]) == ["tm/qcow2/clone fe:/x node1:/ds/104/7/disk.2 7 1"]
    assert plug.name == "vmm/lxc/attach_disk"
    *args, data, vm_id, host = (str(arg) for arg in plug.args)
    assert (args, vm_id, host) == (["one-7", "/ds/104/7/disk.2", "sdc", "2"], "7", "node1")
    message = xmldoc.parse(base64.b64decode(data), "argument")
    assert base64.b64decode(data).decode() == plug.stdin
    assert message.findtext("TM_COMMAND") == "CLONE qcow2 fe:/x node1:/ds/104/7/disk.2 7 1\n"
    assert message.findtext("TM_COMMAND_ROLLBACK") == "DELETE qcow2 node1:/ds/104/7/disk.2 7 1\n"
    assert message.findtext("DISK_TARGET_PATH") == "/ds/104/7/disk.2"
    assert lines(plug.undo) == ["tm/qcow2/delete node1:/ds/104/7/disk.2 7 1"]
    assert lines(clone.redo) == [
        "vmm/lxc/detach_disk one-7 /ds/104/7/disk.2 sdc 2 7 node1",
        "tm/qcow2/delete node1:/ds/104/7/disk.2 7 1",
    ]


def test_an_attached_disk_that_is_saved_is_saved_when_it_fails(context: Make) -> None:
    link, plug = vmm_hotplug.attach_disk(context("lxc", DISK.format("NO", "YES", 'ATTACH="YES"')))
    assert lines([link]) == ["tm/qcow2/ln fe:/x node1:/ds/104/7/disk.2 7 1"]
    assert lines(plug.undo) == ["tm/qcow2/mvds node1:/ds/104/7/disk.2 /x 7 1"]


def test_an_argument_may_not_be_too_long_for_a_process(context: Make) -> None:
    made = context("lxc", ATTACHED)
    made.vm.user_template.set("NOTE", "x" * 200_000)
    plug = vmm_hotplug.attach_disk(made)[1]
    argument = str(plug.args[4])
    assert len(argument) < 128 * 1024 and len(base64.b64decode(argument)) < _ARGUMENT_MAX
    message = xmldoc.parse(base64.b64decode(argument), "argument")
    assert message.findtext("VM/TEMPLATE/DISK/TARGET") == "sdc"
    assert message.findtext("DATASTORE/ID") == "104"
    assert len(plug.stdin) > 200_000


def test_detach_disk(context: Make) -> None:
    assert lines(vmm_hotplug.detach_disk(context("lxc", ATTACHED))) == [
        "vmm/lxc/detach_disk one-7 /ds/104/7/disk.2 sdc 2 7 node1",
        "tm/qcow2/delete node1:/ds/104/7/disk.2 7 1",
    ]
    saved = DISK.format("NO", "YES", 'ATTACH="YES",LN_TARGET="NONE"')
    assert lines(vmm_hotplug.detach_disk(context("lxc", saved)))[1:] == [
        "tm/qcow2/mvds node1:/ds/104/7/disk.2 /x 7 1"
    ]


@pytest.mark.parametrize(
    ("build", "disk", "says"),
    [
        (
            vmm_hotplug.attach_disk,
            ATTACHED.replace('TARGET="sdc"', 'BUS="x"'),
            "disk 2 of vm 7 has no TARGET",
        ),
        (vmm_hotplug.attach_disk, 'DISK=[DISK_ID="1",TYPE="fs",ATTACH="YES"]', "disk 1 of vm 7 lacks SIZE"),
        (vmm_hotplug.attach_disk, 'CPU="1"', "vm 7 has no disk with ATTACH=YES"),
        (vmm_hotplug.attach_nic, 'CPU="1"', "vm 7 has no interface with ATTACH=YES"),
        (vmm_hotplug.attach_nic, NIC.format("").replace("BRIDGE", "B"), "interface 0 of vm 7 lacks BRIDGE"),
        (
            vmm_hotplug.attach_nic,
            NIC.format("").replace("one-7-0", "one-8-0"),
            "NIC 0 is 'one-8-0'",
        ),
        (
            vmm_hotplug.attach_nic,
            NIC.format("").replace('"fw"', '"../../x"'),
            "'../../x', expected",
        ),
        (vmm_hotplug.detach_nic, NIC.format("").replace("MAC", "M"), "interface 0 of vm 7 has no MAC"),
        (vmm_hotplug.snapshot_revert, 'SNAPSHOT=[SNAPSHOT_ID="1",ACTIVE="YES"]', "has no HYPERVISOR_ID"),
        (vmm_hotplug.snapshot_create, 'SNAPSHOT=[SNAPSHOT_ID="1"]', "no snapshot with ACTIVE=YES"),
    ],
)
def test_what_is_missing_is_named(context: Make, build: Builder, disk: str, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        build(context("lxc", disk))


def test_resize_disk(context: Make) -> None:
    grow, tell = vmm_hotplug.resize_disk(context("lxc", DISK.format("YES", "NO", 'RESIZE="YES",SIZE="900"')))
    assert lines([grow]) == ["tm/qcow2/resize node1:/ds/104/7/disk.2 900 7 1"]
    args = [str(arg) for arg in tell.args]
    assert [*args[:3], *args[4:]] == ["one-7", "2", "900", "node1", "7", "node1"]
    assert base64.b64decode(args[3]).decode() == tell.stdin


def test_live_disk_snapshots(context: Make, location: Path) -> None:
    disk = DISK.format("YES", "NO", 'DISK_SNAPSHOT_ACTIVE="YES",DISK_SNAPSHOT_ID="3",TM_MAD_SYSTEM="ssh"')
    (step,) = vmm_hotplug.disk_snapshot_create(context("kvm", disk))
    assert lines([step]) == ["tm/qcow2/snap_create_live node1:/ds/104/7/disk.2 3 7 1"]
    assert step.variant == "snap_create_live.ssh"
    assert step.probe is not None and lines([step.probe.step]) == ["tm/transit/snapped /ds/104/7/disk.2 3"]
    with pytest.raises(PlanError, match=r"lxc-qcow2 is not among the drivers that can \(kvm-ceph, kvm-qcow2"):
        vmm_hotplug.disk_snapshot_create(context("lxc", disk))
    assert vmm_hotplug.disk_snapshot_create(context("dummy", disk))[0].driver == "dummy"


def test_attach_nic(context: Make, location: Path) -> None:
    steps = vmm_hotplug.attach_nic(context("lxc", NIC.format(',MODEL="virtio"') + CONTEXT))
    assert lines(steps) == [
        "vnm/fw/pre",
        "vmm/lxc/attach_nic one-7 02:00 br0 virtio fw one-7-0 7 node1",
        "vnm/fw/post one-7 node1",
        *told(location),
    ]
    unplug = ["vmm/lxc/detach_nic one-7 02:00 7 node1"]
    assert lines(steps[1].redo) == unplug
    # What fails leaves nothing on the node, neither rules nor a card whose address is given to others.
    clean = ["vnm/fw/clean node1"]
    assert [lines(step.undo) for step in steps[:2]] == [clean, clean]
    assert {tuple(lines(step.undo)[-2:]) for step in steps[2:]} == {(*unplug, *clean)}
    assert "ETH0_IP='1'" in steps[4].files[0].text


def test_attach_nic_without_model_or_context(context: Make) -> None:
    assert lines(vmm_hotplug.attach_nic(context("lxc", NIC.format("")))) == [
        "vnm/fw/pre",
        "vmm/lxc/attach_nic one-7 02:00 br0 - fw one-7-0 7 node1",
        "vnm/fw/post one-7 node1",
    ]


def test_aliases(context: Make, location: Path) -> None:
    inside = ALIAS.format("bridge", "") + CONTEXT
    attached = vmm_hotplug.attach_nic(context("lxc", inside))
    assert lines(attached) == told(location)
    # A guest whose context disk cannot be made keeps the one that it has.
    assert [lines(step.undo) for step in attached] == [[], told(location)[2:], []]
    assert lines(vmm_hotplug.detach_nic(context("lxc", inside))) == told(location)
    # Filters of addresses have to know those that come and go.
    filtered = ALIAS.format("fw", "").replace('VN_MAD="fw"', 'VN_MAD="vxlan"', 1) + CONTEXT
    attached = vmm_hotplug.attach_nic(context("lxc", filtered))
    assert lines(attached) == ["vnm/fw/post one-7 node1", *told(location)]
    assert {lines(step.undo)[-1] for step in attached} == {"vnm/fw/clean node1"}
    assert lines(vmm_hotplug.detach_nic(context("lxc", filtered))) == ["vnm/fw/clean node1", *told(location)]
    for outside in (ALIAS.format("elastic", ""), ALIAS.format("fw", ',EXTERNAL="YES"')):
        attach = lines(vmm_hotplug.attach_nic(context("lxc", outside)))
        assert {line.split()[0].rpartition("/")[2] for line in attach} == {"pre", "post"}
        detach = lines(vmm_hotplug.detach_nic(context("lxc", outside)))
        assert {line.split()[0].rpartition("/")[2] for line in detach} == {"clean"}


def test_detach_nic(context: Make, location: Path) -> None:
    alias = 'NIC_ALIAS=[NIC_ID="5",PARENT_ID="0",ALIAS_ID="0",VN_MAD="fw"]'
    steps = vmm_hotplug.detach_nic(context("lxc", NIC.format("") + alias + CONTEXT))
    assert lines(steps) == [
        "vmm/lxc/detach_nic one-7 02:00 7 node1",
        "vnm/fw/clean node1",
        *told(location),
    ]
    # The guest does not hear of what is about to go any more.
    text = steps[3].files[0].text
    assert "ETH1_IP='3'" in text and "ETH0" not in text


def test_elastic_addresses_are_settled_on_the_front_end(context: Make) -> None:
    made = vmm_hotplug.attach_nic(context("lxc", NIC.format("").replace('"fw"', '"elastic"')))
    assert {step.name: step.host for step in made} == {
        "vnm/elastic/pre": "node1",
        "vmm/lxc/attach_nic": "node1",
        "vnm/elastic/post": "",
    }


def test_update_conf_and_rules(context: Make, location: Path) -> None:
    assert lines(vmm_hotplug.update_conf(context("lxc", CONTEXT))) == told(location)
    assert vmm_hotplug.update_conf(context("lxc", 'CPU="1"')) == []
    nics = NIC.format("") + 'NIC=[NIC_ID="3",VN_MAD="vxlan"]'
    assert lines(vmm_hotplug.update_sg(context("lxc", nics))) == [
        "vnm/fw/update_sg one-7",
        "vnm/vxlan/update_sg one-7",
    ]


def test_capacity_and_snapshots(context: Make) -> None:
    assert lines(vmm_hotplug.resize(context("lxc"))) == ["vmm/lxc/resize one-7 7 node1"]
    snapshot = 'SNAPSHOT=[SNAPSHOT_ID="0"] SNAPSHOT=[SNAPSHOT_ID="4",HYPERVISOR_ID="snap-4",ACTIVE="YES"]'
    (create,) = vmm_hotplug.snapshot_create(context("lxc", snapshot))
    assert lines([create]) == ["vmm/lxc/snapshot_create one-7 4 7 node1"]
    assert create.gives_output
    assert lines(create.redo) == ["vmm/lxc/snapshot_delete one-7 snap-4 7 node1"]
    assert lines(vmm_hotplug.snapshot_revert(context("lxc", snapshot))) == [
        "vmm/lxc/snapshot_revert one-7 snap-4 7 node1"
    ]
    assert lines(vmm_hotplug.snapshot_delete(context("lxc", snapshot))) == [
        "vmm/lxc/snapshot_delete one-7 snap-4 7 node1"
    ]
