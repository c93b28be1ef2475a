"""Images in datastores of the real fs driver, through a whole front-end: from creation to deletion."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from services.common.oca import OneError
from tests.support.crash import wait
from tests.support.frontend import Frontend
from tests.support.web import Page, Web

pytestmark = pytest.mark.timeout(240)
MB = 1024 * 1024
CONTENT = os.urandom(2 * MB) + bytes(MB)


class Cloud:
    """A front-end with an image datastore that takes images from one folder."""

    def __init__(self, frontend: Frontend) -> None:
        self.frontend = frontend
        self.client = frontend.client()
        self.safe = frontend.folder / "safe"
        self.safe.mkdir()
        self.store = self.datastore("img")

    def datastore(self, name: str, more: str = 'DS_MAD="fs" TM_MAD="ssh"') -> int:
        template = f'NAME="{name}" SAFE_DIRS="{self.safe}" RESTRICTED_DIRS="/" {more}'
        store: int = self.client.call("datastore.allocate", template, 0)
        if 'DS_MAD="fs"' in more:
            self.wait_sizes(store)
        return store

    def wait_sizes(self, store: int) -> tuple[int, int, int]:
        """TOTAL_MB, USED_MB and FREE_MB of a datastore, once it was monitored."""
        found = (0, 0, 0)

        def told() -> bool:
            nonlocal found
            root = ElementTree.fromstring(self.client.call("datastore.info", store))
            total, used, free = (
                int(root.findtext(name) or "0") for name in ("TOTAL_MB", "USED_MB", "FREE_MB")
            )
            found = (total, used, free)
            return total > 0

        wait(told, f"the sizes of datastore {store}", 90)
        return found

    def command(self, *words: str) -> str:
        """The output of a command that must succeed."""
        done = self.frontend.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def create(self, name: str, *options: str, store: int | None = None) -> int:
        """An image made by ``oneimage create``."""
        place = str(self.store if store is None else store)
        return int(self.command("oneimage", "create", "-d", place, "--name", name, *options).split()[1])

    def image(self, oid: int) -> ElementTree.Element:
        return ElementTree.fromstring(self.client.call("image.info", oid))

    def text(self, oid: int, path: str) -> str:
        return self.image(oid).findtext(path) or ""

    def until(self, oid: int, state: str) -> None:
        wait(lambda: self.text(oid, "STATE") == state, f"image {oid} in state {state}", 90)

    def delete(self, oid: int) -> None:
        self.client.call("image.delete", oid)
        wait(self.gone(oid), f"image {oid} is gone", 90)

    def gone(self, oid: int) -> Callable[[], bool]:
        def check() -> bool:
            try:
                self.image(oid)
            except OneError as error:
                return error.code == 0x400
            return False

        return check

    def files(self, store: int | None = None) -> list[str]:
        """What lies in a datastore's folder."""
        folder = self.frontend.folder / f"var/datastores/{self.store if store is None else store}"
        return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A front-end on SQLite: the driver knows nothing of databases."""
    frontend = Frontend(tmp_path_factory.mktemp("frontend"))
    try:
        frontend.start("opennebula", "opennebula-engine")
        yield Cloud(frontend)
    finally:
        frontend.stop()


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


@pytest.fixture(autouse=True)
def consistent(cloud: Cloud) -> Iterator[None]:
    """After each test everything that is counted fits, and nothing is left."""
    yield
    checked = cloud.frontend.run("onedb", "fsck", "--dry-run")
    assert checked.returncode == 0, checked.stdout
    assert cloud.files() == []


def test_the_life_of_images(cloud: Cloud, web: Web) -> None:
    source = cloud.safe / 'it\'s a "disk"'
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", source, "50M"], check=True)
    packed = gzip.compress(CONTENT)
    url = web.put("/disk.gz", Page(packed))
    of_file = cloud.create("of-file", "--path", str(source))
    described = cloud.safe / "template"
    described.write_text(f'NAME="of-web" PATH="{url}" SHA1="{hashlib.sha1(packed).hexdigest()}"')
    of_web = int(cloud.command("oneimage", "create", "-d", str(cloud.store), str(described)).split()[1])
    empty = cloud.create(
        "empty", "--type", "DATABLOCK", "--size", "20", "--format", "qcow2", "--fs", "ext4", "--persistent"
    )
    for oid, size, form in ((of_file, "50", "qcow2"), (of_web, "3", "raw"), (empty, "20", "qcow2")):
        cloud.until(oid, "1")
        assert (cloud.text(oid, "SIZE"), cloud.text(oid, "FORMAT")) == (size, form)
    assert Path(cloud.text(of_web, "SOURCE")).read_bytes() == CONTENT
    assert len(cloud.files()) == 3
    other = cloud.datastore("other")
    copy = cloud.client.call("image.clone", of_web, "copy", other)
    cloud.until(copy, "1")
    assert (cloud.text(copy, "FORMAT"), cloud.text(copy, "DATASTORE_ID")) == ("raw", str(other))
    assert Path(cloud.text(copy, "SOURCE")).read_bytes() == CONTENT
    assert cloud.files(other) == [Path(cloud.text(copy, "SOURCE")).name]
    for oid in (of_file, of_web, empty, copy):
        cloud.delete(oid)
    assert cloud.files(other) == []


def test_files_for_contexts(cloud: Cloud) -> None:
    store = cloud.datastore("contexts", 'DS_MAD="fs" TM_MAD="ssh" TYPE="FILE_DS"')
    source = cloud.safe / "initrd.gz"
    source.write_bytes(gzip.compress(b"initrd"))
    kept = cloud.create("initrd", "--type", "RAMDISK", "--path", f"file://{source}", store=store)
    inline = cloud.create("script", "--type", "CONTEXT", "--path", "data:;base64,aGVsbG8K", store=store)
    for oid, data in ((kept, source.read_bytes()), (inline, b"hello\n")):
        cloud.until(oid, "1")
        assert Path(cloud.text(oid, "SOURCE")).read_bytes() == data
        cloud.delete(oid)
    assert cloud.files(store) == []


@pytest.mark.parametrize(("path", "error"), [
    ("/etc/passwd", "Not allowed to copy image from '/etc/passwd'"),
    ("{safe}/../var/.one/one_auth", "Not allowed to copy image"),
    ("file://{safe}/%2e%2e/var/.one/one_auth", "Not allowed to copy image"),
    ("{safe}/nothing", "No such file"),
    ("docker://alpine?size=128&filesystem=ext4", "container registries are not available"),
    ("lxd://images/alpine", "LXD image servers are not available"),
    ("ssh://node:/etc/shadow", "only marketplaces"),
    ("http://127.0.0.1:1/disk", "Connection refused"),
    ("{web}/none", "answers 404"),
])  # fmt: skip
def test_refused_sources_make_no_image(cloud: Cloud, web: Web, path: str, error: str) -> None:
    where = path.format(safe=cloud.safe, web=web.url(""))
    done = cloud.frontend.run("oneimage", "create", "-d", str(cloud.store), "--name", "x", "--path", where)
    assert done.returncode != 0
    assert error in done.stderr and "Cannot parse image SIZE" in done.stderr
    assert cloud.command("oneimage", "list", "-l", "ID", "--no-header").strip() == ""


def test_what_fails_later_is_an_image_in_error(cloud: Cloud, web: Web) -> None:
    url = web.put("/good", Page(CONTENT))
    template = f'NAME="wrong" PATH="{url}" MD5="{"0" * 32}"'
    oid = cloud.client.call("image.allocate", template, cloud.store, False)
    cloud.until(oid, "5")
    assert "Hash does not match" in cloud.text(oid, "TEMPLATE/ERROR")
    assert cloud.files() == []
    cloud.delete(oid)


def test_a_datastore_without_room_takes_no_image(cloud: Cloud) -> None:
    source = cloud.safe / "large"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", source, "900T"], check=True)
    total, used, free = cloud.wait_sizes(cloud.store)
    assert 0 < used < total and 0 < free < total
    with pytest.raises(OneError, match="Not enough space in datastore"):
        cloud.client.call("image.allocate", f'NAME="x" PATH="{source}"', cloud.store, True)


def test_drivers_that_are_not_available_say_so(cloud: Cloud) -> None:
    store = cloud.datastore("dev", 'DS_MAD="dev" TM_MAD="dev" DISK_TYPE="BLOCK"')
    with pytest.raises(OneError, match="Datastore driver 'dev' not available"):
        cloud.client.call("image.allocate", 'NAME="x" PATH="/x"', store, False)


def test_a_download_is_begun_again_when_the_engine_was_killed(cloud: Cloud, web: Web) -> None:
    gate = threading.Event()
    page = Page(CONTENT)
    url = web.put("/gate", page)
    page.gate = gate  # stat asks for the beginning alone, and gets it
    oid = cloud.client.call("image.allocate", f'NAME="killed" PATH="{url}"', cloud.store, False)
    wait(lambda: any(name.endswith(".part") for name in cloud.files()), "the download has begun", 60)
    cloud.frontend.kill("opennebula-engine")
    gate.set()
    cloud.frontend.spawn("opennebula-engine")
    cloud.until(oid, "1")
    assert cloud.files() == [Path(cloud.text(oid, "SOURCE")).name]
    assert Path(cloud.text(oid, "SOURCE")).read_bytes() == CONTENT
    cloud.delete(oid)
