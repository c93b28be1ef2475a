"""Quotas of disks, images, networks and capacity: what changes of a VM count for, and for whom."""

from __future__ import annotations

import pytest

from tests.support.core import Core, Refused
from tests.support.images import Images
from tests.support.played import Played

ALICE, BOB, USERS = 2, 3, 1
LAN = "NAME=lan\nVN_MAD=dummy\nBRIDGE=br0\nAR=[TYPE=IP4,IP=10.0.0.1,SIZE=9]"


class Cloud(Played):
    """alice runs VMs; bob owns images and the network, which alice may use."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        core.add_user("alice")
        core.add_user("bob")
        self.images = Images(core)
        self.system_ds = core.call("datastore.allocate", "NAME=sys\nTYPE=SYSTEM_DS\nTM_MAD=dummy", 0)
        self.lan: int = core.call("vn.allocate", LAN, -1)
        core.call("vn.chmod", self.lan, -1, -1, -1, -1, -1, -1, 1, 0, 0)
        core.change("DELETE FROM onebox_job")

    def image(self, name: str, persistent: bool = False) -> int:
        word = "YES" if persistent else "NO"
        made = self.images.ready(f"NAME={name}\nTYPE=DATABLOCK\nSIZE=100\nPERSISTENT={word}", user="bob")
        self.call("image.chmod", made, -1, -1, -1, 1, 1, 0, 1, 1, 0)
        return made

    def used(self, what: str, uid: int = ALICE, kind: str = "user") -> str | None:
        """``SYSTEM_DISK_SIZE``, ``IMAGE 3 RVMS``, …"""
        document = self.info(f"{kind}.info", uid)
        if " " not in what:
            return document.findtext(f"VM_QUOTA/VM/{what}_USED")
        resource, oid, metric = what.split()
        return document.findtext(f"{resource}_QUOTA/{resource}[ID='{oid}']/{metric}_USED")

    def limit(self, limits: str, uid: int = ALICE) -> None:
        self.call("user.quota", uid, limits)

    def no_room(self, method: str, *args: object, user: str = "alice") -> Refused:
        """A call that a quota refuses; it must change nothing."""
        before = self.core.rows("SELECT body FROM user_quotas ORDER BY user_oid")
        refusal = self.refused(method, *args, user=user)
        assert refusal.code == 0x200 and "limit of" in refusal.text, refusal.text
        assert self.core.rows("SELECT body FROM user_quotas ORDER BY user_oid") == before
        assert self.contradictions() == []
        return refusal


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


# -- images ------------------------------------------------------------------------------------------------
def test_images_count_for_who_makes_them(cloud: Cloud) -> None:
    store = cloud.images.store
    image_id = cloud.image("base")
    assert cloud.used(f"DATASTORE {store} SIZE", BOB) == "100"
    assert cloud.used(f"DATASTORE {store} IMAGES", USERS, "group") == "1"
    cloud.limit(f"DATASTORE=[ID={store},IMAGES=2,SIZE=300]", BOB)
    cloud.image("second")
    assert "IMAGES" in cloud.no_room("image.clone", image_id, "copy", user="bob").text
    cloud.limit(f"DATASTORE=[ID={store},SIZE=250]", BOB)
    assert (
        "SIZE"
        in cloud.no_room(
            "image.allocate", "NAME=third\nTYPE=DATABLOCK\nSIZE=51", store, False, user="bob"
        ).text
    )
    cloud.call("image.chown", image_id, ALICE, -1)
    assert cloud.used(f"DATASTORE {store} SIZE") == cloud.used(f"DATASTORE {store} SIZE", BOB) == "100"
    cloud.limit(f"DATASTORE=[ID={store},IMAGES=1]", BOB)
    assert cloud.refused("image.chown", image_id, BOB, -1).code == 0x400
    cloud.call("image.delete", image_id, user="alice")
    cloud.images.end()
    assert cloud.used(f"DATASTORE {store} SIZE") is None and cloud.contradictions() == []


def test_vms_that_use_an_image(cloud: Cloud) -> None:
    image_id = cloud.image("base")
    cloud.limit(f"IMAGE=[ID={image_id},RVMS=2]")
    first = cloud.vm(f"DISK=[IMAGE_ID={image_id}]", "alice")
    assert (cloud.used(f"IMAGE {image_id} RVMS"), cloud.used("SYSTEM_DISK_SIZE")) == ("1", "100")
    cloud.no_room(
        "vm.allocate", f"CPU=1\nMEMORY=1\nDISK=[IMAGE_ID={image_id}]\nDISK=[IMAGE_ID={image_id}]", True
    )
    cloud.vm('DISK=[IMAGE="base",IMAGE_UNAME="bob"]', "alice")
    cloud.no_room("vm.allocate", f"CPU=1\nMEMORY=1\nDISK=[IMAGE_ID={image_id}]", True)
    cloud.call("vm.action", "terminate", first, user="alice")
    assert (cloud.used(f"IMAGE {image_id} RVMS"), cloud.used("SYSTEM_DISK_SIZE")) == ("1", "100")
    assert cloud.contradictions() == []


# -- disks -------------------------------------------------------------------------------------------------
def test_attaching_and_detaching_disks(cloud: Cloud) -> None:
    image_id = cloud.image("base")
    vm_id = cloud.running(user="alice")
    cloud.limit(f"VM=[SYSTEM_DISK_SIZE=150]\nIMAGE=[ID={image_id},RVMS=1]")
    cloud.call("vm.attach", vm_id, f"DISK=[IMAGE_ID={image_id}]", user="alice")
    assert (cloud.used("SYSTEM_DISK_SIZE"), cloud.used(f"IMAGE {image_id} RVMS")) == ("100", "1")
    cloud.work()
    cloud.no_room("vm.attach", vm_id, "DISK=[TYPE=fs,SIZE=51]")
    cloud.limit("VM=[SYSTEM_DISK_SIZE=500]")
    cloud.no_room("vm.attach", vm_id, f"DISK=[IMAGE_ID={image_id}]")
    cloud.call("vm.attach", vm_id, "DISK=[TYPE=fs,SIZE=50]", user="alice")
    assert cloud.used("SYSTEM_DISK_SIZE") == "150"
    cloud.work(ok=False)
    assert cloud.used("SYSTEM_DISK_SIZE") == "100", "what could not be attached is given back"
    cloud.call("vm.detach", vm_id, 0, user="alice")
    assert cloud.used(f"IMAGE {image_id} RVMS") == "1", "until the driver is done"
    cloud.work()
    assert (cloud.used("SYSTEM_DISK_SIZE"), cloud.used(f"IMAGE {image_id} RVMS")) == ("0", "0")
    assert cloud.contradictions() == []


def test_a_larger_disk(cloud: Cloud) -> None:
    vm_id = cloud.running(f"DISK=[IMAGE_ID={cloud.image('base')}]", "alice")
    cloud.limit("VM=[SYSTEM_DISK_SIZE=120]")
    cloud.no_room("vm.diskresize", vm_id, 0, "121")
    cloud.call("vm.diskresize", vm_id, 0, "120", user="alice")
    assert cloud.used("SYSTEM_DISK_SIZE") == "120"
    cloud.work(ok=False)
    assert cloud.used("SYSTEM_DISK_SIZE") == "100" and cloud.contradictions() == []


def test_a_persistent_disk_grows_for_the_images_owner(cloud: Cloud) -> None:
    image_id, store = cloud.image("own", persistent=True), cloud.images.store
    what = f"DATASTORE {store} SIZE"
    vm_id = cloud.running(f"DISK=[IMAGE_ID={image_id}]", "alice")
    assert (cloud.used("SYSTEM_DISK_SIZE"), cloud.used(what, BOB), cloud.used(what)) == ("0", "100", None)
    cloud.limit(f"DATASTORE=[ID={store},SIZE=130]", BOB)
    assert "user [3]" in cloud.no_room("vm.diskresize", vm_id, 0, "131").text
    cloud.call("vm.diskresize", vm_id, 0, "130", user="alice")
    cloud.work()
    assert cloud.used(what, BOB) == "130" and cloud.contradictions() == []
    cloud.act("terminate", vm_id, "alice")
    assert cloud.info("image.info", image_id).findtext("SIZE") == "130"
    assert cloud.used(what, BOB) == "130" and cloud.contradictions() == []


def test_snapshots_of_disks(cloud: Cloud) -> None:
    image_id, store = cloud.image("own", persistent=True), cloud.images.store
    what = f"DATASTORE {store} SIZE"
    disks = f"DISK=[IMAGE_ID={image_id}]\nDISK=[IMAGE_ID={cloud.image('copied')}]"
    vm_id = cloud.running(disks, "alice")
    cloud.act("poweroff", vm_id, "alice")
    before = cloud.used(what, BOB)
    assert before == "200"
    cloud.limit("VM=[SYSTEM_DISK_SIZE=150]")
    cloud.no_room("vm.disksnapshotcreate", vm_id, 1, "one")
    cloud.limit("VM=[SYSTEM_DISK_SIZE=200]")
    cloud.limit(f"DATASTORE=[ID={store},SIZE=299]", BOB)
    cloud.no_room("vm.disksnapshotcreate", vm_id, 0, "one")
    cloud.limit(f"DATASTORE=[ID={store},SIZE=300]", BOB)
    for disk in (0, 1):
        cloud.call("vm.disksnapshotcreate", vm_id, disk, "one", user="alice")
        cloud.work()
    assert (cloud.used("SYSTEM_DISK_SIZE"), cloud.used(what, BOB)) == ("200", "300")
    assert cloud.used("RUNNING_VMS") == "0", "work on a machine that is off does not make it run"
    assert cloud.contradictions() == []
    cloud.act("terminate", vm_id, "alice")
    assert cloud.used(what, BOB) == "300" and cloud.contradictions() == [], "the image keeps its snapshot"


# -- networks and capacity ---------------------------------------------------------------------------------
def test_leases(cloud: Cloud) -> None:
    what = f"NETWORK {cloud.lan} LEASES"
    cloud.limit(f"NETWORK=[ID={cloud.lan},LEASES=2]")
    vm_id = cloud.running(f"NIC=[NETWORK_ID={cloud.lan}]", "alice")
    cloud.call("vm.attachnic", vm_id, f"NIC=[NETWORK_ID={cloud.lan}]", user="alice")
    cloud.work()
    assert cloud.used(what) == "2" and cloud.contradictions() == []
    cloud.no_room("vm.attachnic", vm_id, f"NIC=[NETWORK_ID={cloud.lan}]")
    cloud.no_room("vm.allocate", f"CPU=1\nMEMORY=1\nNIC=[NETWORK_ID={cloud.lan}]", True)
    cloud.call("vm.detachnic", vm_id, 1, user="alice")
    cloud.work()
    assert cloud.used(what) == "1"
    cloud.act("terminate", vm_id, "alice")
    assert cloud.used(what) == "0" and cloud.contradictions() == []


def test_capacity(cloud: Cloud) -> None:
    vm_id = cloud.vm(user="alice")
    cloud.limit("VM=[CPU=1,MEMORY=100,RUNNING_MEMORY=90]")
    cloud.no_room("vm.resize", vm_id, "CPU=1.5", False)
    assert " MEMORY quota" in cloud.no_room("vm.resize", vm_id, "MEMORY=101", False).text
    assert "RUNNING_MEMORY" in cloud.no_room("vm.resize", vm_id, "MEMORY=95", False).text
    cloud.call("vm.resize", vm_id, "CPU=1\nMEMORY=90", False, user="alice")
    assert [cloud.used(name) for name in ("CPU", "MEMORY", "RUNNING_CPU", "RUNNING_MEMORY")] == [
        "1",
        "90",
        "1",
        "90",
    ]
    cloud.limit("VM=[CPU=0.5]")
    # Still above the limit: OpenNebula refuses that too.
    cloud.no_room("vm.resize", vm_id, "CPU=0.75", False)
    cloud.call("vm.resize", vm_id, "CPU=0.5", False, user="alice")
    assert cloud.used("CPU") == "0.50" and cloud.contradictions() == []
