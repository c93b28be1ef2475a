"""one.image.allocate: every form of content, what is refused and with which code, what the driver says."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.oned.auth.rights import Right
from services.oned.errors import Code
from services.oned.model import acl
from tests.support.core import Core, Refused
from tests.support.images import Images
from tests.support.schemas import Schemas


@pytest.fixture
def images(core: Core) -> Images:
    return Images(core)


def refused(images: Images, template: str, store: int | None = None, user: str = "oneadmin") -> int:
    with pytest.raises(Refused) as refusal:
        images.allocate(template, store, user)
    return refusal.value.code


def test_a_path_is_copied_by_the_driver(images: Images) -> None:
    image_id = images.allocate('NAME="os"\nPATH="/etc/hostname"\nFS="ext4"\nNOTE="kept"')
    assert images.waiting() == ["ds.CP"]
    image = images.info(image_id)
    values = {child.tag: child.text for child in image if not len(child)}
    assert (values["STATE"], values["PREV_STATE"], values["SIZE"]) == ("4", "0", "1024")
    assert (values["PATH"], values["SOURCE"], values["FORMAT"], values["FS"]) == (
        "/etc/hostname",
        "",
        "",
        "ext4",
    )
    assert [(part.tag, part.text) for part in image.findall("TEMPLATE/*")] == [
        ("DEV_PREFIX", "sd"),
        ("NOTE", "kept"),
    ]
    assert images.core.info("datastore.info", images.store).findtext("IMAGES/ID") == str(image_id)
    assert images.end(output="/ds/1 qcow2") == "ds.CP"
    assert [images.text(image_id, name) for name in ("STATE", "PREV_STATE", "SOURCE", "FORMAT")] == [
        "1",
        "1",
        "/ds/1",
        "qcow2",
    ]
    assert images.contradictions() == []


@pytest.mark.parametrize("path", ["http://x.example/i.qcow2?a=1&b=2", "/a b/<c>", "ssh://h/f"])
def test_the_driver_is_asked_for_the_size_of_any_path(images: Images, path: str) -> None:
    image_id = images.allocate(f'NAME="i"\nPATH="{path}"')
    assert (images.text(image_id, "SIZE"), images.text(image_id, "PATH")) == ("1024", path)


def test_an_empty_disk_is_made(images: Images) -> None:
    image_id = images.allocate('NAME="db"\nTYPE="DATABLOCK"\nSIZE="64"\nPERSISTENT="YES"\nFORMAT="qcow2"')
    assert images.waiting() == ["ds.MKFS"]
    assert [images.text(image_id, n) for n in ("TYPE", "PERSISTENT", "FORMAT", "SIZE")] == [
        "2",
        "1",
        "qcow2",
        "64",
    ]
    images.end()
    assert (images.state(image_id), images.text(image_id, "SOURCE")) == ("1", "/ds/made")
    plain = images.allocate('NAME="db2"\nTYPE="datablock"\nSIZE="64"\nDRIVER="mine"')
    assert (images.text(plain, "FORMAT"), images.text(plain, "TEMPLATE/DRIVER")) == ("raw", "-")


def test_the_datastores_driver_forces_the_format_of_empty_disks(images: Images) -> None:
    images.core.call("datastore.update", images.store, 'DRIVER="vmdk"', 1)
    image_id = images.allocate('NAME="db"\nTYPE="DATABLOCK"\nSIZE="64"\nFORMAT="qcow2"')
    assert (images.text(image_id, "FORMAT"), images.text(image_id, "TEMPLATE/DRIVER")) == ("vmdk", "vmdk")


def test_a_source_is_used_as_it_is(images: Images) -> None:
    image_id = images.allocate('NAME="lun"\nTYPE="OS"\nSOURCE="iqn.1"\nSIZE="5"')
    assert images.waiting() == []
    assert [images.text(image_id, n) for n in ("STATE", "PREV_STATE", "SOURCE", "PATH", "SIZE")] == [
        "1",
        "1",
        "iqn.1",
        "",
        "5",
    ]


@pytest.mark.parametrize(("word", "number"), [("KERNEL", "3"), ("RAMDISK", "4"), ("context", "5")])
def test_files_have_no_device_and_are_never_persistent(images: Images, word: str, number: str) -> None:
    template = f'NAME="f"\nTYPE="{word}"\nPATH="/boot/x"\nPERSISTENT="YES"\nDEV_PREFIX="sd"'
    image_id = images.allocate(template, images.files)
    assert [images.text(image_id, n) for n in ("TYPE", "PERSISTENT", "TEMPLATE/DEV_PREFIX")] == [
        number,
        "0",
        "-",
    ]
    assert refused(images, template.replace('"f"', '"g"'), images.store) == Code.ALLOCATE


def test_defaults_of_oned_conf(images: Images) -> None:
    image_id = images.allocate('NAME="cd"\nTYPE="CDROM"\nPATH="/x"')
    assert (images.text(image_id, "TYPE"), images.text(image_id, "TEMPLATE/DEV_PREFIX")) == ("1", "hd")
    own = images.allocate('NAME="own"\nPATH="/x"\nDEV_PREFIX="vd"\nTARGET="vdb"')
    assert (images.text(own, "TYPE"), images.text(own, "TEMPLATE/DEV_PREFIX")) == ("0", "vd")


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ('NAME="x" TYPE="OS"', Code.INTERNAL),
        ('NAME="x" TYPE="OS" SOURCE="/s"', Code.INTERNAL),
        ('NAME="x" TYPE="DATABLOCK" SIZE="ten"', Code.INTERNAL),
        ('NAME="x" TYPE="DATABLOCK" SIZE="-5"', Code.INTERNAL),
        ('NAME="x" TYPE="CDROM"', Code.INTERNAL),
        ('NAME="x" FROM_APP="77"', Code.INTERNAL),
        ("NAME=", Code.INTERNAL),
        ("X", Code.INTERNAL),
        ('PATH="/x"', Code.ALLOCATE),
        ('NAME="a:b" PATH="/x"', Code.ALLOCATE),
        ('NAME="x" TYPE="WEIRD" PATH="/x"', Code.ALLOCATE),
        ('NAME="x" TYPE="KERNEL" PATH="/x"', Code.ALLOCATE),
        ('NAME="x" TYPE="DATABLOCK" PATH="/x" SOURCE="/y"', Code.ALLOCATE),
        ('NAME="x" TYPE="DATABLOCK" SOURCE="/y" SIZE="1"', None),
    ],
)
def test_codes_of_refused_templates(images: Images, template: str, code: int | None) -> None:
    if code is None:
        assert images.state(images.allocate(template)) == "1"
    else:
        assert refused(images, template) == code
        assert images.core.call("imagepool.info", -2, -1, -1) == "<IMAGE_POOL></IMAGE_POOL>"


def test_the_datastore_must_be_there_and_for_images(images: Images) -> None:
    assert refused(images, 'NAME="x" PATH="/x"', 999) == Code.NO_EXISTS
    assert refused(images, 'NAME="x" PATH="/x"', 0) == Code.ALLOCATE
    assert refused(images, 'NAME="x" PATH="/x"', images.files) == Code.ALLOCATE


def test_names_differ_for_each_owner(images: Images) -> None:
    images.core.add_user("alice")
    images.allocate('NAME="same" PATH="/x"')
    assert refused(images, 'NAME="same" PATH="/x"') == Code.ALLOCATE
    images.allocate('NAME="same" PATH="/x"', user="alice")


def test_rights_and_restricted_attributes(images: Images) -> None:
    core = images.core
    core.add_user("alice")
    assert refused(images, 'NAME="x" SOURCE="/s" SIZE="1"', user="alice") == Code.AUTHORIZATION
    # A group outside the default VDC: it may use what the datastore's bits allow, and create no images.
    group = core.call("group.allocate", "outside")
    core.call("vdc.delgroup", 0, group)
    core.add_user("bob", group)
    assert refused(images, 'NAME="x" PATH="/x"', user="bob") == Code.AUTHORIZATION
    rule = (acl.GROUP | group, acl.kinds("IMAGE") | acl.ALL, int(Right.CREATE))
    core.call("acl.addrule", *(f"{number:x}" for number in rule))
    images.allocate('NAME="x" PATH="/x"', user="bob")
    core.call("datastore.chmod", images.store, -1, -1, -1, -1, -1, -1, 0, 0, 0)
    assert refused(images, 'NAME="y" PATH="/x"', user="bob") == Code.AUTHORIZATION


def test_capacity_is_checked_unless_an_administrator_says_no(images: Images) -> None:
    core = images.core
    core.add_user("alice")
    core.call("datastore.update", images.store, 'DATASTORE_CAPACITY_CHECK="YES"', 1)
    template = 'NAME="x" TYPE="DATABLOCK" SIZE="64"'
    for user, check in (("oneadmin", True), ("alice", True), ("alice", False)):
        with pytest.raises(Refused) as refusal:
            core.call("image.allocate", template, images.store, check, user=user)
        assert refusal.value.code == Code.ACTION
    assert core.call("image.allocate", template, images.store, False) == 0
    core.store.run(
        lambda tx: tx.run("UPDATE datastore_pool SET body = REPLACE(body, '<FREE_MB>0<', '<FREE_MB>70<')")
    )
    assert core.call("image.allocate", template.replace('"x"', '"y"'), images.store, True) == 1
    core.call("datastore.update", images.store, 'LIMIT_MB="60"', 1)
    with pytest.raises(Refused):
        core.call("image.allocate", template.replace('"x"', '"z"'), images.store, True)


def test_what_becomes_persistent(images: Images) -> None:
    core = images.core
    by_template = images.allocate('NAME="a" PATH="/x" PERSISTENT="yes" PERSISTENT_TYPE="SHAREABLE"')
    assert images.text(by_template, "PERSISTENT") == "1"
    shareable = images.allocate('NAME="b" PATH="/x" PERSISTENT_TYPE="shareable"')
    assert (images.text(shareable, "PERSISTENT"), images.text(shareable, "TEMPLATE/PERSISTENT_TYPE")) == (
        "0",
        "-",
    )
    core.call("user.update", 0, 'OPENNEBULA=[DEFAULT_IMAGE_PERSISTENT_NEW="YES"]', 1)
    assert images.text(images.allocate('NAME="c" PATH="/x"'), "PERSISTENT") == "1"
    assert images.text(images.allocate('NAME="d" PATH="/x" PERSISTENT="NO"'), "PERSISTENT") == "0"


def test_a_failing_driver_leaves_its_words(images: Images) -> None:
    fails = 'DUMMY=[FAIL="datastore/{}"]'
    copied = images.allocate(f'NAME="a" PATH="/x" {fails.format("cp")}')
    made = images.allocate(f'NAME="b" TYPE="DATABLOCK" SIZE="1" {fails.format("mkfs")}')
    images.drain()
    for image_id, words in (
        (copied, "Error copying image in the datastore"),
        (made, "Error creating datablock"),
    ):
        assert images.state(image_id) == "5"
        error = images.text(image_id, "TEMPLATE/ERROR")
        assert words in error and error.endswith("failed as its settings ask")
    images.core.call("image.enable", copied, True)
    assert images.state(copied) == "1"
    assert images.contradictions() == []


def test_a_missing_driver_is_said(images: Images) -> None:
    template = 'NAME="blocks" DS_MAD="dev" TM_MAD="dev" DISK_TYPE="BLOCK"'
    store = images.core.call("datastore.allocate", template, 0)
    with pytest.raises(Refused, match="Datastore driver 'dev' not available") as refusal:
        images.allocate('NAME="x" PATH="/etc/hostname"', store)
    assert refusal.value.code == Code.INTERNAL
    image_id = images.core.call(
        "image.allocate", 'NAME="x" TYPE="DATABLOCK" SIZE="1" PERSISTENT="YES"', store, False
    )
    images.drain()
    assert images.state(image_id) == "5"
    assert "Datastore driver 'dev' not available" in images.text(image_id, "TEMPLATE/ERROR")


def test_an_answer_without_format_is_a_failure(images: Images) -> None:
    image_id = images.allocate('NAME="x" PATH="/x"')
    images.end(output="/ds/1")
    assert images.state(image_id) == "5"
    assert "FORMAT was not returned" in images.text(image_id, "TEMPLATE/ERROR")


def test_documents_are_valid(images: Images, shared_folder: Path) -> None:
    schemas = Schemas(shared_folder / "spec/xsd")
    image_id = images.ready('NAME="os" PATH="/x" ')
    images.core.call("image.lock", image_id, 1, False)
    assert schemas.problem(images.core.call("image.info", image_id)) is None
    assert schemas.problem(images.core.call("imagepool.info", -2, -1, -1)) is None


def test_of_an_attribute_given_twice_the_last_counts(images: Images) -> None:
    image_id = images.allocate('NAME="a" TYPE="DATABLOCK" SIZE="1" SIZE="7" X=[A="1"] X=[A="2"] NAME="b"')
    assert [images.text(image_id, name) for name in ("NAME", "SIZE")] == ["b", "7"]
    images.core.call("image.update", image_id, 'Y="1"\nY="2"\nX=[A="3"]\nX=[A="4"]', 1)
    found = [(e.tag, e.text or e.findtext("A")) for e in images.info(image_id).findall("TEMPLATE/*")]
    assert found == [("DEV_PREFIX", "sd"), ("X", "4"), ("Y", "2")]
