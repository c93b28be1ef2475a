"""The consistency check finds what does not fit between images, their users, datastores and marketplaces."""

from __future__ import annotations

from typing import Any

import pytest

from services.oned.model.image import ImageState
from services.oned.store import Tx, jobs
from tests.support.core import Core
from tests.support.images import Images


@pytest.fixture
def images(core: Core) -> Images:
    return Images(core)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ({"vms": [5], "running_vms": 1, "state": ImageState.USED}, "VMS are [5], expected []"),
        ({"running_vms": 2}, "RUNNING_VMS is 2, it lists 0 VMs"),
        ({"clones": [9], "cloning_ops": 1, "state": ImageState.USED}, "CLONES are [9], expected []"),
        ({"app_clones": [9], "cloning_ops": 1, "state": ImageState.CLONE}, "APP_CLONES are [9], expected []"),
        ({"cloning_ops": 3}, "CLONING_OPS is 3, it lists 0 copies"),
        ({"state": ImageState.USED}, "is USED, but nothing uses it"),
        ({"state": ImageState.CLONE}, "is CLONE, but nothing uses it"),
        ({"running_vms": 1}, "is READY, but 1 virtual machines or copies use it"),
        ({"state": ImageState.LOCKED}, "is LOCKED, but no driver works on it"),
        ({"state": ImageState.DELETE}, "is DELETE, but no driver works on it"),
        ({"datastore_id": 77}, "datastore 77 does not exist, but images [0] are in it"),
    ],
)
def test_an_image_that_does_not_fit(images: Images, texts: dict[str, Any], found: str) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    assert images.contradictions() == []
    images.edit(image_id, **texts)
    assert any(found in line for line in images.contradictions()), images.contradictions()


def test_a_row_and_a_list_that_differ(images: Images) -> None:
    images.ready('NAME="os" PATH="/x"')
    images.core.store.run(lambda tx: tx.run("UPDATE image_pool SET name = 'other'"))
    assert "image 0: column name is 'other', the document says 'os'" in images.contradictions()
    images.core.store.run(lambda tx: tx.run("DELETE FROM image_pool"))
    assert any("IMAGES are [0], expected []" in line for line in images.contradictions())


def test_a_job_without_image(images: Images) -> None:
    def add(tx: Tx) -> None:
        jobs.add(tx, kind="IMAGE", oid=9, operation="ds.RM", driver="dummy", host="")

    images.core.store.run(add)
    assert "job for image 9, which does not exist" in images.contradictions()


def test_vms_of_an_image_that_is_gone(images: Images) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    images.core.call("vm.allocate", f'CPU="0.1" MEMORY="16" DISK=[IMAGE_ID="{image_id}"]', True)
    assert images.contradictions() == []
    images.core.store.run(lambda tx: tx.run("DELETE FROM image_pool"))
    assert "image 0 does not exist, but virtual machines [0] use it" in images.contradictions()


def test_appliances_that_are_not_listed(images: Images) -> None:
    text = images.core.call("marketapppool.info", -2, -1, -1)
    assert text == "<MARKETPLACEAPP_POOL></MARKETPLACEAPP_POOL>"
    app = (
        "<MARKETPLACEAPP><ID>0</ID><UID>0</UID><GID>0</GID><NAME>a</NAME><MARKETPLACE_ID>{}</MARKETPLACE_ID>"
        "<STATE>2</STATE><TYPE>1</TYPE><TEMPLATE></TEMPLATE></MARKETPLACEAPP>"
    )
    oid = images.core.call("marketapp.allocatedb", app.format(0))
    found = images.contradictions()
    assert f"marketplace 0: MARKETPLACEAPPS are [], the appliances say [{oid}]" in found
    assert f"marketplaceapp {oid}: is LOCKED, but no driver works on it" in found
    images.core.call("marketapp.updatedb", oid, app.format(55).replace("<ID>0<", f"<ID>{oid}<"))
    assert f"marketplace 55 does not exist, but appliances [{oid}] are in it" in images.contradictions()
