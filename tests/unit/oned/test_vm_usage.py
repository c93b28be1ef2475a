"""What a virtual machine counts for, from its document alone."""

from __future__ import annotations

import pytest

from services.common.template import Template
from services.oned.lifecycle.states import LcmState, VmState
from services.oned.model import vm_usage
from services.oned.model.quota import Usage
from services.oned.model.vm import VM

RUNNING = ("RUNNING_VMS", "RUNNING_CPU", "RUNNING_MEMORY")


def vm(extra: str = "", state: VmState = VmState.PENDING, lcm: LcmState = LcmState.LCM_INIT) -> VM:
    made = VM(1, "x", 2, 1)
    made.template = Template.parse(f"CPU=0.5\nMEMORY=64\n{extra}")
    made.state, made.lcm_state = state, lcm
    return made


@pytest.mark.parametrize(
    ("state", "lcm", "runs"),
    [
        (VmState.PENDING, LcmState.LCM_INIT, True),
        (VmState.HOLD, LcmState.LCM_INIT, True),
        (VmState.CLONING, LcmState.LCM_INIT, True),
        (VmState.CLONING_FAILURE, LcmState.LCM_INIT, True),
        (VmState.ACTIVE, LcmState.PROLOG, True),
        (VmState.ACTIVE, LcmState.RUNNING, True),
        (VmState.ACTIVE, LcmState.UNKNOWN, True),
        (VmState.ACTIVE, LcmState.EPILOG_UNDEPLOY, True),
        (VmState.ACTIVE, LcmState.SHUTDOWN_POWEROFF, True),
        (VmState.ACTIVE, LcmState.BOOT_POWEROFF, True),
        (VmState.ACTIVE, LcmState.DISK_RESIZE, True),
        (VmState.ACTIVE, LcmState.HOTPLUG_NIC, True),
        (VmState.ACTIVE, LcmState.PROLOG_MIGRATE, True),
        (VmState.ACTIVE, LcmState.DISK_SNAPSHOT_POWEROFF, False),
        (VmState.ACTIVE, LcmState.DISK_SNAPSHOT_DELETE_SUSPENDED, False),
        (VmState.ACTIVE, LcmState.HOTPLUG_PROLOG_POWEROFF, False),
        (VmState.ACTIVE, LcmState.HOTPLUG_NIC_POWEROFF, False),
        (VmState.ACTIVE, LcmState.HOTPLUG_SAVEAS_STOPPED, False),
        (VmState.ACTIVE, LcmState.DISK_RESIZE_UNDEPLOYED, False),
        (VmState.ACTIVE, LcmState.PROLOG_MIGRATE_SUSPEND_FAILURE, False),
        (VmState.POWEROFF, LcmState.LCM_INIT, False),
        (VmState.SUSPENDED, LcmState.LCM_INIT, False),
        (VmState.STOPPED, LcmState.LCM_INIT, False),
        (VmState.UNDEPLOYED, LcmState.LCM_INIT, False),
    ],
)
def test_states(state: VmState, lcm: LcmState, runs: bool) -> None:
    counted = vm_usage.of(vm(state=state, lcm=lcm)).vm
    assert [counted[name] for name in RUNNING] == ([1, 0.5, 64] if runs else [0, 0, 0])
    assert (counted["VMS"], counted["CPU"], counted["MEMORY"]) == (1, 0.5, 64)


def test_an_ended_one_counts_for_nothing() -> None:
    assert not vm_usage.of(vm("DISK=[IMAGE_ID=1,SIZE=5]\nNIC=[NETWORK_ID=1]", VmState.DONE))


@pytest.mark.parametrize(
    ("disk", "system_mb", "datastores"),
    [
        ("TYPE=fs,SIZE=10", 10, {}),
        ("TYPE=SWAP,SIZE=10", 10, {}),
        ("TYPE=FILE,SIZE=10,CLONE=YES,CLONE_TARGET=SYSTEM,LN_TARGET=NONE,DATASTORE_ID=1", 10, {}),
        ("TYPE=FILE,SIZE=10,DISK_SNAPSHOT_TOTAL_SIZE=7,CLONE=YES,CLONE_TARGET=system", 17, {}),
        ("TYPE=RBD,SIZE=10,CLONE=YES,CLONE_TARGET=SELF,LN_TARGET=NONE,DATASTORE_ID=103", 0, {103: 10}),
        (
            "TYPE=RBD,SIZE=10,DISK_SNAPSHOT_TOTAL_SIZE=5,CLONE=YES,CLONE_TARGET=SELF,DATASTORE_ID=103",
            0,
            {103: 15},
        ),
        ("TYPE=RBD,SIZE=10,CLONE=NO,CLONE_TARGET=SELF,LN_TARGET=NONE,DATASTORE_ID=103", 0, {}),
        ("TYPE=FILE,SIZE=10,CLONE=NO,LN_TARGET=SYSTEM,CLONE_TARGET=NONE", 10, {}),
        ("TYPE=FILE,SIZE=10", 0, {}),
        ("TYPE=FILE,CLONE=YES,CLONE_TARGET=SYSTEM", 0, {}),
    ],
)
def test_disks(disk: str, system_mb: int, datastores: dict[int, int]) -> None:
    usage = vm_usage.of(vm(f"DISK=[{disk}]"))
    assert usage.vm["SYSTEM_DISK_SIZE"] == system_mb
    assert {oid: sums["SIZE"] for oid, sums in usage.datastore.items()} == datastores
    assert all(sums["IMAGES"] == 0 for sums in usage.datastore.values())


def test_each_disk_of_an_image_and_each_interface_counts() -> None:
    usage = vm_usage.of(
        vm(
            "DISK=[IMAGE_ID=4]\nDISK=[IMAGE_ID=4]\nDISK=[IMAGE_ID=9]\nDISK=[TYPE=fs,SIZE=1]\n"
            "NIC=[NETWORK_ID=3]\nNIC_ALIAS=[NETWORK_ID=3]\nNIC=[NETWORK_MODE=auto]\nPCI=[TYPE=NIC,NETWORK_ID=5]\n"
            "NIC=[NETWORK_MODE=auto,NETWORK_ID=3]"
        )
    )
    assert usage.image == {4: {"RVMS": 2}, 9: {"RVMS": 1}}
    assert usage.network == {3: {"LEASES": 3}, 5: {"LEASES": 1}}


def test_arithmetic() -> None:
    big = Usage({"VMS": 2, "CPU": 1.1}, image={1: {"RVMS": 2}, 2: {"RVMS": 1}})
    small = Usage({"VMS": 2, "CPU": 0.2}, network={5: {"LEASES": 1}}, image={2: {"RVMS": 1}})
    assert big - small == Usage({"VMS": 0, "CPU": 0.9}, network={5: {"LEASES": -1}}, image={1: {"RVMS": 2}})
    assert (big + small).vm == {"VMS": 4, "CPU": 1.3}
    assert not big - big and big and -big + big == big - big
    assert not Usage({"VMS": 0})
