"""What comes to a deployed VM and what it gives back: numbers, names, leases, groups, images."""

from __future__ import annotations

import pytest

from services.common import xmldoc
from services.oned.lifecycle import resources
from services.oned.model.image import Image
from services.oned.model.snapshots import Snapshots
from services.oned.model.vm import VM
from services.oned.store import Tx
from tests.support.cloud import Cloud
from tests.support.core import Core
from tests.support.vm_parts import ACTION, parts

CONTEXT = "CONTEXT=[NETWORK=YES]"


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def _vectors(cloud: Cloud, vm_id: int, kind: str) -> list[dict[str, str]]:
    return [parts(vector) for vector in cloud.document(vm_id).iterfind(f"TEMPLATE/{kind}")]


def _eth(cloud: Cloud, vm_id: int) -> set[str]:
    context = parts(cloud.document(vm_id).findall("TEMPLATE/CONTEXT")[0])
    return {name.removesuffix("_MAC") for name in context if name.endswith("_MAC")}


def _in_group(cloud: Cloud, group: int) -> list[str | None]:
    return [found.text for found in cloud.info("secgroup.info", group).iterfind("UPDATED_VMS/ID")]


# -- disks -------------------------------------------------------------------------------------------------
def test_the_number_and_the_name_of_a_new_disk(cloud: Cloud) -> None:
    image = cloud.images.ready("NAME=data SIZE=10 TYPE=DATABLOCK PERSISTENT=YES")
    vm_id = cloud.running("DISK=[TYPE=fs,SIZE=1]\nDISK=[TYPE=fs,SIZE=1,TARGET=sdc]\nCONTEXT=[A=b]")
    cloud.call("vm.attach", vm_id, f"DISK=[IMAGE_ID={image}]")
    cloud.end("vmm.ATTACH_DISK")
    new = _vectors(cloud, vm_id, "DISK")[-1]
    # The context disk is number 2.
    assert (new["DISK_ID"], new["TARGET"], new["IMAGE_ID"]) == ("3", "sdb", str(image))
    assert "sdb is already in use" in cloud.refused(
        ACTION, "vm.attach", vm_id, "DISK=[TYPE=fs,SIZE=1,TARGET=sdb]"
    )
    assert "already in use" in cloud.refused(ACTION, "vm.attach", vm_id, f"DISK=[IMAGE_ID={image}]")
    cloud.call("vm.attach", vm_id, "DISK=[TYPE=fs,SIZE=3,DEV_PREFIX=vd]")
    cloud.end("vmm.ATTACH_DISK")
    volatile = _vectors(cloud, vm_id, "DISK")[-1]
    assert (volatile["TARGET"], volatile["FORMAT"], volatile["DATASTORE_ID"]) == (
        "vda",
        "raw",
        str(cloud.system),
    )
    cloud.call("vm.detach", vm_id, 3)
    cloud.end("vmm.DETACH_DISK")
    assert cloud.images.text(image, "STATE") == "1"
    assert [disk["DISK_ID"] for disk in _vectors(cloud, vm_id, "DISK")] == ["0", "1", "4"]
    assert cloud.contradictions() == []


def test_images_of_other_clusters(cloud: Cloud) -> None:
    image = cloud.images.ready("NAME=data SIZE=10 TYPE=DATABLOCK")
    vm_id = cloud.running()
    cloud.call("cluster.allocate", "far")
    cloud.call("cluster.adddatastore", 100, cloud.images.store)
    cloud.call("cluster.deldatastore", 0, cloud.images.store)
    text = cloud.refused(ACTION, "vm.attach", vm_id, f"DISK=[IMAGE_ID={image}]")
    assert f"Image [{image}] is not part of cluster [0]" in text
    assert cloud.images.text(image, "RUNNING_VMS") == "0"


# -- interfaces --------------------------------------------------------------------------------------------
def test_aliases_come_and_go(cloud: Cloud) -> None:
    net = cloud.lan()
    vm_id = cloud.running(f"NIC=[NETWORK_ID={net}]\n{CONTEXT}\nNIC_DEFAULT=[MODEL=virtio]")

    def attach(text: str) -> dict[str, str]:
        cloud.call("vm.attachnic", vm_id, text)
        cloud.end("vmm.ATTACH_NIC")
        return _vectors(cloud, vm_id, text.partition("=")[0])[-1]

    nic = attach(f"NIC=[NETWORK_ID={net},NAME=NIC5]")
    assert (nic["NIC_ID"], nic["NAME"], nic["MODEL"]) == ("1", "_NIC5", "virtio")
    first = attach(f"NIC_ALIAS=[NETWORK_ID={net},PARENT=NIC0]")
    assert (first["NIC_ID"], first["NAME"], first["ALIAS_ID"], first["MODEL"]) == (
        "2",
        "NIC0_ALIAS2",
        "0",
        "virtio",
    )
    assert attach(f"NIC_ALIAS=[NETWORK_ID={net},PARENT=NIC0]")["ALIAS_ID"] == "1"
    # Another parent's first alias counts from 0 again.
    assert attach(f"NIC_ALIAS=[NETWORK_ID={net},PARENT=_NIC5]")["ALIAS_ID"] == "0"
    assert [nic.get("ALIAS_IDS") for nic in _vectors(cloud, vm_id, "NIC")] == ["2,3", "4"]
    assert _eth(cloud, vm_id) == {"ETH0", "ETH1", "ETH0_ALIAS0", "ETH0_ALIAS1", "ETH1_ALIAS0"}
    assert "not found for alias" in cloud.refused(ACTION, "vm.attachnic", vm_id, "NIC_ALIAS=[PARENT=x]")
    cloud.call("vm.detachnic", vm_id, 2)
    cloud.end("vmm.DETACH_NIC")
    assert _vectors(cloud, vm_id, "NIC")[0]["ALIAS_IDS"] == "3"
    cloud.call("vm.detachnic", vm_id, 0)
    cloud.end("vmm.DETACH_NIC")
    assert [alias["NIC_ID"] for alias in _vectors(cloud, vm_id, "NIC_ALIAS")] == ["4"]
    assert _eth(cloud, vm_id) == {"ETH1", "ETH1_ALIAS0"}
    assert cloud.info("vn.info", net).findtext("USED_LEASES") == "2"
    assert cloud.contradictions() == []


def test_security_groups_follow_the_interfaces(cloud: Cloud) -> None:
    net = cloud.lan()
    group = cloud.call("secgroup.allocate", "NAME=web\nRULE=[PROTOCOL=TCP,RULE_TYPE=inbound,RANGE=80]")
    vm_id = cloud.running(f"NIC=[NETWORK_ID={net}]")
    cloud.call("vm.attachnic", vm_id, f"NIC=[NETWORK_ID={net},SECURITY_GROUPS={group}]")
    cloud.end("vmm.ATTACH_NIC")
    assert [r["SECURITY_GROUP_ID"] for r in _vectors(cloud, vm_id, "SECURITY_GROUP_RULE")] == [
        "0",
        "0",
        "100",
    ]
    assert _in_group(cloud, group) == [str(vm_id)]
    cloud.call("vm.detachnic", vm_id, 1)
    cloud.end("vmm.DETACH_NIC")
    assert [r["SECURITY_GROUP_ID"] for r in _vectors(cloud, vm_id, "SECURITY_GROUP_RULE")] == ["0", "0"]
    assert (_in_group(cloud, group), _in_group(cloud, 0)) == ([], [str(vm_id)])


def test_networks_chosen_at_deployment(cloud: Cloud) -> None:
    net = cloud.lan()
    vm_id = cloud.vm(
        f"NIC=[NETWORK_MODE=auto]\nNIC=[NETWORK_ID={net}]\n{CONTEXT}\nNIC_DEFAULT=[MODEL=virtio]"
    )
    chosen = "NIC=[NIC_ID={},NETWORK_ID={}]"
    for nic_id in (1, 7):
        text = cloud.refused(ACTION, "vm.deploy", vm_id, cloud.host, False, -1, chosen.format(nic_id, net))
        assert f"NIC_ID {nic_id} not found or not AUTO" in text
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, chosen.format(0, net))
    automatic = _vectors(cloud, vm_id, "NIC")[0]
    assert (automatic["IP"], automatic["MODEL"], automatic["NETWORK_MODE"]) == ("10.0.0.2", "virtio", "auto")
    assert _eth(cloud, vm_id) == {"ETH0", "ETH1"}
    assert _in_group(cloud, 0) == [str(vm_id)]


# -- the end -----------------------------------------------------------------------------------------------
def _disk_vm(cloud: Cloud) -> tuple[int, int]:
    image = cloud.images.ready("NAME=data SIZE=10 TYPE=DATABLOCK PERSISTENT=YES")
    return cloud.running(f"DISK=[IMAGE_ID={image}]"), image


def test_persistent_images_keep_size_and_snapshots(cloud: Cloud) -> None:
    vm_id, image = _disk_vm(cloud)

    def grow(tx: Tx) -> None:
        vm = VM.load(tx, vm_id)
        vm.template.vectors("DISK")[0]["SIZE"] = "20"
        vm.snapshots[0] = Snapshots(0)
        vm.snapshots[0].create("first", 20)
        vm.save(tx)

    cloud.core.store.run(grow)
    cloud.act("terminate-hard", vm_id, "vmm.CANCEL", "tm.EPILOG")
    document = cloud.images.info(image)
    assert [document.findtext(n) for n in ("STATE", "SIZE", "SNAPSHOTS/SNAPSHOT/NAME")] == [
        "1",
        "20",
        "first",
    ]
    assert document.find("SNAPSHOTS/DISK_ID") is None


def test_snapshots_go_when_the_vm_has_none(cloud: Cloud) -> None:
    vm_id, image = _disk_vm(cloud)
    cloud.act("terminate-hard", vm_id, "vmm.CANCEL", "tm.EPILOG")
    assert "<SNAPSHOTS></SNAPSHOTS>" in cloud.call("image.info", image)


def test_a_vm_that_ends_half_way_may_leave_images_broken(cloud: Cloud) -> None:
    vm_id, image = _disk_vm(cloud)

    def end(tx: Tx, *, trust: bool) -> int:
        vm = VM.load(tx, vm_id)
        resources.release_all(tx, vm, trust_images=trust)
        state = int(Image.load(tx, image).state)
        raise _Undo(state)

    for trust, state in ((False, 5), (True, 1)):
        with pytest.raises(_Undo) as undone:
            cloud.core.store.run(lambda tx, trust=trust: end(tx, trust=trust))  # type: ignore[misc]
        assert undone.value.state == state


class _Undo(Exception):
    """Rolls a transaction back."""

    def __init__(self, state: int) -> None:
        super().__init__(state)
        self.state = state


def test_what_is_gone_meanwhile_is_passed_over(cloud: Cloud) -> None:
    net = cloud.lan()
    vm_id = cloud.running(f"NIC=[NETWORK_ID={net}]")

    def lose(tx: Tx) -> None:
        tx.run("DELETE FROM network_pool")
        tx.run("DELETE FROM secgroup_pool")
        vm = VM.load(tx, vm_id)
        vm.template.add("DISK", {"DISK_ID": "0", "IMAGE_ID": "77"})
        vm.template.add("VMGROUP", {"VMGROUP_ID": "9", "ROLE": "a"})
        resources.release_all(tx, vm)

    cloud.core.store.run(lose)
    assert xmldoc.parse(cloud.call("vm.info", vm_id)).tag == "VM"
