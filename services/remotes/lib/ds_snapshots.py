"""Snapshots of persistent images in a file datastore: <image>.snap/<snapshot id>.

With the transfer driver qcow2 they are a chain of overlays, of which the one with the highest number is in
use; with others each is a copy of its own.
Source: datastore driver contract of release 6.0.
"""

from __future__ import annotations

import json
import os

import driver
import ds_format
import ds_store
from driver import DriverError
from ds_request import Request

_CHAIN = "qcow2"


class _Snapshots:
    """The snapshots of the image of a request, and the one that the action is about."""

    def __init__(self, request: Request) -> None:
        self.store = ds_store.Store(request.base_path)
        self.image = self.store.own(request.text("IMAGE/SOURCE"))
        self.folder = f"{self.image}.snap"
        self.number = request.number("IMAGE/TARGET_SNAPSHOT")
        self.path = f"{self.folder}/{self.number}"
        self.is_chain = request.text("DATASTORE/TM_MAD").strip() == _CHAIN
        # A guest can write to a raw image what it likes, so its first bytes do not tell.
        self.image_format = "qcow2" if request.text("IMAGE/FORMAT").strip().lower() == "qcow2" else "raw"

    def require(self) -> None:
        """Raise DriverError unless the snapshot is there."""
        if not os.path.exists(self.path):
            raise DriverError(f"{self.image} has no snapshot {self.number}")

    @property
    def name(self) -> str:
        """The snapshot as an overlay names it: found beside the image, and beside the overlays by a link."""
        own = os.path.basename(self.folder)
        return f"{own}/{self.number}" if os.path.islink(f"{self.folder}/{own}") else self.path

    def numbers(self) -> list[int]:
        """The numbers of all files in the chain, in order."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def format(self, path: str) -> str:
        """The format of a file of the chain: at its end is the image, the others are overlays."""
        return self.image_format if os.path.realpath(path) == os.path.realpath(self.image) else _CHAIN

    def backing(self, number: int) -> str:
        """The name of the file that an overlay is based on, '' for none."""
        path = f"{self.folder}/{number}"
        said = ds_format.qemu_img(["info", "--output=json", "-f", self.format(path), "--", path], path)
        return os.path.basename(str(json.loads(said).get("backing-filename") or ""))


def delete(request: Request) -> str:
    """Delete a snapshot; nothing when it is gone already."""
    snapshots = _Snapshots(request)
    if snapshots.is_chain and os.path.lexists(snapshots.path):
        based = [
            number
            for number in snapshots.numbers()
            if number != snapshots.number and snapshots.backing(number) == str(snapshots.number)
        ]
        if based:
            raise DriverError(f"snapshot {snapshots.number} of {snapshots.image} is the base of {based[0]}")
    ds_store.remove(snapshots.path)
    ds_store.remove(f"{snapshots.image}.md5sum")
    return ""


def revert(request: Request) -> str:
    """Make an image what it was when the snapshot was taken."""
    snapshots = _Snapshots(request)
    snapshots.require()
    target = snapshots.image
    part = f"{snapshots.image}.tmp"
    ds_store.remove(part)
    try:
        if snapshots.is_chain:
            active = snapshots.numbers()[-1]
            if active == snapshots.number:
                raise DriverError(f"{snapshots.image}: {active} is what it holds now, not a snapshot")
            target = f"{snapshots.folder}/{active}"
            made = [
                "create",
                "-q",
                "-f",
                _CHAIN,
                "-F",
                snapshots.format(snapshots.path),
                "-b",
                snapshots.name,
            ]
            ds_format.qemu_img([*made, "--", part], snapshots.image)
        else:
            driver.run(["cp", "--reflink=auto", "--sparse=auto", "--", snapshots.path, part])
        ds_store.finish(part, target)
    finally:
        ds_store.remove(part)
    ds_store.remove(f"{snapshots.image}.md5sum")
    return ""


def flatten(request: Request) -> str:
    """Make an image what it was when the snapshot was taken, and forget all snapshots."""
    snapshots = _Snapshots(request)
    if not os.path.isdir(snapshots.folder):
        return ""  # done before
    part = f"{snapshots.image}.tmp"
    mark = f"{snapshots.folder}/.flattened-{snapshots.number}"
    ds_store.remove(part)
    try:
        if not os.path.exists(mark):
            snapshots.require()
            if snapshots.is_chain:
                found = snapshots.format(snapshots.path)
                ds_format.convert(snapshots.path, found, snapshots.image_format, part, snapshots.image)
            else:
                driver.run(["cp", "--reflink=auto", "--sparse=auto", "--", snapshots.path, part])
            ds_store.finish(part, snapshots.image)
            with open(mark, "w", encoding="ascii"):
                pass
    finally:
        ds_store.remove(part)
    ds_store.remove(snapshots.folder)
    ds_store.remove(f"{snapshots.image}.md5sum")
    return ""
