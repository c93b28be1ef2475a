"""The transfer drivers shared and qcow2, on storage that all machines see; and qcow2 where they do not."""

from __future__ import annotations

import base64
import json
import os
import socket
import zlib

import pytest
from tm_rig import FRONT_END, VM_ID, Rig, layer_content, qemu_img, raw_image

from services.oned.monitor import messages


def _persistent(rig: Rig, disk_id: int = 0, **values: str) -> None:
    rig.disk(disk_id, CLONE="NO", SOURCE=str(rig.image()), **values)


# -- shared ------------------------------------------------------------------------------------------------
def test_shared_images_are_copied_or_linked(rig: Rig) -> None:
    raw_image(rig.image())
    rig.disk(0, SIZE="2", ORIGINAL_SIZE="1", DRIVER="raw", CLONE="YES")
    for _ in range(2):
        rig.done("shared/clone", f"x:{rig.image()}", rig.at(FRONT_END, "disk.0"), VM_ID, "1")
        rig.done("shared/ln", f"x:/older/place/1/{rig.image().name}", rig.at(FRONT_END, "disk.1"), VM_ID, "1")
    assert rig.file(FRONT_END, "disk.0").stat().st_size == 2 * 1024 * 1024
    assert os.readlink(rig.file(FRONT_END, "disk.1")) == str(rig.image())
    assert not (rig.datastores / "0/.monitor").exists()
    rig.done("shared/mvds", rig.at(FRONT_END, "disk.1"), str(rig.image()), VM_ID, "1")
    for _ in range(2):
        rig.done("shared/mv", rig.at(FRONT_END, ""), f"{FRONT_END}:{rig.datastores}/7/42", VM_ID, "7")
    assert sorted(os.listdir(rig.datastores / "7/42")) == ["disk.0", "disk.1"]
    assert os.listdir(rig.datastores / "0") == []
    rig.done("shared/delete", f"{FRONT_END}:{rig.datastores}/7/42", VM_ID, "7")
    assert rig.image().exists()


@pytest.mark.parametrize("form", ["shared", "qcow2"])
def test_folder_moves_between_mounts_of_one_disk(rig: Rig, form: str) -> None:
    """Two exports of one NFS server are one device, and no file can be renamed from one to the other."""
    mount = rig.folder / "node1.mounts/7"
    for folder in (mount, rig.on("node1") / "7", rig.file("node1", "")):
        folder.mkdir(parents=True)
    raw_image(rig.file("node1", "disk.1"), first=b"mine")
    for _ in range(2):
        rig.done(f"{form}/mv", rig.at("node1", ""), f"node1:{rig.datastores}/7/42", VM_ID, "7")
    assert (mount / "42/disk.1").read_bytes()[:4] == b"mine"
    assert not rig.file("node1", "").exists()
    assert rig.leftovers() == []


@pytest.mark.parametrize("name", ["kernel", "disk.2"])
def test_disk_of_another_driver_does_not_have_nodes_watch_shared_storage(rig: Rig, name: str) -> None:
    """As with the kernel of a file datastore, which is ssh: each node would look at the disks of all."""
    raw_image(rig.image())
    for rig.tm_mad in ("shared", "qcow2", "ssh"):
        rig.done("ssh/clone", f"{FRONT_END}:{rig.image()}", rig.at("node1", name), VM_ID, "1")
        assert (rig.on("node1") / "0/.monitor").exists() is (rig.tm_mad == "ssh")


def test_shared_snapshots_of_a_persistent_disk_are_beside_its_image(rig: Rig) -> None:
    raw_image(rig.image(), first=b"one")
    _persistent(rig, DRIVER="raw")
    at = rig.at(FRONT_END, "disk.0")
    rig.done("shared/ln", f"x:{rig.image()}", at, VM_ID, "1")
    rig.done("shared/snap_create", at, "0", VM_ID, "1")
    raw_image(rig.image(), first=b"two")
    rig.done("shared/cpds", at, str(rig.image("saved")), "0", VM_ID, "1")
    rig.done("shared/snap_revert", at, "0", VM_ID, "1")
    assert rig.image().read_bytes()[:3] == b"one"
    assert rig.image("saved").read_bytes()[:3] == b"one"
    assert rig.file(FRONT_END, "disk.0").is_symlink()
    rig.done("shared/snap_delete", at, "0", VM_ID, "1")
    assert os.listdir(rig.image("image.snap")) == []
    rig.refused("shared/snap_create_live", at, "1", VM_ID, "1")
    assert rig.leftovers() == []


def test_room_and_sizes_are_reported(rig: Rig) -> None:
    rig.file(FRONT_END, "disk.0.snap").mkdir(parents=True)
    rig.file(FRONT_END, "disk.0").write_bytes(b"x" * 3_000_000)
    rig.file(FRONT_END, "disk.0.snap").joinpath("12").write_bytes(b"x")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(60)
        port = daemon.getsockname()[1]
        conf = f'NETWORK = [\n  MONITOR_ADDRESS = "auto",\n  PORT = {port}\n]\n'
        (rig.folder / "fe/etc/monitord.conf").write_text(conf)
        document = (
            f"<DS_DRIVER_ACTION_DATA><DATASTORE_LOCATION>{rig.datastores}</DATASTORE_LOCATION><DATASTORE><TEMPLATE/>"
            "</DATASTORE><MONITOR_VM_DISKS>1</MONITOR_VM_DISKS></DS_DRIVER_ACTION_DATA>"
        )
        said = rig.done("shared/monitor", base64.b64encode(document.encode()).decode(), "0")
        sent = daemon.recv(65536)
    assert messages.parse(sent, 0).host_id == messages.FRONT_END
    words = sent.decode().split()
    room = dict(word.split("=") for word in said.split())
    assert list(room) == ["USED_MB", "FREE_MB", "TOTAL_MB"]
    assert int(room["TOTAL_MB"]) >= int(room["USED_MB"]) > 0
    assert words[:3] == ["MONITOR_VM", "SUCCESS", "-1"]
    sizes = zlib.decompress(base64.b64decode(words[4])).decode()
    assert sizes == rig.done("ssh/monitor_ds", str(rig.datastores / "0"))
    inner = base64.b64decode(sizes.split('"')[1]).decode()
    assert inner.split("\n")[1:] == [
        "DISK_SIZE = [ ID=0, SIZE=3 ]",
        "SNAPSHOT_SIZE = [ ID=12, DISK_ID=0, SIZE=1 ]",
    ]
    assert rig.done("ssh/monitor", "", "0") == ""


# -- qcow2 -------------------------------------------------------------------------------------------------
def test_layers_over_an_image(rig: Rig) -> None:
    qemu_img("create", "-q", "-f", "qcow2", rig.image(), "1M")
    assert layer_content(rig.image(), 1, write=True)
    rig.disk(0, SIZE="2", ORIGINAL_SIZE="1", DRIVER="qcow2", CLONE="YES")
    at, disk = rig.at(FRONT_END, "disk.0"), rig.file(FRONT_END, "disk.0")
    for _ in range(2):
        rig.done("qcow2/clone", f"x:{rig.image()}", at, VM_ID, "1")
    info = json.loads(qemu_img("info", "--output=json", disk))
    assert (info["full-backing-filename"], info["virtual-size"]) == (str(rig.image()), 2 * 1024 * 1024)
    assert layer_content(disk, 1)
    _snapshots(rig, "qcow2", "", at)
    assert layer_content(rig.image(), 1)
    assert rig.leftovers() == []


def test_layers_are_made_with_the_options_of_tmrc(rig: Rig) -> None:
    (rig.folder / "fe/etc/tmrc").write_text(
        '# of the cloud\nQCOW2_OPTIONS="-o compat=0.10,cluster_size=4k"\n'
    )
    qemu_img("create", "-q", "-f", "qcow2", rig.image(), "1M")
    at = rig.at(FRONT_END, "disk.0")
    rig.done("qcow2/clone", f"x:{rig.image()}", at, VM_ID, "1")
    rig.done("qcow2/snap_create", at, "0", VM_ID, "1")
    rig.done("qcow2/snap_revert", at, "0", VM_ID, "1")
    for layer in ("0", "1"):
        found = json.loads(qemu_img("info", "--output=json", rig.file(FRONT_END, f"disk.0.snap/{layer}")))
        assert (found["format-specific"]["data"]["compat"], found["cluster-size"]) == ("0.10", 4096)
    (rig.folder / "fe/etc/tmrc").write_text('QCOW2_OPTIONS="-o \'compat"\n')
    assert "QCOW2_OPTIONS" in rig.refused("qcow2/clone", f"x:{rig.image()}", at, VM_ID, "1")


def test_layers_of_a_persistent_image(rig: Rig) -> None:
    qemu_img("create", "-q", "-f", "qcow2", rig.image(), "1M")
    _persistent(rig, DRIVER="qcow2")
    at, disk = rig.at(FRONT_END, "disk.0"), rig.file(FRONT_END, "disk.0")
    for _ in range(2):
        rig.done("qcow2/ln", f"x:{rig.image()}", at, VM_ID, "1")
    assert os.readlink(disk) == f"{rig.image()}.snap/0"
    assert layer_content(disk, 1, write=True)
    _snapshots(rig, "qcow2", "", at)
    rig.done("qcow2/mvds", at, str(rig.image()), VM_ID, "1")
    rig.done("qcow2/delete", rig.at(FRONT_END, ""), VM_ID, "0")
    rig.done("qcow2/ln", f"x:{rig.image()}", at, VM_ID, "1")
    assert os.readlink(disk) == f"{rig.image()}.snap/2"
    assert layer_content(disk, 1)


def test_layers_on_a_node_with_disks_of_its_own(rig: Rig) -> None:
    qemu_img("create", "-q", "-f", "qcow2", rig.image(), "1M")
    rig.disk(0, DRIVER="qcow2", CLONE="NO", SOURCE=str(rig.image()))
    at, disk = rig.at("node1", "disk.0"), rig.file("node1", "disk.0")
    for _ in range(2):
        rig.done("qcow2/ln.ssh", f"{rig.image()}", at, VM_ID, "1")
    assert os.readlink(disk) == "disk.0.snap/0"
    assert layer_content(disk, 1, write=True)
    _snapshots(rig, "qcow2", ".ssh", at)
    for _ in range(2):
        rig.done("qcow2/mvds.ssh", at, str(rig.image()), VM_ID, "1")
    assert os.readlink(rig.image()) == "image.snap/2"
    assert layer_content(rig.image(), 1)
    assert "No errors" in qemu_img("check", rig.image())
    # What has layers is cloned as one; all of them go to the next machine.
    rig.done("qcow2/clone.ssh", str(rig.image()), rig.at("node2", "disk.1"), VM_ID, "1")
    assert os.listdir(rig.file("node2", "disk.1.snap")).count("0") == 1
    assert layer_content(rig.file("node2", "disk.1"), 1)
    rig.done("qcow2/ln.ssh", str(rig.image()), rig.at("node2", "disk.2"), VM_ID, "1")
    assert layer_content(rig.file("node2", "disk.2"), 1)
    rig.done("ssh/mv", rig.at("node2", ""), rig.at("node1", ""), VM_ID, "0")
    assert layer_content(rig.file("node1", "disk.2"), 1)
    assert rig.leftovers() == []


def _snapshots(rig: Rig, driver: str, variant: str, at: str) -> None:
    """The disk has byte 1 at 0; snapshot, change, snapshot, revert: it has it again."""
    host, _, path = at.partition(":")
    disk = rig.file(host, os.path.basename(path))
    for _ in range(2):
        rig.done(f"{driver}/snap_create{variant}", at, "0", VM_ID, "1")
    assert os.readlink(disk).endswith(".snap/1")
    assert layer_content(disk, 2, write=True)
    rig.done(f"{driver}/snap_create{variant}", at, "1", VM_ID, "1")
    for _ in range(2):
        rig.done(f"{driver}/snap_revert{variant}", at, "0", VM_ID, "1")
    assert layer_content(disk, 1)
    said = rig.refused(f"{driver}/snap_delete{variant}", at, "0", VM_ID, "1")
    assert "layer" in said
    rig.done(f"{driver}/cpds{variant}", at, str(rig.image("now")), "-1", VM_ID, "1")
    rig.done(f"{driver}/cpds{variant}", at, str(rig.image("then")), "1", VM_ID, "1")
    assert layer_content(rig.image("now"), 1)
    assert layer_content(rig.image("then"), 2)
    assert "backing-filename" not in json.loads(qemu_img("info", "--output=json", rig.image("then")))
    for _ in range(2):
        rig.done(f"{driver}/snap_delete{variant}", at, "1", VM_ID, "1")
    assert layer_content(disk, 1)


def test_interrupted_snapshot_is_made_anew(rig: Rig) -> None:
    qemu_img("create", "-q", "-f", "qcow2", rig.image(), "1M")
    at, disk = rig.at(FRONT_END, "disk.0"), rig.file(FRONT_END, "disk.0")
    rig.disk(0, DRIVER="qcow2", CLONE="YES")
    rig.done("qcow2/clone", f"x:{rig.image()}", at, VM_ID, "1")
    for name in ("1", "1.part"):
        (rig.file(FRONT_END, "disk.0.snap") / name).write_bytes(b"cut off")
    rig.done("qcow2/snap_create", at, "0", VM_ID, "1")
    assert layer_content(disk, 1, write=True)
    assert "No errors" in qemu_img("check", disk)


def test_cd_has_no_layers(rig: Rig) -> None:
    image = raw_image(rig.image())
    with open(image, "r+b") as file:
        file.seek(0x8001)
        file.write(b"CD001")
    rig.done("qcow2/clone", f"x:{image}", rig.at(FRONT_END, "disk.0"), VM_ID, "1")
    rig.done("qcow2/ln", f"x:{image}", rig.at(FRONT_END, "disk.1"), VM_ID, "1")
    rig.done("qcow2/clone.ssh", f"{image}", rig.at("node1", "disk.0"), VM_ID, "1")
    for host in (FRONT_END, "node1"):
        assert rig.file(host, "disk.0").read_bytes() == image.read_bytes()
    assert os.readlink(rig.file(FRONT_END, "disk.1")) == str(image)
