"""Disks of new VMs: images and volatile ones, numbers, device names, the context disk, requirements."""

from __future__ import annotations

import pytest

from services.common import xmldoc
from tests.support.core import Core
from tests.support.vm_parts import AUTHORIZATION, create, datastore, image, network, parts, refused_vm


@pytest.fixture
def store(core: Core) -> int:
    """An image datastore."""
    return datastore(core, "img")


def _disks(vm: xmldoc.etree._Element) -> list[dict[str, str]]:
    return [parts(disk) for disk in vm.iterfind("TEMPLATE/DISK")]


def _targets(vm: xmldoc.etree._Element) -> list[str]:
    return [disk["TARGET"] for disk in _disks(vm)]


# -- volatile ----------------------------------------------------------------------------------------------
def test_volatile_disks(core: Core) -> None:
    # SOURCE is of images, and the datastore says whether it is a disk over the network.
    given = "TYPE=fs,SIZE=10,FORMAT=qcow2,SOURCE=one/one-7,DISK_TYPE=RBD"
    vm = create(core, f"DISK=[{given}]\nDISK=[TYPE=swap,SIZE=5,DEV_PREFIX=vd]")
    first, second = _disks(vm)
    # What the system datastore decides is filled in at deployment.
    assert first == {
        "DEV_PREFIX": "sd",
        "DISK_ID": "0",
        "FORMAT": "qcow2",
        "SIZE": "10",
        "TARGET": "sda",
        "TYPE": "fs",
    }
    assert (second["TARGET"], second["DISK_ID"]) == ("vda", "1")
    assert vm.find("TEMPLATE/AUTOMATIC_DS_REQUIREMENTS") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DISK=[TYPE=fs]", "DISK 0: SIZE attribute must be a positive integer"),
        ("DISK=[TYPE=fs,SIZE=0]", "SIZE"),
        ("DISK=[TYPE=fs,SIZE=1]\nDISK=[SIZE=1]", "DISK 1: Unknown disk type ''"),
        ("DISK=[TYPE=floppy,SIZE=1]", "Unknown disk type 'FLOPPY'"),
        ("DISK=[IMAGE_ID=abc]", "Unknown disk type"),
        ("DISK=[TYPE=fs,SIZE=1,TARGET=sda]\nDISK=[TYPE=fs,SIZE=1,TARGET=sda]", "same target sda"),
        ("DISK=[TYPE=fs,SIZE=1,TARGET=sda]\nCONTEXT=[TARGET=sda]", "same target sda"),
        ("DISK=[TYPE=fs,SIZE=1]\n" * 21, "maximum number of disks (20)"),
        ("DISK=[IMAGE_ID=9]", "Image with ID: 9 does not exist"),
        ("DISK=[IMAGE=os]", "does not own an image with name: os"),
    ],
)
def test_disks_that_cannot_be(core: Core, text: str, message: str) -> None:
    assert message in refused_vm(core, text)


# -- images ------------------------------------------------------------------------------------------------
def test_a_disk_of_an_image(core: Core, store: int) -> None:
    image(core, "os", store)
    # Who pays for it, and where it lies, is not for users to say.
    vm = create(core, "DISK=[IMAGE=os,SIZE=2048,CLONE_TARGET=NONE,LN_TARGET=NONE,PERSISTENT=YES]")
    assert "PERSISTENT" not in _disks(vm)[0]
    assert (
        _disks(vm)[0].items()
        >= {
            "IMAGE": "os",
            "IMAGE_ID": "0",
            "ORIGINAL_SIZE": "1024",
            "SIZE": "2048",
            "SOURCE": "/images/os",
            "DATASTORE_ID": str(store),
            "TARGET": "sda",
            "CLONE": "YES",
            "CLONE_TARGET": "SYSTEM",
            "TM_MAD": "dummy",
        }.items()
    )
    assert core.info("image.info", 0).findtext("VMS/ID") == "0"
    assert vm.findtext("TEMPLATE/AUTOMATIC_REQUIREMENTS") == (
        "(CLUSTER_ID = 0) & !(PUBLIC_CLOUD = YES) & !(PIN_POLICY = PINNED)"
    )
    for name in ("DS", "NIC"):
        assert vm.findtext(f"TEMPLATE/AUTOMATIC_{name}_REQUIREMENTS") == '("CLUSTERS/ID" @> 0)'


def test_a_persistent_image_serves_one_vm(core: Core, store: int) -> None:
    image(core, "data", store, "DATABLOCK", "PERSISTENT=YES")
    assert "not supported for persistent image" in refused_vm(core, "DISK=[IMAGE_ID=0,SIZE=2048]")
    assert core.info("image.info", 0).findtext("RUNNING_VMS") == "0"
    first = int(create(core, "DISK=[IMAGE_ID=0]").findtext("ID") or "")
    assert "already in use" in refused_vm(core, "DISK=[IMAGE_ID=0]")
    core.call("vm.action", "terminate", first)
    document = core.info("image.info", 0)
    assert (document.findtext("STATE"), document.findtext("RUNNING_VMS")) == ("1", "0")
    create(core, "DISK=[IMAGE_ID=0]")


def test_the_rights_on_images(core: Core, store: int) -> None:
    core.add_user("ann")
    image(core, "closed", store)
    image(core, "open", store, is_open=True)
    assert "USE IMAGE [0]" in refused_vm(core, "DISK=[IMAGE_ID=0]", code=AUTHORIZATION, user="ann")
    text = "DISK=[IMAGE=closed,IMAGE_UNAME=oneadmin]"
    refused_vm(core, text, code=AUTHORIZATION, user="ann")
    create(core, "DISK=[IMAGE=open,IMAGE_UID=0]", user="ann")
    core.call("image.lock", 1, 1, False)
    refused_vm(core, "DISK=[IMAGE_ID=1]", code=AUTHORIZATION, user="ann")


def test_a_vm_waits_for_an_image_that_is_made(core: Core, store: int) -> None:
    core.call("image.allocate", "NAME=new\nTYPE=DATABLOCK\nSIZE=10", store, False)
    vm = create(core, "DISK=[IMAGE_ID=0]", hold=False)
    assert (vm.findtext("STATE"), vm.findtext("TEMPLATE/DISK/CLONING")) == ("10", "YES")


# -- device names ------------------------------------------------------------------------------------------
def test_the_order_of_device_names(core: Core, store: int) -> None:
    """The first system first, then CD-ROMs and the context, then the rest; each prefix for itself."""
    image(core, "os", store)
    image(core, "cd", store, "CDROM")
    image(core, "data", store, "DATABLOCK", "DEV_PREFIX=vd")
    vm = create(
        core,
        "DISK=[TYPE=fs,SIZE=1]\nDISK=[IMAGE_ID=1]\nDISK=[IMAGE_ID=0]\nDISK=[IMAGE_ID=2]\n"
        "DISK=[IMAGE_ID=0]\nDISK=[TYPE=fs,SIZE=1,TARGET=sdb]\nCONTEXT=[A=b]",
    )
    assert _targets(vm) == ["sdc", "hda", "sda", "vda", "sdd", "sdb"]
    assert (vm.findtext("TEMPLATE/CONTEXT/TARGET"), vm.findtext("TEMPLATE/CONTEXT/DISK_ID")) == ("hdb", "6")


def test_targets_of_images(core: Core, store: int) -> None:
    image(core, "data", store, "DATABLOCK", "TARGET=vdc")
    assert _targets(create(core, "DISK=[IMAGE_ID=0]\nDISK=[IMAGE_ID=0,TARGET=vda]")) == ["vdc", "vda"]
    assert "same target vdc" in refused_vm(core, "DISK=[IMAGE_ID=0]\nDISK=[IMAGE_ID=0]")
    # Images that the refused VM had taken are free again.
    assert core.info("image.info", 0).findtext("RUNNING_VMS") == "1"


def test_the_boot_order(core: Core, store: int) -> None:
    image(core, "os", store)
    image(core, "cd", store, "CDROM")
    text = "DISK=[IMAGE_ID=0,ORDER=7]\nDISK=[IMAGE_ID=1]\nNIC=[BRIDGE=br0]\n"
    vm = create(core, f'{text}OS=[BOOT="NIC0,disk1,"]')
    assert [disk.get("ORDER") for disk in _disks(vm)] == [None, "2"]
    assert vm.findtext("TEMPLATE/NIC/ORDER") == "1"
    assert "DISK_ID 5 not found" in refused_vm(core, f"{text}OS=[BOOT=disk5]")
    assert "comma-separated list of disk# or nic#" in refused_vm(core, f"{text}OS=[BOOT=hd]")


# -- drivers and datastores that fit -----------------------------------------------------------------------
def test_the_driver_of_the_system_datastore(core: Core, store: int) -> None:
    image(core, "os", datastore(core, "other", "CLONE_TARGET_SSH=SELF\nLN_TARGET_SSH=SYSTEM"))
    vm = create(core, "DISK=[IMAGE_ID=0,TM_MAD_SYSTEM=x]\nTM_MAD_SYSTEM=ssh")
    disk = _disks(vm)[0]
    assert [disk[n] for n in ("CLONE_TARGET", "LN_TARGET", "TM_MAD_SYSTEM")] == ["SELF", "SYSTEM", "ssh"]
    assert vm.findtext("TEMPLATE/TM_MAD_SYSTEM") == "ssh" and vm.find("USER_TEMPLATE/TM_MAD_SYSTEM") is None
    required = vm.findtext("TEMPLATE/AUTOMATIC_DS_REQUIREMENTS")
    assert required == '("CLUSTERS/ID" @> 0) & (TM_MAD = "ssh")'
    plain = _disks(create(core, "DISK=[IMAGE_ID=0,TM_MAD_SYSTEM=x]"))[0]
    assert (plain["CLONE_TARGET"], plain["LN_TARGET"]) == ("SYSTEM", "NONE") and "TM_MAD_SYSTEM" not in plain


def test_clusters_that_have_everything(core: Core, store: int) -> None:
    for name in ("c1", "c2"):
        core.call("cluster.allocate", name)
    there = datastore(core, "there", cluster=100)
    image(core, "here", store)
    image(core, "there", there)
    network(core, "net", "10.0.0.1", cluster=100)
    core.call("cluster.delvnet", 0, network(core, "nowhere", "10.1.0.1"))
    text = refused_vm(core, "DISK=[IMAGE_ID=0]\nDISK=[IMAGE_ID=1]")
    assert "Incompatible clusters in DISK" in text and "(cluster 0), but in 100" in text
    assert "Incompatible clusters in NIC" in refused_vm(core, "DISK=[IMAGE_ID=0]\nNIC=[NETWORK_ID=0]")
    refused_vm(core, "DISK=[IMAGE_ID=0]\nPCI=[CLASS=0200,TYPE=NIC,NETWORK_ID=0]")
    assert "not in any cluster" in refused_vm(core, "NIC=[NETWORK_ID=1]")
    vm = create(core, "DISK=[IMAGE_ID=1]\nNIC=[NETWORK_ID=0]")
    assert (vm.findtext("TEMPLATE/AUTOMATIC_REQUIREMENTS") or "").startswith("(CLUSTER_ID = 100) &")
    core.call("cluster.adddatastore", 100, store)
    core.call("cluster.adddatastore", 101, store)
    vm = create(core, "DISK=[IMAGE_ID=0]")
    assert vm.findtext("TEMPLATE/DISK/CLUSTER_ID") == "0,100,101"
    assert (vm.findtext("TEMPLATE/AUTOMATIC_REQUIREMENTS") or "").startswith(
        "(CLUSTER_ID = 0 | CLUSTER_ID = 100 | CLUSTER_ID = 101) &"
    )
    assert len(create(core, "DISK=[IMAGE_ID=0]\nDISK=[IMAGE_ID=1]\nNIC=[NETWORK_ID=0]")) > 0


def test_system_datastores_that_fit(core: Core, store: int) -> None:
    image(core, "a", datastore(core, "da", 'COMPATIBLE_SYS_DS="0,101"'))
    image(core, "b", datastore(core, "db", 'COMPATIBLE_SYS_DS="101,102"'))
    image(core, "c", datastore(core, "dc", 'COMPATIBLE_SYS_DS="7"'))
    vm = create(core, "DISK=[IMAGE_ID=0]\nDISK=[IMAGE_ID=1]")
    required = vm.findtext("TEMPLATE/AUTOMATIC_DS_REQUIREMENTS")
    assert required == '("CLUSTERS/ID" @> 0) & ("ID" @> 101)'
    assert "Incompatible system datastore" in refused_vm(core, "DISK=[IMAGE_ID=0]\nDISK=[IMAGE_ID=2]")


def test_shared_disks_and_public_clouds(core: Core) -> None:
    assert create(core, "DISK=[TYPE=fs,SIZE=1,SHAREABLE=YES]").findtext(
        "TEMPLATE/AUTOMATIC_DS_REQUIREMENTS"
    ) == ('(SHARED = "YES")')
    vm = create(core, 'PUBLIC_CLOUD=[TYPE=ec2,N="$NAME-$VMID"]\nPUBLIC_CLOUD=[TYPE=az]')
    assert (vm.findtext("TEMPLATE/AUTOMATIC_REQUIREMENTS") or "").endswith(
        " | (PUBLIC_CLOUD = YES & (HYPERVISOR = az | HYPERVISOR = ec2))"
    )
    assert vm.findtext("USER_TEMPLATE/PUBLIC_CLOUD/N") == "one-1-1"
