"""Methods on an image that is there: what they change, and the code of each refusal."""

from __future__ import annotations

from typing import Any

import pytest

from services.oned.errors import Code
from services.oned.model.image import ImageState
from services.oned.model.snapshots import Snapshots
from tests.support.core import Core, Refused
from tests.support.images import Images


@pytest.fixture
def images(core: Core) -> Images:
    return Images(core)


def code(images: Images, method: str, *args: Any, user: str = "oneadmin") -> int:
    """The code of a call that must fail."""
    with pytest.raises(Refused) as refusal:
        images.core.call(f"image.{method}", *args, user=user)
    return refusal.value.code


def with_snapshots(images: Images, name: str = "os") -> int:
    """An image with snapshots 0 (10 MB), 1 (20 MB) and the active 2 (30 MB), each above the one before."""
    image_id = images.ready(f'NAME="{name}" PATH="/x" PERSISTENT="YES"')
    snapshots = Snapshots()
    for size_mb in (10, 20, 30):
        snapshots.activate(snapshots.create("", size_mb), revert=False)
    images.edit(image_id, snapshots=snapshots)
    return image_id


def count(images: Images, uid: int) -> tuple[str | None, str | None]:
    """IMAGES_USED and SIZE_USED of a user in the image datastore."""
    user = images.core.info("user.info", uid)
    quota = user.find(f"DATASTORE_QUOTA/DATASTORE[ID='{images.store}']")
    return ("0", "0") if quota is None else (quota.findtext("IMAGES_USED"), quota.findtext("SIZE_USED"))


# -- persistent, type, enable ------------------------------------------------------------------------------
def test_persistent_and_back(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    for wanted in (True, True, False):
        assert images.core.call("image.persistent", image_id, wanted) == image_id
        assert images.text(image_id, "PERSISTENT") == str(int(wanted))
    assert code(images, "persistent", 99, True) == Code.NO_EXISTS


@pytest.mark.parametrize("state", ["USED", "CLONE", "USED_PERS", "LOCKED_USED", "LOCKED_USED_PERS"])
def test_an_image_in_use_stays_what_it_is(images: Images, state: str) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    images.edit(image_id, state=ImageState[state])
    assert code(images, "persistent", image_id, True) == Code.INTERNAL
    assert code(images, "enable", image_id, False) == Code.INTERNAL
    assert code(images, "enable", image_id, True) == Code.INTERNAL
    assert code(images, "delete", image_id) == Code.ACTION


def test_what_cannot_be_persistent_or_not(images: Images) -> None:
    kernel = images.ready('NAME="k" TYPE="KERNEL" PATH="/x"', images.files)
    assert code(images, "persistent", kernel, True) == Code.ACTION
    image_id = with_snapshots(images)
    assert code(images, "persistent", image_id, False) == Code.INTERNAL
    dev = 'NAME="dev" DS_MAD="dev" TM_MAD="dev" DISK_TYPE="BLOCK" DATASTORE_CAPACITY_CHECK="NO"'
    store = images.core.call("datastore.allocate", dev, 0)
    with pytest.raises(Refused) as refusal:
        images.allocate('NAME="lun" SOURCE="/dev/x" SIZE="1"', store)
    assert refusal.value.code == Code.ALLOCATE
    lun = images.allocate('NAME="lun" SOURCE="/dev/x" SIZE="1" PERSISTENT="YES"', store)
    assert code(images, "persistent", lun, False) == Code.INTERNAL


def test_another_type_for_the_same_sort_of_datastore(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    for word, number in (("datablock", "2"), ("CDROM", "1"), ("", "0")):
        images.core.call("image.chtype", image_id, word)
        assert images.text(image_id, "TYPE") == number
    assert code(images, "chtype", image_id, "KERNEL") == Code.ACTION
    assert code(images, "chtype", image_id, "NOPE") == Code.INTERNAL
    kernel = images.ready('NAME="k" TYPE="KERNEL" PATH="/x"', images.files)
    images.core.call("image.chtype", kernel, "CONTEXT")
    assert code(images, "chtype", kernel, "NOPE") == Code.ACTION
    assert code(images, "chtype", with_snapshots(images, "snap"), "CDROM") == Code.INTERNAL


def test_disabled_and_enabled(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    for wanted, state in ((False, "3"), (False, "3"), (True, "1"), (True, "1")):
        assert images.core.call("image.enable", image_id, wanted) == image_id
        assert (images.state(image_id), images.text(image_id, "PREV_STATE")) == (state, state)
    locked = images.allocate('NAME="new" PATH="/x"')
    assert code(images, "enable", locked, False) == Code.INTERNAL
    images.end(ok=False, message="no space")
    assert images.state(locked) == "5"
    images.core.call("image.enable", locked, True)
    assert images.state(locked) == "1"


def test_an_image_in_error_that_vms_use_is_used_again(images: Images) -> None:
    for name, persistent, state in (("a", "NO", "2"), ("b", "YES", "8")):
        image_id = images.ready(f'NAME="{name}" PATH="/x" PERSISTENT="{persistent}"')
        images.edit(image_id, state=ImageState.ERROR, running_vms=1, vms=[5])
        images.core.call("image.enable", image_id, True)
        assert images.state(image_id) == state


# -- attributes, rights ------------------------------------------------------------------------------------
def test_attributes_of_an_owner_who_is_no_administrator(images: Images) -> None:
    images.core.add_user("alice")
    image_id = images.ready('NAME="os" PATH="/x"', user="alice")
    images.core.call("image.update", image_id, 'NOTE="1"', 1, user="alice")
    assert code(images, "update", image_id, 'SOURCE="/etc/shadow"', 1, user="alice") == Code.INTERNAL
    images.core.call("image.update", image_id, 'DESCRIPTION="only"', 0, user="alice")
    assert [part.tag for part in images.info(image_id).findall("TEMPLATE/*")] == ["DESCRIPTION"]
    assert code(images, "update", image_id, 'A="1"', 7) == Code.XML_RPC_API
    assert code(images, "rename", image_id, "a:b") == Code.ACTION
    images.core.call("image.rename", image_id, "renamed", user="alice")
    assert images.text(image_id, "NAME") == "renamed"


def test_rights(images: Images) -> None:
    images.core.add_user("alice")
    image_id = images.ready('NAME="os" PATH="/x"')
    for method, *args in (
        ("info", False),
        ("update", 'A="1"', 1),
        ("rename", "x"),
        ("enable", False),
        ("persistent", True),
        ("chtype", "CDROM"),
        ("delete",),
        ("clone", "x", -1),
        ("snapshotdelete", 0),
        ("snapshotrevert", 0),
        ("snapshotflatten", 0),
        ("lock", 1, False),
        ("unlock",),
    ):
        assert code(images, str(method), image_id, *args, user="alice") == Code.AUTHORIZATION, method
        assert code(images, str(method), 99, *args, user="alice") == Code.NO_EXISTS, method


def test_a_lock_stands_against_its_level(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    images.core.call("image.lock", image_id, 2, False)
    assert code(images, "lock", image_id, 1, True) == Code.ACTION
    assert code(images, "delete", image_id) == Code.AUTHORIZATION
    assert images.core.call("image.clone", image_id, "copy", -1) == 1, "USE is allowed"
    images.core.call("image.unlock", image_id)


# -- copies ------------------------------------------------------------------------------------------------
def test_a_copy_is_made_by_the_driver(images: Images) -> None:
    source = images.ready('NAME="os" PATH="/x" NOTE="n" VCENTER_IMPORTED="YES"')
    copy = images.core.call("image.clone", source, "copy", -1)
    assert (images.state(source), images.text(source, "CLONING_OPS"), images.ids(source, "CLONES")) == (
        "2",
        "1",
        [str(copy)],
    )
    names = ("STATE", "CLONING_ID", "PATH", "SOURCE", "FORMAT", "SIZE", "TEMPLATE/NOTE")
    assert [images.text(copy, name) for name in names] == [
        "4",
        str(source),
        "/ds/new",
        "",
        "raw",
        "1024",
        "n",
    ]
    assert images.text(copy, "TEMPLATE/VCENTER_IMPORTED") == "-"
    assert images.contradictions() == []
    assert images.end() == "ds.CLONE"
    assert [images.text(copy, name) for name in names[:4]] == ["1", "-1", "/ds/new", "/ds/copy"]
    assert (images.state(source), images.ids(source, "CLONES")) == ("1", [])
    assert images.contradictions() == []


def test_a_copy_of_a_persistent_image_keeps_vms_away(images: Images) -> None:
    source = images.ready('NAME="os" PATH="/x" PERSISTENT="YES"')
    first, second = (images.core.call("image.clone", source, name, -1) for name in ("a", "b"))
    assert images.state(source) == "6"
    assert images.text(first, "PERSISTENT") == "1", "as the original, unless a default says otherwise"
    images.end(ok=False, message="broken")
    assert (images.state(first), images.text(first, "CLONING_ID")) == ("5", "-1")
    assert f"Error cloning from Image {source}: broken" in images.text(first, "TEMPLATE/ERROR")
    assert (images.state(source), images.ids(source, "CLONES")) == ("6", [str(second)])
    images.core.call("image.delete", second)
    assert (images.state(source), images.text(source, "CLONING_OPS")) == ("1", "0")
    assert images.contradictions() == []


def test_codes_of_refused_copies(images: Images) -> None:
    source = images.ready('NAME="os" PATH="/x"')
    kernel = images.ready('NAME="k" TYPE="KERNEL" PATH="/x"', images.files)
    locked = images.allocate('NAME="locked" PATH="/x"')
    assert code(images, "clone", kernel, "x", -1) == Code.ACTION
    assert code(images, "clone", source, "x", 999) == Code.NO_EXISTS
    assert code(images, "clone", source, "x", images.files) == Code.ACTION
    assert code(images, "clone", source, "x", 1) == Code.ACTION, "another driver"
    assert code(images, "clone", locked, "x", -1) == Code.ALLOCATE
    assert code(images, "clone", source, "os", -1) == Code.ALLOCATE
    assert code(images, "clone", source, "", -1) == Code.ALLOCATE
    assert code(images, "clone", with_snapshots(images, "s"), "x", -1) == Code.ACTION
    images.core.call("datastore.update", images.store, 'DATASTORE_CAPACITY_CHECK="YES"', 1)
    assert code(images, "clone", source, "x", -1) == Code.ACTION


def test_a_copy_goes_to_another_datastore_of_the_same_driver(images: Images) -> None:
    drivers = 'DS_MAD="dummy" TM_MAD="dummy" DATASTORE_CAPACITY_CHECK="NO"'
    other = images.core.call("datastore.allocate", f'NAME="other" {drivers}', 0)
    copy = images.core.call("image.clone", images.ready('NAME="os" PATH="/x"'), "copy", other)
    assert images.text(copy, "DATASTORE_ID") == str(other) and images.text(copy, "DATASTORE") == "other"
    images.core.call("datastore.rename", other, "renamed")
    assert images.text(copy, "DATASTORE") == "renamed"


# -- snapshots ---------------------------------------------------------------------------------------------
def test_snapshots_are_deleted_reverted_and_flattened(images: Images) -> None:
    image_id = with_snapshots(images)
    assert images.core.call("image.snapshotrevert", image_id, 1) == 1
    assert (images.state(image_id), images.text(image_id, "TARGET_SNAPSHOT")) == ("4", "1")
    assert images.contradictions() == []
    assert images.end() == "ds.SNAP_REVERT"
    active = [s.findtext("ACTIVE") for s in images.info(image_id).findall("SNAPSHOTS/SNAPSHOT")]
    assert active == [None, "YES", None] and images.text(image_id, "TARGET_SNAPSHOT") == "-1"
    assert images.core.call("image.snapshotdelete", image_id, 2) == 2
    assert images.end() == "ds.SNAP_DELETE"
    assert [s.findtext("ID") for s in images.info(image_id).findall("SNAPSHOTS/SNAPSHOT")] == ["0", "1"]
    assert images.core.call("image.snapshotflatten", image_id, 1) == 1
    assert images.end() == "ds.SNAP_FLATTEN"
    assert images.state(image_id) == "1"
    assert len(images.info(image_id).findall("SNAPSHOTS/*")) == 0


def test_codes_of_refused_snapshot_actions(images: Images) -> None:
    image_id = with_snapshots(images)
    assert code(images, "snapshotdelete", image_id, 2) == Code.ACTION, "active"
    assert code(images, "snapshotdelete", image_id, 0) == Code.ACTION, "has children"
    assert code(images, "snapshotrevert", image_id, 2) == Code.ACTION, "active already"
    for method in ("snapshotdelete", "snapshotrevert", "snapshotflatten"):
        assert code(images, method, image_id, 9) == Code.ACTION
        images.edit(image_id, state=ImageState.DISABLED)
        assert code(images, method, image_id, 0) == Code.ACTION
        images.edit(image_id, state=ImageState.READY)


def test_a_failed_snapshot_action_leaves_the_image_usable(images: Images) -> None:
    image_id = with_snapshots(images)
    images.core.call("image.snapshotflatten", image_id, 0)
    images.end(ok=False, message="broken chain")
    assert images.state(image_id) == "1"
    assert "Error flattening image snapshot: broken chain" in images.text(image_id, "TEMPLATE/ERROR")
    assert len(images.info(image_id).findall("SNAPSHOTS/SNAPSHOT")) == 3


# -- deletion and quotas -----------------------------------------------------------------------------------
def test_content_goes_before_the_image(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    images.core.call("image.delete", image_id)
    assert (images.state(image_id), images.waiting()) == ("7", ["ds.RM"])
    assert images.core.info("datastore.info", images.store).find("IMAGES/ID") is None
    assert images.contradictions() == []
    images.core.call("image.delete", image_id)
    assert images.waiting() == ["ds.RM"], "the job under way begins anew"
    images.end(ok=False, message="busy")
    assert code(images, "info", image_id, False) == Code.NO_EXISTS
    assert images.contradictions() == []


def test_an_image_without_content_goes_at_once(images: Images) -> None:
    image_id = images.allocate('NAME="os" PATH="/x"')
    images.core.call("image.delete", image_id)
    assert images.waiting() == []
    assert code(images, "delete", image_id) == Code.NO_EXISTS
    assert images.contradictions() == []


def test_one_that_a_driver_works_on_needs_admin(images: Images) -> None:
    images.core.add_user("alice")
    image_id = images.allocate('NAME="os" PATH="/x"', user="alice")
    assert code(images, "delete", image_id, user="alice") == Code.AUTHORIZATION
    images.end()
    images.core.call("image.delete", image_id, user="alice")


def test_space_is_counted_for_the_owner(images: Images) -> None:
    alice, bob = (images.core.add_user(name) for name in ("alice", "bob"))
    image_id = images.ready('NAME="os" PATH="/x" PERSISTENT="YES"', user="alice")
    assert count(images, alice) == ("1", "1024")
    images.core.call("image.chown", image_id, bob, -1)
    assert (count(images, alice), count(images, bob)) == (("0", "0"), ("1", "1024"))
    images.core.call("image.delete", image_id)
    assert count(images, bob) == ("0", "0")
    assert images.contradictions() == []


def test_limits_hold_for_new_images_copies_and_new_owners(images: Images) -> None:
    alice = images.core.add_user("alice")
    limit = f'DATASTORE=[ID="{images.store}", IMAGES="1", SIZE="-1"]'
    images.core.call("user.quota", alice, limit)
    image_id = images.ready('NAME="os" PATH="/x"', user="alice")
    with pytest.raises(Refused) as refusal:
        images.allocate('NAME="two" PATH="/x"', user="alice")
    assert refusal.value.code == Code.AUTHORIZATION
    assert code(images, "clone", image_id, "copy", -1, user="alice") == Code.AUTHORIZATION
    foreign = images.ready('NAME="foreign" PATH="/x"')
    assert code(images, "chown", foreign, alice, -1) == Code.NO_EXISTS  # as OpenNebula
    assert images.text(foreign, "UID") == "0"
    assert count(images, alice) == ("1", "1024") and images.contradictions() == []


def test_flattened_snapshots_give_their_space_back(images: Images) -> None:
    alice = images.core.add_user("alice")
    limit = f'DATASTORE=[ID="{images.store}", IMAGES="-1", SIZE="-1"]'
    images.core.call("user.quota", alice, limit)
    image_id = with_snapshots(images)
    images.core.call("image.chown", image_id, alice, -1)
    assert count(images, alice) == ("1", "1084")
    images.core.call("image.snapshotflatten", image_id, 2)
    images.end()
    assert count(images, alice) == ("1", "1024") and images.contradictions() == []
