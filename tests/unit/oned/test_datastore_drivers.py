"""What datastores take over from oned.conf, and which templates are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.template import Template
from services.oned import config
from services.oned.errors import RequestError
from services.oned.model.datastore import Datastore, DatastoreType, DiskType
from services.oned.model.datastore_drivers import settle_new, settle_update

STOCK = Path(__file__).resolve().parents[3] / "share/etc/oned.conf"
CONF = config.load(STOCK)


def _new(text: str) -> Datastore:
    store = Datastore(100, "d")
    store.template = Template.parse(text)
    settle_new(store, CONF)
    return store


def test_an_image_datastore_takes_the_targets_of_its_driver() -> None:
    store = _new("NAME=d DS_MAD=dummy TM_MAD=dummy BASE_PATH=/elsewhere SHARED=YES".replace(" ", "\n"))
    assert store.type is DatastoreType.IMAGE_DS and store.disk_type is DiskType.FILE
    assert store.template == Template.parse(
        'ALLOW_ORPHANS="NO"\nCLONE_TARGET="SYSTEM"\nDISK_TYPE="FILE"\nDS_MAD="dummy"\nLN_TARGET="NONE"\n'
        'RESTRICTED_DIRS="/"\nSAFE_DIRS="/var/tmp"\nTM_MAD="dummy"'
    )


def test_a_system_datastore_has_no_datastore_driver() -> None:
    store = _new('TYPE="system_ds"\nTM_MAD="ssh"\nSAFE_DIRS="/data"\nLN_TARGET="SELF"')
    assert store.type is DatastoreType.SYSTEM_DS and store.ds_mad == "-"
    assert store.template == Template.parse(
        'ALLOW_ORPHANS="YES"\nDISK_TYPE="FILE"\nDS_MIGRATE="YES"\nSAFE_DIRS="/data"\nSHARED="NO"\nTM_MAD="ssh"\n'
        'TYPE="system_ds"'
    )


def test_targets_for_other_system_datastores() -> None:
    store = _new("DS_MAD=ceph\nTM_MAD=ceph\nDISK_TYPE=rbd\nBRIDGE_LIST=n1")
    values = {name: store.template.get(name) for name in store.template.names()}
    assert values["TM_MAD_SYSTEM"] == "ssh,shared"
    assert (values["LN_TARGET_SSH"], values["CLONE_TARGET_SHARED"], values["DISK_TYPE_SHARED"]) == (
        "SYSTEM",
        "SELF",
        "RBD",
    )
    assert store.disk_type is DiskType.RBD and values["DRIVER"] == "raw"


def test_a_file_datastore_shows_no_disk_type() -> None:
    store = _new("TYPE=FILE_DS\nDS_MAD=fs\nTM_MAD=ssh\nDISK_TYPE=RBD")
    assert store.disk_type is DiskType.FILE and store.template.get("DISK_TYPE") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TM_MAD=dummy", "No DS_MAD in template."),
        ("DS_MAD=dummy", "No TM_MAD in template."),
        ("TYPE=SYSTEM_DS\nDS_MAD=fs\nTM_MAD=ssh", "SYSTEM datastores cannot have DS_MAD defined."),
        ("DS_MAD=nope\nTM_MAD=ssh", 'DS_MAD named "nope" is not defined in oned.conf'),
        ("DS_MAD=fs\nTM_MAD=nope", 'TM_MAD named "nope" is not defined in oned.conf'),
        ("DS_MAD=ceph\nTM_MAD=ceph\nDISK_TYPE=RBD", 'missing the "BRIDGE_LIST" attribute'),
        ("DS_MAD=fs\nTM_MAD=ssh\nDISK_TYPE=TAPE", "Unknown DISK_TYPE in template, found 'TAPE'"),
        ("DS_MAD=fs\nTM_MAD=ssh\nDISK_TYPE=CDROM", "Invalid DISK_TYPE for an Image Datastore: found CDROM"),
        (
            "TYPE=SYSTEM_DS\nTM_MAD=ssh\nDISK_TYPE=BLOCK",
            "Invalid DISK_TYPE for a System Datastore: found BLOCK",
        ),
    ],
)
def test_refused_templates(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message.replace("(", "\\(")):
        _new(text)


def test_a_driver_section_that_lacks_a_setting_is_named() -> None:
    broken = config.from_settings(
        Template.parse("TM_MAD_CONF=[NAME=half,LN_TARGET=NONE]\nDS_MAD_CONF=[NAME=fs]")
    )
    store = Datastore(100, "d")
    store.template = Template.parse("DS_MAD=fs\nTM_MAD=half")
    with pytest.raises(RequestError, match="Attribute CLONE_TARGET in TM_MAD_CONF for half"):
        settle_new(store, broken)


def test_an_update_puts_drivers_and_type_back() -> None:
    store = _new("DS_MAD=dummy\nTM_MAD=dummy")
    store.template = Template.parse("LIMIT_MB=5")
    settle_update(store, CONF)
    assert {name: store.template.get(name) for name in store.template.names()} == {
        "LIMIT_MB": "5",
        "DS_MAD": "dummy",
        "TM_MAD": "dummy",
        "TYPE": "IMAGE_DS",
    }


def test_another_driver_makes_sizes_unknown() -> None:
    store = _new("DS_MAD=dummy\nTM_MAD=dummy")
    store.total_mb = store.free_mb = 9
    store.template.set("DS_MAD", "fs")
    store.template.set("TM_MAD", "qcow2")
    settle_update(store, CONF)
    assert (store.ds_mad, store.tm_mad, store.total_mb, store.free_mb) == ("fs", "qcow2", 0, 0)
    assert store.template.get("DRIVER") == "qcow2"


def test_the_first_system_datastore_stays_one() -> None:
    store = Datastore(0, "system")
    store.type, store.tm_mad, store.ds_mad = DatastoreType.SYSTEM_DS, "ssh", "-"
    store.template = Template.parse("TYPE=IMAGE_DS\nDS_MAD=fs")
    settle_update(store, CONF)
    assert store.type is DatastoreType.SYSTEM_DS
    assert store.template.get("TYPE") == "SYSTEM_DS" and store.template.get("DS_MAD") is None
