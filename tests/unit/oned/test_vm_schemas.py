"""Documents of VMs fit OpenNebula's XSDs whatever is done to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.core import Core
from tests.support.schemas import Schemas


@pytest.fixture(scope="module")
def schemas(shared_folder: Path) -> Schemas:
    return Schemas(shared_folder / "spec/xsd")


def test_documents_fit(core: Core, schemas: Schemas) -> None:
    cloud = Cloud(core)
    image, net = cloud.images.ready("NAME=os SIZE=10 TYPE=OS"), cloud.lan()
    vm_id = cloud.running(
        f'DISK=[IMAGE_ID={image}]\nNIC=[NETWORK_ID={net}]\nGRAPHICS=[TYPE="vnc"]\nCONTEXT=[NETWORK="YES"]\n'
        'SCHED_REQUIREMENTS="FREE_CPU > 1"'
    )
    assert schemas.knows("VM") and schemas.knows("VM_POOL")

    def fits(condition: str) -> None:
        assert cloud.state(vm_id) == condition
        for method, args in (
            ("vm.info", (vm_id,)),
            ("vmpool.info", (-2, -1, -1, -1)),
        ):
            assert schemas.problem(cloud.call(method, *args)) is None, method

    fits("RUNNING")
    cloud.call("vm.attach", vm_id, "DISK=[TYPE=fs,SIZE=10]")
    fits("HOTPLUG")
    cloud.end("vmm.ATTACH_DISK")
    cloud.call("vm.attachnic", vm_id, f'NIC_ALIAS=[NETWORK_ID={net},PARENT="NIC0"]')
    fits("HOTPLUG_NIC")
    cloud.end("vmm.ATTACH_NIC")
    cloud.call("vm.snapshotcreate", vm_id, "a")
    fits("HOTPLUG_SNAPSHOT")
    cloud.end("vmm.SNAPSHOT_CREATE")
    cloud.call("vm.disksnapshotcreate", vm_id, 0, "a")
    fits("DISK_SNAPSHOT")
    cloud.end("vmm.DISK_SNAPSHOT_CREATE")
    cloud.call("vm.diskresize", vm_id, 2, "20")
    fits("DISK_RESIZE")
    cloud.end("vmm.RESIZE_DISK")
    cloud.call("vm.disksaveas", vm_id, 0, "copy", "", -1)
    cloud.end("ds.MKFS")
    fits("HOTPLUG_SAVEAS")
    cloud.end("tm.SAVEAS")
    cloud.call("vm.migrate", vm_id, cloud.other, False, False, -1, 0)
    fits("SAVE_MIGRATE")
    cloud.end("vmm.SAVE")
    cloud.end("tm.PROLOG_MIGRATE")
    cloud.end("vmm.RESTORE")
    cloud.act("terminate", vm_id, "vmm.SHUTDOWN", "tm.EPILOG")
    assert schemas.problem(cloud.call("vm.info", vm_id)) is None
    assert cloud.contradictions() == []


def test_hot_resize_fits(core: Core, schemas: Schemas) -> None:
    cloud = Cloud(core, driver="kvm")
    vm_id = cloud.running()
    cloud.call("vm.resize", vm_id, "CPU=1", True)
    assert schemas.problem(cloud.call("vm.info", vm_id)) is None
