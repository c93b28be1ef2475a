"""VM templates together with the images of their disks: copies, deletion, bits, extended documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common import xmldoc
from tests.support.core import Core
from tests.support.schemas import Schemas
from tests.support.vm_parts import (
    ACTION,
    AUTHORIZATION,
    CAPACITY,
    INTERNAL,
    datastore,
    image,
    network,
    parts,
    refused,
)

_OPEN = (-1, -1, -1, 1, -1, -1, 1, -1, -1)
TWO_DISKS = (
    "DISK=[IMAGE=os,IMAGE_UNAME=oneadmin,SIZE=2048]\nDISK=[TYPE=fs,SIZE=1]\nDISK=[IMAGE_ID=1]\n"
    "NIC=[NETWORK=net,NETWORK_UNAME=oneadmin]"
)


@pytest.fixture
def template(core: Core) -> int:
    """An open template with disks of the images os (0) and data (1)."""
    core.add_user("ann")
    store = datastore(core, "img")
    image(core, "os", store, is_open=True)
    image(core, "data", store, "DATABLOCK", is_open=True)
    network(core, "net", "10.0.0.1")
    oid: int = core.call("template.allocate", f"NAME=t\n{CAPACITY}{TWO_DISKS}")
    core.call("template.chmod", oid, *_OPEN, False)
    return oid


def _disks(core: Core, oid: int) -> list[dict[str, str]]:
    return [parts(disk) for disk in core.info("template.info", oid, False, False).iterfind("TEMPLATE/DISK")]


def _images(core: Core) -> dict[str, xmldoc.etree._Element]:
    pool = core.info("imagepool.info", -2, -1, -1)
    return {found.findtext("NAME") or "": found for found in pool}


# -- copies ------------------------------------------------------------------------------------------------
def test_a_copy_with_its_images(core: Core, template: int) -> None:
    copy = core.call("template.clone", template, "mine", True, user="ann")
    # Volatile disks count in the images' names, and parts that name another image go.
    assert _disks(core, copy) == [
        {"IMAGE_ID": "2", "SIZE": "2048"},
        {"SIZE": "1", "TYPE": "fs"},
        {"IMAGE_ID": "3"},
    ]
    images = _images(core)
    assert {"mine-disk-0", "mine-disk-2"} <= images.keys()
    assert images["mine-disk-0"].findtext("UNAME") == "ann"
    assert images["os"].findtext("CLONES/ID") == "2"


def test_a_copy_that_fails_leaves_nothing(core: Core, template: int) -> None:
    core.call("image.chmod", 1, -1, -1, -1, 0, -1, -1, 0, -1, -1)
    text = refused(core, ACTION, "template.clone", template, "mine", True, user="ann")
    assert "Failed to clone images" in text and "USE IMAGE [1]" in text
    assert _images(core).keys() == {"os", "data"}
    assert len(core.info("templatepool.info", -2, -1, -1)) == 1


def test_a_persistent_vm_has_its_own_images(core: Core, template: int) -> None:
    vm_id = core.call("template.instantiate", template, "pet", True, "MEMORY=99", True, user="ann")
    vm = core.info("vm.info", vm_id)
    copy = int(vm.findtext("TEMPLATE/TEMPLATE_ID") or -1)
    assert vm.findtext("TEMPLATE/CLONING_TEMPLATE_ID") == str(template)
    assert [disk["IMAGE_ID"] for disk in _disks(core, copy) if "IMAGE_ID" in disk] == ["2", "3"]
    document = core.info("template.info", copy)
    assert [document.findtext(n) for n in ("NAME", "UNAME", "TEMPLATE/MEMORY")] == ["pet", "ann", "99"]
    # It waits until they are made.
    assert (vm.findtext("STATE"), vm.findtext("TEMPLATE/DISK/CLONING")) == ("10", "YES")
    nameless = core.call("template.instantiate", template, "", True, "", True)
    copy = int(core.info("vm.info", nameless).findtext("TEMPLATE/TEMPLATE_ID") or -1)
    assert core.info("template.info", copy).findtext("NAME") == "t-copy"


def test_a_persistent_vm_that_cannot_be_leaves_nothing(core: Core, template: int) -> None:
    refused(core, 0x4000, "template.instantiate", template, "pet", True, "NIC=[NETWORK_ID=9]", True)
    refused(core, INTERNAL, "template.instantiate", template, "pet", True, "A=[", True)
    refused(core, AUTHORIZATION, "template.instantiate", template, "p", True, "EMULATOR=x", True, user="ann")
    assert _images(core).keys() == {"os", "data"}
    assert len(core.info("templatepool.info", -2, -1, -1)) == 1


# -- deletion and bits -------------------------------------------------------------------------------------
def test_deletion_with_images(core: Core, template: int) -> None:
    assert core.call("template.delete", template, True) == template
    states = {name: found.findtext("STATE") for name, found in _images(core).items()}
    assert states == {"os": "7", "data": "7"}  # their drivers remove them
    refused(core, 0x400, "template.info", template, False, False)


def test_a_deletion_that_fails_changes_nothing(core: Core, template: int) -> None:
    core.call("vm.allocate", f"{CAPACITY}DISK=[IMAGE_ID=1]", True)
    text = refused(core, ACTION, "template.delete", template, True)
    assert "Cannot delete IMAGE: 1" in text
    assert _images(core)["os"].findtext("STATE") == "1" and len(_disks(core, template)) == 3


def test_bits_of_the_template_and_its_images(core: Core, template: int) -> None:
    core.call("template.chmod", template, -1, -1, -1, 0, 1, -1, 0, -1, -1, True)
    for found in (*_images(core).values(), core.info("template.info", template)):
        bits = [bit.text for bit in found.iterfind("PERMISSIONS/*")]
        assert bits == ["1", "1", "0", "0", "1", "0", "0", "0", "0"]
    core.call("template.chown", template, 2, 1)
    text = refused(core, ACTION, "template.chmod", template, 1, 1, 0, 1, 0, 0, 0, 0, 0, True, user="ann")
    assert "Cannot chmod IMAGE: 0" in text and "1 (" in text
    assert core.info("template.info", template).findtext("PERMISSIONS/GROUP_M") == "1"


# -- documents ---------------------------------------------------------------------------------------------
def test_the_extended_document(core: Core, template: int, shared_folder: Path) -> None:
    text = core.call("template.info", template, True, False)
    document = xmldoc.parse(text)
    first, volatile, second = (parts(disk) for disk in document.iterfind("TEMPLATE/DISK"))
    assert (
        first.items()
        >= {
            "DISK_ID": "0",
            "IMAGE_ID": "0",
            "DATASTORE": "img",
            "SIZE": "2048",
            "ORIGINAL_SIZE": "1024",
            "CLONE": "YES",
        }.items()
    )
    assert volatile == {"DISK_ID": "1", "SIZE": "1", "TYPE": "fs"}
    assert second["IMAGE"] == "data" and "TARGET" not in second
    assert document.findtext("TEMPLATE/NIC/NETWORK_ID") == "0"
    schemas = Schemas(shared_folder / "spec/xsd")
    assert schemas.knows("VMTEMPLATE") and schemas.problem(text) is None
    # Nothing is taken by looking.
    assert _images(core)["os"].findtext("RUNNING_VMS") == "0"
    assert "DATASTORE" not in _disks(core, template)[0]


def test_the_extended_document_needs_rights_on_the_images(core: Core, template: int) -> None:
    core.call("image.lock", 0, 4, False)  # a lock does not stand against looking
    core.call("template.info", template, True, False, user="ann")
    core.call("image.chmod", 1, -1, -1, -1, 0, -1, -1, 0, -1, -1)
    assert "USE IMAGE [1]" in refused(core, AUTHORIZATION, "template.info", template, True, False, user="ann")
    core.call("template.info", template, False, False, user="ann")


# -- checks at creation and update -------------------------------------------------------------------------
def test_templates_that_no_vm_could_be_made_of(core: Core) -> None:
    assert "Error parsing REPEAT" in refused(
        core, INTERNAL, "template.allocate", "NAME=a\nSCHED_ACTION=[TIME=1,REPEAT=7]"
    )
    assert "unsupported TYPE" in refused(core, INTERNAL, "template.allocate", "NAME=a\nRAW=[TYPE=zz]")
    template = core.call("template.allocate", "NAME=a\nSCHED_ACTION=[TIME=1,DONE=1,MESSAGE=m,ACTION=x]")
    document = core.info("template.info", template)
    assert parts(document.findall("TEMPLATE/SCHED_ACTION")[0]) == {"ACTION": "x", "TIME": "1"}
    for text in ("SCHED_ACTION=[TIME=1,REPEAT=7]", "RAW=[TYPE=zz]"):
        refused(core, INTERNAL, "template.update", template, text, 1)
    core.call("template.update", template, "SCHED_ACTION=[TIME=2,DONE=1]", 1)
    assert parts(core.info("template.info", template).findall("TEMPLATE/SCHED_ACTION")[0]) == {"TIME": "2"}
