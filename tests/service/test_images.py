"""Images through a whole front-end: the engine with dummy drivers, crashes, waiting VMs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

import pytest

from services.common.oca import Client, OneError
from tests.support.crash import wait
from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(180)
STORE = 'NAME="img" DS_MAD="dummy" TM_MAD="dummy"'
SYSTEM = 'NAME="sys" TYPE="SYSTEM_DS" TM_MAD="dummy"'


class Cloud:
    """oneadmin's client, a dummy image datastore that was monitored, and a dummy host."""

    def __init__(self, frontend: Frontend) -> None:
        self.client: Client = frontend.client()
        self.store = self.client.call("datastore.allocate", STORE, 0)
        self.system = self.client.call("datastore.allocate", SYSTEM, 0)
        self.host = self.client.call("host.allocate", "node", "dummy", "dummy", 0)

    def image(self, name: str, more: str = 'PATH="/x"') -> int:
        image_id: int = self.client.call("image.allocate", f'NAME="{name}" {more}', self.store, False)
        return image_id

    def text(self, kind: str, oid: int, path: str) -> str:
        return ElementTree.fromstring(self.client.call(f"{kind}.info", oid)).findtext(path) or ""

    def until(self, kind: str, oid: int, state: str) -> None:
        wait(lambda: self.text(kind, oid, "STATE") == state, f"{kind} {oid} in state {state}", 60)

    def gone(self, image_id: int) -> Callable[[], bool]:
        def check() -> bool:
            try:
                self.client.call("image.info", image_id)
            except OneError as error:
                return error.code == 0x400
            return False

        return check


@pytest.fixture(scope="module")
def cloud(frontend: Frontend) -> Cloud:
    return Cloud(frontend)


@pytest.fixture(autouse=True)
def consistent(frontend: Frontend) -> Iterator[None]:
    """After each test everything that is counted fits."""
    yield
    checked = frontend.run("onedb", "fsck", "--dry-run")
    assert checked.returncode == 0, checked.stdout


def test_from_allocation_to_deletion(cloud: Cloud) -> None:
    image_id = cloud.image("os")
    cloud.until("image", image_id, "1")
    assert [cloud.text("image", image_id, name) for name in ("SIZE", "SOURCE", "FORMAT")] == [
        "1024",
        "dummy_path",
        "dummy_format",
    ]
    wait(lambda: cloud.text("datastore", cloud.store, "TOTAL_MB") == "20480", "the datastore's size")
    copy = cloud.client.call("image.clone", image_id, "copy", -1)
    cloud.until("image", copy, "1")
    for doomed in (image_id, copy):
        cloud.client.call("image.delete", doomed)
        wait(cloud.gone(doomed), f"image {doomed} is gone")


def test_many_at_once(cloud: Cloud, frontend: Frontend) -> None:
    made: list[int] = []

    def make(prefix: int) -> None:
        client = frontend.client()
        for number in range(5):
            template = f'NAME="many-{prefix}-{number}" PATH="/x" DUMMY=[DELAY_S="0.1"]'
            made.append(client.call("image.allocate", template, cloud.store, False))

    threads = [threading.Thread(target=make, args=(prefix,)) for prefix in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 20
    for image_id in made:
        cloud.until("image", image_id, "1")
        cloud.client.call("image.delete", image_id)
    for image_id in made:
        wait(cloud.gone(image_id), f"image {image_id} is gone")


def test_one_of_many_gets_a_persistent_image(cloud: Cloud, frontend: Frontend) -> None:
    image_id = cloud.image("single", 'PATH="/x" PERSISTENT="YES"')
    cloud.until("image", image_id, "1")
    made: list[int] = []
    refused: list[OneError] = []
    template = f'CPU="0.1" MEMORY="16" DISK=[IMAGE_ID="{image_id}"]'

    def make() -> None:
        try:
            made.append(frontend.client().call("vm.allocate", template, True))
        except OneError as error:
            refused.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 5), [error.message for error in refused]
    assert cloud.text("image", image_id, "RUNNING_VMS") == "1"
    cloud.client.call("vm.action", "terminate", made[0])
    cloud.until("image", image_id, "1")
    cloud.client.call("image.delete", image_id)


def test_a_failure_is_shown_and_the_image_can_go(cloud: Cloud) -> None:
    image_id = cloud.image("bad", 'PATH="/x" DUMMY=[FAIL="cp"]')
    cloud.until("image", image_id, "5")
    assert "failed as its settings ask" in cloud.text("image", image_id, "TEMPLATE/ERROR")
    cloud.client.call("image.delete", image_id)
    assert cloud.gone(image_id)()


def test_a_driver_that_fails_to_tell_the_size_refuses_the_image(cloud: Cloud) -> None:
    with pytest.raises(OneError, match="datastore/fs/stat"):
        cloud.client.call("image.allocate", 'NAME="x" PATH="/etc/hostname"', 1, False)
    assert ElementTree.fromstring(cloud.client.call("imagepool.info", -2, -1, -1)).find("IMAGE") is None


def test_a_vm_waits_for_its_image(cloud: Cloud) -> None:
    image_id = cloud.image("slow", 'PATH="/x" DUMMY=[DELAY_S="1.5", DELAY_ACTION="cp"]')
    vm_id = cloud.client.call("vm.allocate", f'CPU="0.1" MEMORY="16" DISK=[IMAGE_ID="{image_id}"]', False)
    assert cloud.text("vm", vm_id, "STATE") == "10"
    assert cloud.text("vm", vm_id, "TEMPLATE/DISK/CLONING") == "YES"
    assert cloud.text("image", image_id, "STATE") == "9"
    wait(lambda: cloud.text("vm", vm_id, "STATE") in ("1", "3"), "the VM goes on")
    assert cloud.text("vm", vm_id, "TEMPLATE/DISK/SOURCE") == "dummy_path"
    assert cloud.text("image", image_id, "STATE") == "2"
    with pytest.raises(OneError):
        cloud.client.call("image.delete", image_id)
    cloud.client.call("vm.recover", vm_id, 3)
    cloud.until("vm", vm_id, "6")
    cloud.until("image", image_id, "1")
    cloud.client.call("image.delete", image_id)
    wait(cloud.gone(image_id), "the image is gone")


def test_a_vm_fails_with_its_image_and_recovers_with_it(cloud: Cloud) -> None:
    image_id = cloud.image("broken", 'PATH="/x" DUMMY=[DELAY_S="1", FAIL="cp"]')
    vm_id = cloud.client.call("vm.allocate", f'CPU="0.1" MEMORY="16" DISK=[IMAGE_ID="{image_id}"]', True)
    cloud.until("vm", vm_id, "11")
    assert cloud.text("image", image_id, "STATE") == "5"
    cloud.client.call("image.enable", image_id, True)
    assert cloud.text("image", image_id, "STATE") == "2"
    assert cloud.text("vm", vm_id, "STATE") in ("1", "2")
    cloud.client.call("vm.recover", vm_id, 3)
    cloud.until("vm", vm_id, "6")
    cloud.until("image", image_id, "1")
    cloud.client.call("image.delete", image_id)


def test_a_killed_engine_leaves_no_image_behind(cloud: Cloud, frontend: Frontend) -> None:
    images = [cloud.image(f"kept-{n}", 'PATH="/x" DUMMY=[DELAY_S="1"]') for n in range(4)]
    frontend.kill("opennebula-engine")
    late = cloud.image("late")
    assert {cloud.text("image", image_id, "STATE") for image_id in (*images, late)} == {"4"}
    frontend.spawn("opennebula-engine")
    for image_id in (*images, late):
        cloud.until("image", image_id, "1")
        cloud.client.call("image.delete", image_id)
    for image_id in (*images, late):
        wait(cloud.gone(image_id), f"image {image_id} is gone")


def test_system_datastores_report_too(cloud: Cloud, frontend: Frontend) -> None:
    frontend.kill("opennebula-engine")
    frontend.spawn("opennebula-engine")  # a new engine asks all of them
    wait(lambda: cloud.text("datastore", cloud.system, "TOTAL_MB") == "4796800", "the datastore's size")
