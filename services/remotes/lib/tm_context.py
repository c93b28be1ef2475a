"""The disk that tells a guest about itself: an ISO image, made on the front-end."""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence

import tm_paths
from driver import DriverError, run
from tm_machine import copy, log
from tm_make import monitor_word
from tm_paths import Spot
from tm_transfer import wanted

_ISO_PROGRAMS = (("genisoimage",), ("mkisofs",), ("xorriso", "-as", "mkisofs"))
_DOWNLOAD_MAX_BYTES = 1024**3
_DOWNLOAD_S = 60


def context(arguments: Sequence[str]) -> None:
    """context FILE... HOST:SYSTEM_DS/disk.N VM_ID DS_ID: an ISO image of files (PATH[:NAME] or URL)."""
    *files, disk, vm_id, _ = wanted(arguments, "FILE DISK VM_ID DS_ID")
    target = tm_paths.vm_file(disk, vm_id)
    work = os.path.join(tm_paths.datastores(), ".isofiles")
    os.makedirs(work, mode=0o700, exist_ok=True)
    for left in os.listdir(work):  # of tries that were cut off
        if left.startswith(f"{vm_id}."):
            shutil.rmtree(os.path.join(work, left), ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{vm_id}.", dir=work)
    try:
        content, image = os.path.join(folder, "content"), os.path.join(folder, target.name)
        os.mkdir(content)
        for file in files:
            _add(file, content)
        log(f"making the context disk {target}")
        _make_iso(content, image)
        copy(Spot("", image), target, monitor=monitor_word())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _add(file: str, content: str) -> None:
    if file.startswith(("http://", "https://")):
        name = os.path.basename(urllib.parse.urlsplit(file).path)
        _download(file, os.path.join(content, _plain(name, file)))
        return
    path, _, name = file.partition(":")
    source = os.path.join(content, _plain(name.strip("'\"") or os.path.basename(path.rstrip("/")), file))
    try:
        if os.path.isdir(path):
            shutil.copytree(path, source, symlinks=True)
        else:
            shutil.copyfile(path, source)
    except (OSError, shutil.Error) as error:
        raise DriverError(f"context file {file!r} cannot be read: {error}") from None


def _plain(name: str, file: str) -> str:
    if name in ("", ".", "..") or "/" in name or any(ord(letter) < 32 for letter in name):
        raise DriverError(f"context file {file!r} has no plain name, found {name!r}")
    return name


def _download(url: str, target: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=_DOWNLOAD_S) as reply, open(target, "xb") as file:
            left = _DOWNLOAD_MAX_BYTES
            while piece := reply.read(min(left, 1024 * 1024) or 1):
                left -= len(piece)
                if left < 0:
                    raise DriverError(f"context file {url!r} is larger than {_DOWNLOAD_MAX_BYTES} bytes")
                file.write(piece)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise DriverError(f"context file {url!r} cannot be fetched: {error}") from None


def _make_iso(content: str, image: str) -> None:
    program = next((words for words in _ISO_PROGRAMS if shutil.which(words[0])), None)
    if program is None:
        raise DriverError("none of genisoimage, mkisofs, xorriso is installed on the front-end")
    partial = f"{image}.part"
    run([*program, "-quiet", "-o", partial, "-V", "CONTEXT", "-J", "-R", content])
    os.rename(partial, image)
