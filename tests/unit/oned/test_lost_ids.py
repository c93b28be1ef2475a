"""Ids that OpenNebula uses up for calls that it refuses in the end: the objects after them count on."""

from __future__ import annotations

import pytest

from tests.support.core import Core, Refused
from tests.support.images import Images

VM = "CPU=1\nMEMORY=1"
HOOK = "NAME=h\nTYPE=state\nCOMMAND=x\nRESOURCE=VM\nON="
STOCK = 100, False

# method: calls refused before OpenNebula counts, calls refused after it has, and one that succeeds
FIRST: dict[str, tuple[list[tuple[object, ...]], list[tuple[object, ...]], tuple[object, ...]]] = {
    "vm.allocate": (
        [("CPU = [", True), (f"{VM}\nTOPOLOGY=[SOCKETS=0,CORES=3]", True)],
        [("CPU=x", True), (f"{VM}\nNIC=[NETWORK_ID=7]", True), (f'{VM}\nNAME="a<b"', True)],
        (VM, True),
    ),
    "template.allocate": (
        [("A=1",), ('NAME="a/b"',)],
        [("NAME=t\nSCHED_ACTION=[ACTION=terminate,TIME=5,REPEAT=9]",), ("NAME=t\nRAW=[TYPE=zz]",)],
        ("NAME=t",),
    ),
    "image.allocate": (
        [("PATH=/a", *STOCK), ("NAME=i\nTYPE=KERNEL\nPATH=/a", *STOCK), ("NAME=i\nTYPE=DATABLOCK", *STOCK)],
        [("NAME=i\nSOURCE=/a\nPATH=/b\nSIZE=1", *STOCK)],
        ("NAME=i\nSOURCE=/a\nSIZE=1", *STOCK),
    ),
    "hook.allocate": (
        [("A=1",), (f"{HOOK}RUNNING".replace("=h", '="a/b"'),)],
        [(f"{HOOK}NEVER",), ("NAME=h\nTYPE=api\nCOMMAND=x",)],
        (f"{HOOK}RUNNING",),
    ),
    "vmgroup.allocate": (
        [("ROLE=[NAME=a]",), ('NAME="a/b"\nROLE=[NAME=a]',)],
        [("NAME=g\nROLE=[NAME=a]\nROLE=[NAME=a]",), ("NAME=g\nROLE=[NAME=a]\nAFFINED=\"a,b\"",)],
        ("NAME=g\nROLE=[NAME=a]",),
    ),
    "vrouter.allocate": (
        [("NAME = [",)],
        [("A=1",), ('NAME="a/b"',), ("NAME=r\nNIC=[NETWORK_ID=99]",)],
        ("NAME=r",),
    ),
}  # fmt: skip


def _refused(core: Core, method: str, call: tuple[object, ...]) -> None:
    with pytest.raises(Refused):
        core.call(method, *call)


def test_first_ids_that_are_not_lost(core: Core) -> None:
    Images(core)
    for method, (before, _, good) in FIRST.items():
        for call in before:
            _refused(core, method, call)
        assert core.call(method, *good) == 0, method


@pytest.mark.parametrize("number", [0, 1, 2])
def test_first_ids_that_are_lost(core: Core, number: int) -> None:
    Images(core)
    for method, (_, after, good) in FIRST.items():
        for call in after[number : number + 1] * 2:  # a second refusal takes no more
            _refused(core, method, call)
        assert core.call(method, *good) == (1 if number < len(after) else 0), method


def test_later_ids_are_not_lost(core: Core) -> None:
    assert core.call("vm.allocate", VM, True) == 0
    with pytest.raises(Refused):
        core.call("vm.allocate", "CPU=x", True)
    assert core.call("vm.allocate", VM, True) == 1


def test_a_quota_without_room_loses_no_id(core: Core) -> None:
    uid = core.add_user("ann")
    core.call("user.quota", uid, "VM=[VMS=0]")
    with pytest.raises(Refused):
        core.call("vm.allocate", VM, True, user="ann")
    assert core.call("vm.allocate", VM, True) == 0


@pytest.mark.parametrize("persistent", [False, True])
def test_a_copy_with_images_that_cannot_be_made(core: Core, persistent: bool) -> None:
    """The template's copy and those of the images before the wrong one are removed, their ids are used up."""
    images = Images(core)
    os = images.ready("NAME=os\nPATH=/a")
    source = core.call("template.allocate", f"NAME=t\n{VM}\nDISK=[IMAGE_ID={os}]\nDISK=[IMAGE_ID=99]")
    with pytest.raises(Refused) as refusal:
        if persistent:
            core.call("template.instantiate", source, "pet", True, "", True)
        else:
            core.call("template.clone", source, "pet", True)
    assert refusal.value.code == 0x800
    assert core.call("template.allocate", "NAME=next") == source + 2
    assert images.ready("NAME=next\nPATH=/a") == os + 2
    assert core.call("vm.allocate", VM, True) == 0
