"""Copies that are complete or not there, on the machine that has them; see tm_node."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import struct
import subprocess
from collections.abc import Sequence

from tm_node import Fault, erase, leftovers, make_folder, must_be_folder, read, run, start, write

_MIB = 1024 * 1024
_RECEIPT = ".moved_from"


def parts(path: str, whole: bool) -> list[str]:
    """The names that a file (with its snapshots) or a folder consists of, in their folder. Raises Fault."""
    name = os.path.basename(path)
    if whole:
        must_be_folder(path)
        return [name]
    if not os.path.isfile(path):
        raise Fault(f"{path} is not there, or is no file")
    return [name, *(f"{name}.snap/{number}" for number in snapshots(path))]


def snapshots(path: str) -> list[str]:
    """The snapshots of a disk or image, by number, lowest first; none of a disk that shares its image's."""
    folder = f"{path}.snap"
    if os.path.islink(folder) or not os.path.isdir(folder):
        return []
    return sorted((entry for entry in os.listdir(folder) if entry.isdigit()), key=int)


def stage(target: str, monitor: str = "") -> str:
    """An empty folder beside the target for what will be it; leftovers of earlier tries go."""
    parent, name = os.path.split(target)
    if name.isdigit():  # a whole folder of a VM
        os.makedirs(parent, exist_ok=True)
        if monitor:
            write(os.path.join(parent, ".monitor"), f"{monitor}\n")
    else:
        make_folder(parent, monitor)
    return stage_in(target)


def stage_in(target: str) -> str:
    """The same, where the folder is there and may have any name."""
    parent, name = os.path.split(target)
    for left in leftovers(target):
        erase(left)
    temporary = os.path.join(parent, f".{name}.part.{secrets.token_hex(4)}")
    os.mkdir(temporary, 0o770)
    return temporary


def drop(temporary: str) -> None:
    """A copy that came to nothing goes."""
    if ".part." not in os.path.basename(temporary):
        raise Fault(f"{temporary} is no copy under way")
    erase(temporary)


def commit(
    temporary: str,
    name: str,
    target: str,
    size_mb: int = 0,
    form: str = "",
    is_folder: bool = False,
    receipt: str = "",
    is_kept: bool = False,
) -> None:
    """What has arrived complete takes its place.

    size_mb, form: what the disk grows to, and its format. receipt: noted in a folder, where it came from.
    is_kept: it is on the disk of the machine before its source may go.
    """
    arrived = os.path.join(temporary, name)
    if is_folder:
        must_be_folder(arrived)
        if receipt:
            write(os.path.join(arrived, _RECEIPT), receipt)
    else:
        _must_be_disk(arrived)
        if size_mb:
            grow(arrived, size_mb, form)
    if is_kept:
        keep(arrived)
    if not is_folder:
        replace_folder(f"{arrived}.snap", f"{target}.snap")
    if os.path.isdir(target) and not os.path.islink(target):
        if not is_folder:
            raise Fault(f"{target} is a folder where a disk is expected")
        erase(target)
    elif is_folder and os.path.lexists(target):
        erase(target)
    os.rename(arrived, target)
    erase(temporary)


def replace_folder(new: str, target: str) -> None:
    """A folder of snapshots takes the place of the old one, which goes with the folder that the new one was
    in; without a new one there are none.
    """
    if not os.path.lexists(new):
        erase(target)
        return
    if os.path.lexists(target):
        gone = os.path.join(os.path.dirname(new), ".replaced")
        os.rename(target, gone)
    os.rename(new, target)


def set_link(path: str, text: str) -> None:
    """A symbolic link, in place of whatever link or file was there, in one step."""
    parent, name = os.path.split(path)
    made = os.path.join(parent, f".{name}.part.{secrets.token_hex(4)}")
    os.symlink(text, made)
    os.replace(made, path)


def _must_be_disk(path: str) -> None:
    files = [path]
    if os.path.isdir(f"{path}.snap"):
        files += [entry.path for entry in os.scandir(f"{path}.snap")]
    for file in files:
        must_be_file(file)


def must_be_file(path: str) -> None:
    """Raises Fault for a link or anything else that is no plain file; oneadmin may read and write it then."""
    info = os.lstat(path)
    if not stat.S_ISREG(info.st_mode):
        raise Fault(f"{os.path.basename(path)} did not arrive as a file")
    os.chmod(path, stat.S_IMODE(info.st_mode) & 0o770 | 0o600)


def keep(path: str) -> None:
    """What was written to a file, or to all of a folder, is on the disk of the machine."""
    files = [path]
    if os.path.isdir(path):
        files = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    for file in files:
        if os.path.isfile(file) and not os.path.islink(file):
            descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def bring(source: str, names: Sequence[str], temporary: str, is_folder: bool = False) -> None:
    """Copy the parts of a disk, or a folder, below a temporary folder."""
    links = "--no-dereference" if is_folder else "--dereference"
    for name in names:
        path, target = os.path.join(os.path.dirname(source), name), os.path.join(temporary, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        run(["cp", "-T", "--recursive", "--preserve=mode", links, "--reflink=auto", "--", path, target])


def send(pack: Sequence[str], unpack: Sequence[str]) -> None:
    """Straight from this node to another. Raises Fault unless both ends have succeeded."""
    first = start(pack, stdout=subprocess.PIPE)
    assert first.stdout is not None
    second = start(unpack, stdin=first.stdout.fileno(), stdout=subprocess.DEVNULL)
    first.stdout.close()
    assert second.stderr is not None and first.stderr is not None
    said = second.stderr.read() + first.stderr.read()
    if first.wait() or second.wait():
        raise Fault(f"copying failed: {said.decode('utf-8', 'replace').strip()[-2000:] or 'it was cut off'}")


def copy_file(source: str, target: str, is_through: bool = False) -> None:
    """One file, complete or as it was. is_through: of a link, what it points to is replaced."""
    if is_through:
        target = os.path.realpath(target)
    if not os.path.isfile(source):
        raise Fault(f"{source} is not there, or is no file")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    temporary = stage_in(target)
    try:
        name = os.path.basename(target)
        made = os.path.join(temporary, name)
        run(["cp", "-T", "--preserve=mode", "--dereference", "--reflink=auto", "--", source, made])
        os.replace(made, target)
    finally:
        drop(temporary)


def is_link(path: str) -> bool:
    """Whether it is a symbolic link."""
    return os.path.islink(path)


# -- sizes ---------------------------------------------------------------------------------------------
def virtual_size(path: str, form: str) -> int:
    """The bytes that a guest sees of a disk of this format. Raises Fault.

    The format is what the core knows: what a guest writes to a raw disk must never make it another.
    """
    with open(path, "rb") as file:
        if form != "qcow2":
            return file.seek(0, os.SEEK_END)
        head = file.read(32)
    if len(head) < 32 or head[:4] != b"QFI\xfb":
        raise Fault(f"{path} is no qcow2 image")
    return int(struct.unpack(">Q", head[24:32])[0])


def is_qcow2(path: str) -> bool:
    """Whether a file begins as qcow2 images do; never asked of a raw disk that a guest has written."""
    with open(path, "rb") as file:
        return file.read(4) == b"QFI\xfb"


def grow(path: str, size_mb: int, form: str) -> None:
    """A disk gets its new size; one that has it, or more, is left alone."""
    if virtual_size(path, form) >= size_mb * _MIB:
        return
    if form == "qcow2":
        run(["qemu-img", "resize", "-q", "-f", "qcow2", "--", path, f"{size_mb}M"])
    else:
        os.truncate(path, size_mb * _MIB)


# -- folders -------------------------------------------------------------------------------------------
def move(source: str, target: str) -> bool:
    """A folder of this machine gets another name; False when that takes a copy (another mount)."""
    if not os.path.lexists(source) and os.path.isdir(target):
        return True  # an earlier try has done it
    must_be_folder(source)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.stat(source).st_dev != os.stat(os.path.dirname(target)).st_dev:
        return False
    for left in leftovers(target):
        erase(left)
    if os.path.lexists(target):
        erase(target)
    try:
        os.rename(source, target)
    except OSError as error:
        # Two exports of one NFS server, or two folders mounted of one disk: one device, and still two mounts.
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def has_receipt(target: str, receipt: str) -> bool:
    """Whether the folder here came complete from there."""
    return os.path.isdir(target) and read(os.path.join(target, _RECEIPT)) == receipt


def monitor_of(folder: str) -> str:
    """Who watches the datastore of a VM's folder, by its marker."""
    lines = read(os.path.join(os.path.dirname(folder), ".monitor")).split()
    return lines[0] if lines else ""
