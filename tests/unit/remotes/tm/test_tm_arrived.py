"""What a node sends of a VM leads to nothing else: links, layers, data in other files."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
import tm_node_arrived
from tm_node import Fault
from tm_rig import qemu_img

PLACE = "/ds/0/42"
IMAGE = "/ds/1/image"


def layer(path: Path, below: str = "") -> None:
    """A qcow2 disk, on top of another file that need not be there."""
    on = ("-u", "-F", "raw", "-b", below) if below else ()
    qemu_img("create", "-q", "-f", "qcow2", *on, path, "1M")


def check(folder: Path) -> None:
    """As a folder of VM 42 whose disk 0 is qcow2, and disk 1 raw."""
    tm_node_arrived.check_folder(str(folder), PLACE, layered=["0"], images=[IMAGE, "/srv/1/image"])


WAYS = [
    *(
        "/etc/passwd",
        "/ds/0/43/disk.0",
        "/ds/0/421/disk.0",
        "/ds/1/other",
        "/ds/1/image2",
        "/ds/1/image.snapx",
    ),
    *("../43/disk.0", "self/../43/disk.0", "/ds/0/42/../43/disk.0", "/ds/1/image.snap/../other", ".."),
]


@pytest.mark.parametrize("way", WAYS)
def test_links_that_lead_away(tmp_path: Path, way: str) -> None:
    (tmp_path / "self").symlink_to(".")
    (tmp_path / "disk.0").symlink_to(way)
    with pytest.raises(Fault, match="disk.0 leads to .* not of this VM"):
        check(tmp_path)


@pytest.mark.parametrize("way", [*WAYS, "nbd://10.0.0.1/x", "json:{}"])
def test_layers_that_lead_away(tmp_path: Path, way: str) -> None:
    layer(tmp_path / "disk.0", way)
    with pytest.raises(Fault, match="disk.0 leads to"):
        check(tmp_path)
    with pytest.raises(Fault, match="which has not arrived"):
        tm_node_arrived.check_disk(str(tmp_path / "disk.0"), IMAGE, True)
    # Of a raw disk, these are bytes of its guest.
    os.rename(tmp_path / "disk.0", tmp_path / "disk.1")
    check(tmp_path)
    tm_node_arrived.check_disk(str(tmp_path / "disk.1"), IMAGE, False)


def test_links_and_layers_of_the_vm(tmp_path: Path) -> None:
    """A disk of layers, one of its image, and one that its image's layers are."""
    (tmp_path / "disk.0.snap").mkdir()
    (tmp_path / "disk.0.snap/disk.0.snap").symlink_to(".")
    layer(tmp_path / "disk.0.snap/0", IMAGE)
    layer(tmp_path / "disk.0.snap/1", "disk.0.snap/0")
    (tmp_path / "disk.0").symlink_to("disk.0.snap/1")
    (tmp_path / "disk.1").symlink_to("/srv/1/image")
    (tmp_path / "disk.2").symlink_to(f"{IMAGE}.snap/3")
    (tmp_path / "disk.2.snap").symlink_to(f"{IMAGE}.snap")
    check(tmp_path)


def test_layers_below_others_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "disk.0.snap").mkdir()
    layer(tmp_path / "disk.0.snap/0", "/etc/passwd")
    layer(tmp_path / "disk.0")
    with pytest.raises(Fault, match="disk.0.snap/0 leads to"):
        check(tmp_path)
    with pytest.raises(Fault, match="which has not arrived"):
        tm_node_arrived.check_disk(str(tmp_path / "disk.0"), IMAGE, True)


def test_data_in_another_file(tmp_path: Path) -> None:
    layer(tmp_path / "disk.0")
    with open(tmp_path / "disk.0", "r+b") as file:
        file.seek(72)
        file.write(struct.pack(">Q", 1 << 2))
    for refuses in (
        lambda: check(tmp_path),
        lambda: tm_node_arrived.check_disk(str(tmp_path / "disk.0"), IMAGE, True),
    ):
        with pytest.raises(Fault, match="data in another file"):
            refuses()


def test_an_image_goes_on_standing_on_what_it_did(tmp_path: Path) -> None:
    """An administrator registered it so."""
    layer(tmp_path / "image", "/srv/base")
    for below, is_refused in (("/srv/base", False), ("/srv/other", True), ("", False)):
        layer(tmp_path / "disk.0", below)
        if is_refused:
            with pytest.raises(Fault, match="which has not arrived"):
                tm_node_arrived.check_disk(str(tmp_path / "disk.0"), str(tmp_path / "image"), True)
        else:
            tm_node_arrived.check_disk(str(tmp_path / "disk.0"), str(tmp_path / "image"), True)
