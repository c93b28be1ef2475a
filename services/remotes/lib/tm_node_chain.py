"""Disks of layers (qcow2), on the machine that has them; see tm_node.

disk.N is a link to disk.N.snap/K, the layer that is written; each layer names the one below it. A layer finds
it both through disk.N and through its folder, for the folder holds a link to itself by its own name. A
persistent disk is a link into IMAGE.snap, where 0 is a link to the image.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

from tm_node import Fault, erase, leftovers, make_folder, run
from tm_node_copy import (
    bring,
    commit,
    drop,
    grow,
    is_qcow2,
    keep,
    must_be_file,
    replace_folder,
    set_link,
    snapshots,
    stage,
    stage_in,
)

_EXTERNAL_DATA = 1 << 2  # of the incompatible features
_MAX_LAYERS = 500


def header(path: str) -> tuple[str, bool]:
    """The name of the layer below ('' for none), and whether data lie in a file of their own."""
    with open(path, "rb") as file:
        head = file.read(104)
        if head[:4] != b"QFI\xfb" or len(head) < 32:
            raise Fault(f"{path} is no qcow2 image")
        version, offset, length = struct.unpack(">IQI", head[4:20])
        features = struct.unpack(">Q", head[72:80])[0] if version >= 3 and len(head) >= 80 else 0
        if not offset or length > 1023:
            return "", bool(features & _EXTERNAL_DATA)
        file.seek(offset)
        return os.fsdecode(file.read(length)), bool(features & _EXTERNAL_DATA)


def layers(path: str, root: str) -> list[str]:
    """A disk and what it stands on, top first. Raises Fault when that leaves the datastores.

    An image is what a user has uploaded: its header must not make us read other files.
    """
    # A datastore may be a link to where it is mounted.
    places = [os.path.realpath(os.path.join(root, entry)) for entry in (".", *os.listdir(root))]
    found = [path]
    while len(found) < _MAX_LAYERS:
        real = os.path.realpath(found[-1])
        if found[-1] != path and not any(real.startswith(f"{place}/") for place in places):
            raise Fault(f"{path} stands on {real}, which is outside of the datastores")
        if not is_qcow2(real):
            return found
        below, is_external = header(real)
        if is_external:
            raise Fault(f"{path} keeps its data in another file, which is not supported")
        if not below:
            return found
        if below.startswith("json:") or ":" in below.partition("/")[0]:
            raise Fault(f"{path} stands on {below[:100]!r}, which is no file of a datastore")
        found.append(os.path.join(os.path.dirname(found[-1]), below))
    raise Fault(f"{path} has more than {_MAX_LAYERS} layers")


def is_alone(path: str, root: str, form: str = "") -> bool:
    """Whether it is a qcow2 image of one layer, which can be copied as it is. form: if that is known."""
    return form != "raw" and len(layers(path, root)) == 1 and is_qcow2(path)


def is_iso(path: str) -> bool:
    """Whether it is a CD, which has no layers."""
    with open(path, "rb") as file:
        file.seek(0x8001)
        return file.read(5) == b"CD001"


def convert(source: str, target: str, root: str, form: str = "") -> None:
    """One qcow2 image of all layers; form: of the top one, else what its header says."""
    if form != "raw":
        layers(source, root)
    form = form or ("qcow2" if is_qcow2(source) else "raw")
    run(["qemu-img", "convert", "-q", "-U", "-f", form, "-O", "qcow2", "--", source, target])


def convert_staged(source: str, target: str, root: str, form: str = "") -> str:
    """The same under a temporary name beside the target; the answer is the folder it is in."""
    temporary = stage_in(target)
    try:
        convert(source, os.path.join(temporary, os.path.basename(target)), root, form)
    except BaseException:
        drop(temporary)
        raise
    return temporary


# -- disks of images ---------------------------------------------------------------------------------------
def clone(
    image: str, target: str, root: str, size_mb: int, form: str = "", options: Sequence[str] = ()
) -> None:
    """A layer over an image that is not changed; of a CD a copy. form: of the image, if that is known.

    options: more for qemu-img.
    """
    temporary = stage(target)
    try:
        name = os.path.basename(target)
        if is_iso(image):
            bring(image, [os.path.basename(image)], temporary)
            commit(temporary, os.path.basename(image), target)
            return
        if form != "raw":
            layers(image, root)
        made = os.path.join(temporary, name)
        below = form or ("qcow2" if is_qcow2(image) else "raw")
        _create(made, image, below, _virtual_size(image, below), options)
        place(temporary, name, target, size_mb, image=image)
    except BaseException:
        erase(temporary)
        raise


def _create(path: str, below: str, form: str, size: int, options: Sequence[str]) -> None:
    # -u: the name below need not be found from here, our callers have looked at it.
    words = ["-q", "-u", "-f", "qcow2", "-F", form, "-b", below, *options]
    run(["qemu-img", "create", *words, "--", path, str(size)])


def _virtual_size(path: str, form: str) -> int:
    if form != "qcow2":
        return os.stat(path).st_size
    with open(path, "rb") as file:
        return int(struct.unpack(">Q", file.read(32)[24:32])[0])


def parts(path: str) -> list[str]:
    """What a disk or image consists of: its layers, or itself."""
    name = os.path.basename(path)
    numbers = snapshots(path)
    return [f"{name}.snap/{number}" for number in numbers] or [name]


def place(
    temporary: str, name: str, target: str, size_mb: int = 0, is_kept: bool = False, image: str = ""
) -> None:
    """What has arrived, a single file or layers, becomes TARGET -> TARGET.snap/K.

    is_kept: it is on the disk of the machine before its source may go. image: what the lowest may stand on.
    """
    arrived, short = os.path.join(temporary, name), os.path.basename(target)
    folder = f"{arrived}.snap"
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o770)
        os.rename(arrived, os.path.join(folder, "0"))
    numbers = sorted((entry for entry in os.listdir(folder) if entry.isdigit()), key=int)
    if not numbers:
        raise Fault(f"nothing of {short} has arrived")
    for number in numbers:
        path = os.path.join(folder, number)
        must_be_file(path)
        below, is_external = header(path)
        if is_external:
            raise Fault(f"layer {number} of {short} keeps its data in another file, which is not supported")
        lower = os.path.basename(below)
        if not below or below == image:
            continue
        if lower not in numbers:
            raise Fault(f"layer {number} of {short} stands on {below}, which has not arrived")
        below = f"{short}.snap/{lower}"
        run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", below, "--", path])
    if size_mb:
        grow(os.path.join(folder, numbers[-1]), size_mb, "qcow2")
    if is_kept:
        keep(folder)
    os.symlink(".", os.path.join(folder, f"{short}.snap"))
    replace_folder(folder, f"{target}.snap")
    set_link(target, f"{short}.snap/{numbers[-1]}")
    erase(temporary)


def link(image: str, target: str, is_layered: bool, monitor: str = "") -> None:
    """The disk is the image itself; with layers its newest one."""
    make_folder(os.path.dirname(target), monitor)
    for left in leftovers(target):
        erase(left)
    if not os.path.exists(image):
        raise Fault(f"{image} is not there")
    if not is_layered or is_iso(image):
        set_link(target, image)
        return
    folder = f"{image}.snap"
    os.makedirs(folder, exist_ok=True)
    if not os.path.lexists(os.path.join(folder, os.path.basename(folder))):
        os.symlink(".", os.path.join(folder, os.path.basename(folder)))
    if not snapshots(image):
        set_link(os.path.join(folder, "0"), image)
    newest = snapshots(image)[-1]
    set_link(target, f"{folder}/{newest}")
    if os.path.isdir(f"{target}.snap") and not os.path.islink(f"{target}.snap"):
        erase(f"{target}.snap")
    set_link(f"{target}.snap", folder)


# -- snapshots -----------------------------------------------------------------------------------------------
def next_layer(disk: str, base: str, snap_id: int) -> tuple[str, str]:
    """The path of the layer after a snapshot, and the text of the link to it."""
    number = snap_id + 1
    is_own = os.path.dirname(base) == os.path.dirname(disk)
    text = f"{os.path.basename(base)}.snap/{number}" if is_own else f"{base}.snap/{number}"
    return f"{base}.snap/{number}", text


def snapshot(disk: str, base: str, snap_id: int, options: Sequence[str] = ()) -> None:
    """What the disk is now stays as a layer; a new one is written from here on. base: disk or image."""
    made, text = next_layer(disk, base, snap_id)
    current = _current(disk)
    if current == text and os.path.exists(disk):
        return  # an earlier try has done it
    add_layer(disk, made, current, options)
    set_link(disk, text)


def _current(disk: str) -> str:
    if not os.path.islink(disk):
        raise Fault(f"{disk} is no disk of layers, it cannot have snapshots of this driver")
    return os.readlink(disk)


def add_layer(disk: str, made: str, below: str, options: Sequence[str]) -> None:
    """An empty layer; one that an interrupted try has left, and nobody uses, goes."""
    os.makedirs(os.path.dirname(made), exist_ok=True)
    real = os.path.join(os.path.dirname(disk), below)
    if not is_qcow2(real):
        raise Fault(f"{real} is no qcow2 image, it cannot have snapshots")
    partial = f"{made}.part"
    erase(partial)
    _create(partial, below, "qcow2", _virtual_size(real, "qcow2"), options)
    os.replace(partial, made)


def delete_snapshot(base: str, snap_id: int) -> None:
    """A layer goes, unless another one stands on it. Done when it is not there."""
    path = f"{base}.snap/{snap_id}"
    if not os.path.lexists(path):
        return
    for number in snapshots(base):
        layer = f"{base}.snap/{number}"
        if number == str(snap_id) or not is_qcow2(layer):
            continue
        below, _ = header(layer)
        if below and os.path.basename(below) == str(snap_id):
            raise Fault(f"snapshot {snap_id} of {base} cannot go: layer {number} stands on it")
    erase(path)


def revert(disk: str, base: str, snap_id: int, options: Sequence[str] = ()) -> None:
    """The layer that is written begins anew over a snapshot."""
    kept = f"{base}.snap/{snap_id}"
    if not os.path.exists(kept):
        raise Fault(f"{kept} is not there")
    current = os.path.realpath(disk)
    if os.path.dirname(current) != os.path.realpath(f"{base}.snap") or current == os.path.realpath(kept):
        raise Fault(f"{disk} is at {current}, which is no layer over snapshot {snap_id}")
    is_own = os.path.dirname(base) == os.path.dirname(disk)
    below = f"{os.path.basename(base)}.snap/{snap_id}" if is_own else kept
    add_layer(disk, current, below, options)
