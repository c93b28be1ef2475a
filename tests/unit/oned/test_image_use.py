"""Images as disks: finding, taking and giving back, and what a disk's vector gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from services.common.template import Vector
from services.oned.api.call import Call
from services.oned.auth import session
from services.oned.errors import RequestError
from services.oned.lifecycle import image_use
from services.oned.model.image import ImageState
from services.oned.store import Tx
from tests.support.core import Core, Refused
from tests.support.images import Images
from tests.support.zone import SESSION

_T = TypeVar("_T")
VM = 7


@pytest.fixture
def images(core: Core) -> Images:
    return Images(core)


def calling(images: Images, work: Callable[[Call], _T]) -> _T:
    """What ``work`` answers, in a transaction of oneadmin's."""
    conf = images.core.zone.conf

    def run(tx: Tx) -> _T:
        return work(Call(tx, session.authenticate(tx, SESSION, conf), conf, "test"))

    return images.core.store.run(run)


def acquire(
    images: Images,
    image_id: int,
    vm_id: int = VM,
    *,
    attach: bool = False,
    said: Vector | None = None,
    **disk: str,
) -> Vector:
    """The vector of a disk of the image; ``said`` and ``disk`` are what it says itself."""
    vector: Vector = {**(said or {}), **disk}
    calling(images, lambda call: image_use.acquire(call, image_id, vm_id, vector, attach=attach))
    return vector


def release(images: Images, image_id: int, vm_id: int = VM, failed: bool = False) -> None:
    images.core.store.run(lambda tx: image_use.release(tx, image_id, vm_id, failed=failed))


def use(images: Images, image_id: int) -> tuple[str, str, list[str]]:
    """STATE, RUNNING_VMS and VMS."""
    return images.state(image_id), images.text(image_id, "RUNNING_VMS"), images.ids(image_id, "VMS")


def test_the_vector_of_a_plain_disk(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x" TARGET="sdx" ISCSI_HOST="portal" LUKS_SECRET="s"')
    disk = acquire(images, image_id, NOTE="mine")
    assert disk == {
        "NOTE": "mine",
        "ALLOW_ORPHANS": "NO",
        "CLONE": "YES",
        "CLONE_TARGET": "SYSTEM",
        "CLUSTER_ID": "0",
        "DATASTORE": "img",
        "DATASTORE_ID": str(images.store),
        "DEV_PREFIX": "sd",
        "DISK_SNAPSHOT_TOTAL_SIZE": "0",
        "DISK_TYPE": "FILE",
        "DRIVER": "raw",
        "FORMAT": "raw",
        "IMAGE": "os",
        "IMAGE_ID": str(image_id),
        "IMAGE_STATE": str(int(ImageState.USED)),
        "ISCSI_HOST": "portal",
        "LN_TARGET": "NONE",
        "LUKS_SECRET": "s",
        "ORIGINAL_SIZE": "1024",
        "READONLY": "NO",
        "SAVE": "NO",
        "SIZE": "1024",
        "SOURCE": "/ds/new",
        "TARGET": "sdx",
        "TM_MAD": "dummy",
        "TYPE": "FILE",
    }


def test_what_a_disk_says_itself_stays(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x" TARGET="sdx" READONLY="YES"')
    said = {"DEV_PREFIX": "vd", "TARGET": "vdz", "SIZE": "4096", "CLONE_TARGET": "SELF", "READONLY": "NO"}
    disk = acquire(images, image_id, said=said)
    assert {name: disk[name] for name in said} == said
    assert disk["ORIGINAL_SIZE"] == "1024"
    # Only the image and its datastore decide these.
    disk = acquire(
        images, image_id, DRIVER="qcow2", FORMAT="qcow2", CLONE="NO", SAVE="YES", SOURCE="/etc/shadow"
    )
    assert [disk[n] for n in ("DRIVER", "FORMAT", "CLONE", "SAVE", "SOURCE", "READONLY")] == [
        "raw",
        "raw",
        "YES",
        "NO",
        "/ds/new",
        "YES",
    ]


def test_modes_of_persistent_immutable_and_cdrom_images(images: Images) -> None:
    names = ("CLONE", "SAVE", "READONLY", "TYPE")
    pers = acquire(images, images.ready('NAME="a" PATH="/x" PERSISTENT="YES"'))
    assert [pers[name] for name in names] == ["NO", "YES", "NO", "FILE"]
    assert pers["PERSISTENT"] == "YES" and "SHAREABLE" not in pers
    fixed = acquire(images, images.ready('NAME="b" PATH="/x" PERSISTENT_TYPE="immutable"'))
    assert [fixed[name] for name in names] == ["NO", "NO", "YES", "FILE"]
    disc = acquire(images, images.ready('NAME="c" PATH="/x" TYPE="CDROM"'))
    assert [disc[name] for name in names] == ["NO", "NO", "YES", "CDROM"]
    assert disc["DEV_PREFIX"] == "hd"


def test_a_system_datastore_driver_has_targets_of_its_own(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    own = 'CLONE_TARGET_SSH="SYSTEM" LN_TARGET_SSH="SYSTEM" DISK_TYPE_SSH="FILE" DISK_TYPE="BLOCK"'
    images.core.call("datastore.update", images.store, own, 1)
    disk = acquire(images, image_id, TM_MAD_SYSTEM="ssh")
    assert [disk[n] for n in ("LN_TARGET", "CLONE_TARGET", "TYPE", "DISK_TYPE")] == [
        "SYSTEM",
        "SYSTEM",
        "FILE",
        "FILE",
    ]


def test_a_non_persistent_image_is_used_by_many(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    for vm_id in (9, 7, 9):
        acquire(images, image_id, vm_id)
    assert use(images, image_id) == ("2", "2", ["7", "9"])
    release(images, image_id, 9, failed=True)
    assert use(images, image_id) == ("2", "1", ["7"])
    release(images, image_id, 7, failed=True)
    assert use(images, image_id) == ("1", "0", [])


def test_a_persistent_image_is_used_by_one(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x" PERSISTENT="YES"')
    assert acquire(images, image_id)["IMAGE_STATE"] == "8"
    with pytest.raises(RequestError, match="persistent and already in use"):
        acquire(images, image_id, 8)
    assert use(images, image_id) == ("8", "1", ["7"])
    release(images, image_id)
    assert use(images, image_id) == ("1", "0", [])
    acquire(images, image_id)
    release(images, image_id, failed=True)
    assert use(images, image_id) == ("5", "0", [])


def test_a_shareable_image_is_persistent_and_used_by_many(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x" PERSISTENT="YES" PERSISTENT_TYPE="SHAREABLE"')
    assert acquire(images, image_id)["SHAREABLE"] == "YES"
    acquire(images, image_id, 8)
    assert use(images, image_id) == ("8", "2", ["7", "8"])
    release(images, image_id, 7)
    assert use(images, image_id) == ("8", "1", ["8"])


@pytest.mark.parametrize(("persistent", "used"), [("NO", "9"), ("YES", "10")])
def test_a_vm_may_wait_for_an_image_that_is_made(images: Images, persistent: str, used: str) -> None:
    image_id = images.allocate(f'NAME="os" PATH="/x" PERSISTENT="{persistent}"')
    with pytest.raises(RequestError, match="it is locked"):
        acquire(images, image_id, attach=True)
    disk = acquire(images, image_id)
    assert (disk["CLONING"], disk["IMAGE_STATE"], disk.get("FORMAT")) == ("YES", used, None)
    assert images.state(image_id) == used
    with pytest.raises(RequestError):
        acquire(images, image_id, attach=True)
    release(images, image_id)
    assert images.state(image_id) == "4"
    acquire(images, image_id)
    images.end()
    assert use(images, image_id) == ("2" if persistent == "NO" else "8", "1", ["7"])


@pytest.mark.parametrize("persistent", ["NO", "YES"])
def test_a_vm_that_waited_for_an_image_that_failed_uses_it_no_more(images: Images, persistent: str) -> None:
    image_id = images.allocate(f'NAME="os" PATH="/x" PERSISTENT="{persistent}"')
    vm_id = images.core.call("vm.allocate", f"CPU=1 MEMORY=1 DISK=[IMAGE_ID={image_id}]", False)
    images.end(ok=False)
    assert use(images, image_id) == ("5", "1", [str(vm_id)])
    with pytest.raises(Refused, match="There are 1 VMs using it"):
        images.core.call("image.delete", image_id)
    assert images.contradictions() == []
    images.core.call("vm.recover", vm_id, 3)
    assert use(images, image_id) == ("5", "0", [])
    assert images.contradictions() == []
    images.core.call("image.delete", image_id)


@pytest.mark.parametrize(
    "state", [ImageState.DISABLED, ImageState.ERROR, ImageState.DELETE, ImageState.CLONE]
)
def test_states_that_no_vm_can_take(images: Images, state: ImageState) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    images.edit(image_id, state=state)
    with pytest.raises(RequestError, match=f"in state: {state.word}"):
        acquire(images, image_id)
    release(images, image_id)
    assert use(images, image_id) == (str(int(state)), "0", [])


def test_sizes_that_do_not_fit(images: Images) -> None:
    plain = images.ready('NAME="a" PATH="/x"')
    with pytest.raises(RequestError, match="1000MB is less than the image"):
        acquire(images, plain, SIZE="1000")
    for template in ('NAME="b" PATH="/x" PERSISTENT="YES"', 'NAME="c" PATH="/x" TYPE="CDROM"'):
        image_id = images.ready(template)
        with pytest.raises(RequestError, match="SIZE attribute is not supported"):
            acquire(images, image_id, SIZE="2048")
        assert images.state(image_id) == "1"
        assert acquire(images, image_id, SIZE="1024")["SIZE"] == "1024"


def test_files_are_no_disks(images: Images) -> None:
    image_id = images.ready('NAME="k" TYPE="KERNEL" PATH="/x"', images.files)
    with pytest.raises(RequestError, match="of type KERNEL cannot be used as DISK"):
        acquire(images, image_id)
    with pytest.raises(RequestError, match="Image with ID: 99 does not exist"):
        acquire(images, 99)


def test_using_an_image_ends_its_lock_as_in_opennebula(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    images.core.call("image.lock", image_id, 3, False)
    acquire(images, image_id)
    assert images.text(image_id, "LOCK/LOCKED") == "-"


def test_finding_an_image_by_id_or_name_and_owner(images: Images) -> None:
    core = images.core
    alice = core.add_user("alice")
    mine, hers = images.ready('NAME="os" PATH="/x"'), images.ready('NAME="os" PATH="/x"', user="alice")

    def found(**disk: str) -> int:
        return calling(images, lambda call: image_use.resolve(call, disk))

    assert found(IMAGE="os") == found(IMAGE_ID=str(mine), IMAGE="other") == mine
    assert found(IMAGE="os", IMAGE_UNAME="alice") == found(IMAGE="os", IMAGE_UID=str(alice)) == hers
    for unknown in (
        {"IMAGE_ID": "99"},
        {"IMAGE": "nope"},
        {"IMAGE": "os", "IMAGE_UNAME": "nobody"},
        {"IMAGE": "os", "IMAGE_UID": "x"},
        {},
    ):
        with pytest.raises(RequestError):
            found(**unknown)


def test_releasing_an_image_that_is_gone_is_no_fault(images: Images) -> None:
    release(images, 99)
