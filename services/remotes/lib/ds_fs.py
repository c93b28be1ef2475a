"""The actions of the fs driver on images: copy, make, clone, remove; and how much room a datastore has.

Source: datastore driver contract of release 6.0.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

import driver
import ds_copy
import ds_format
import ds_settings
import ds_size
import ds_store
from driver import DriverError
from ds_decompress import Source
from ds_places import Places
from ds_request import Request, parse
from ds_source import open_source, scheme

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_DISK_FORMATS = ("raw", "qcow2")


def main(action: Callable[[Request], str]) -> None:
    """Run an action of a datastore driver: its request comes in the arguments, its answer is printed."""

    def run(argv: Sequence[str]) -> None:
        signal.signal(signal.SIGTERM, _end)
        os.umask(0o027)
        os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:{_SBIN}"
        request = parse(argv)
        if request.setting("BRIDGE_LIST").strip():
            raise DriverError(
                "BRIDGE_LIST is not available for datastores of driver fs: mount the folder here"
            )
        try:
            answer = action(request)
        except OSError as error:
            raise DriverError(f"{error.filename or 'the datastore'}: {error.strerror or error}") from None
        if answer:
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()

    driver.main(run)


def _end(_number: int, _frame: FrameType | None) -> None:
    """The engine ends an action: what it was writing is removed on the way out."""
    raise SystemExit(143)


def source_of(request: Request, *, is_quick: bool = False) -> Source:
    """The source of an image. Raises DriverError."""
    path = request.text("IMAGE/PATH")
    if not path:
        raise DriverError("the image has no PATH")
    places = Places.of(request.setting("SAFE_DIRS"), request.setting("RESTRICTED_DIRS"), os.environ)
    extra = request.image_setting("URL_ARGS")
    if extra and scheme(path) in ("http", "https"):
        path += f"&{extra}"
    rate = ds_settings.rate_bytes_s(request.setting("LIMIT_TRANSFER_BW"))
    return open_source(path, places, rate_bytes_s=rate, is_quick=is_quick)


def stat(request: Request) -> str:
    """The size in MB that PATH will have as an image."""
    is_file = request.is_file
    source = source_of(request, is_quick=True)
    try:
        found = ds_size.of_source(source, keeps_compressed=request.keeps_compressed, is_file=is_file)
    finally:
        source.close()
    return str(ds_format.size_mb(found))


def cp(request: Request) -> str:
    """Copy what PATH names into the datastore; SOURCE and FORMAT."""
    store = ds_store.Store(request.base_path)
    sums = {name: request.image_setting(name) for name in ds_copy.CHECKSUMS}
    source = ds_copy.Metered(source_of(request), sums, "cp")
    try:
        store.ready()
        path = store.new_image(request)
        with store.unfinished(request) as part:
            name = _copy(request, store, source, part)
            ds_store.finish(part, path)
    finally:
        source.close()
    return f"{path} {name}"


def _copy(request: Request, store: ds_store.Store, source: ds_copy.Metered, part: str) -> str:
    """Fill ``part`` and see that it is what was announced; its format."""
    body, head = ds_copy.content(source, keeps_compressed=request.keeps_compressed)
    name = "raw" if request.is_file else ds_format.of_head(head, source.label).name
    limit, reason = ds_size.limit(request, name)
    ds_copy.write(body, part, ds_copy.Bounds(limit, reason, store.free_bytes()))
    source.verify()
    if request.is_file:
        return name
    found = ds_format.of_file(part, source.label)
    ds_size.require_announced(request, found, source.label)
    return _converted(request, part, found.name, source.label)


def _converted(request: Request, part: str, name: str, label: str) -> str:
    """Bring an image to the format that the datastore's DRIVER wants; the format that it has now."""
    wanted = request.setting("DRIVER").strip().lower()
    said = request.setting("CONVERT").strip().lower() or "yes"
    if request.is_cdrom or said != "yes" or wanted not in _DISK_FORMATS or wanted == name:
        return name
    ds_copy.say(f"cp: {label}: converting from {name} to {wanted}")
    ds_format.convert(part, name, wanted, part + ".tmp", label)
    os.replace(part + ".tmp", part)
    return wanted


def mkfs(request: Request) -> str:
    """Make an empty image, formatted when FS says so; SOURCE. For a disk to be saved, its path only."""
    store = ds_store.Store(request.base_path)
    path = store.new_image(request)
    name = request.text("IMAGE/FORMAT").strip().lower()
    store.ready()
    if name == "save_as":
        return path
    if name not in (*_DISK_FORMATS, "swap", ""):
        raise DriverError(f"FORMAT of an empty image must be raw, qcow2 or swap, found {name[:40]!r}")
    size_mb = request.number("IMAGE/SIZE")
    if size_mb < 1:
        raise DriverError(f"SIZE of an empty image must be at least 1 MB, found {size_mb}")
    with store.unfinished(request) as part:
        _make(part, "qcow2" if name == "qcow2" else "raw", size_mb, _file_system(request))
        if name == "swap":
            driver.run(["mkswap", "-L", "swap", part])
        ds_store.finish(part, path)
    return path


def _make(part: str, name: str, size_mb: int, format_command: list[str]) -> None:
    first = "raw" if format_command else name
    ds_format.qemu_img(["create", "-q", "-f", first, "--", part, f"{size_mb}M"], "an empty image")
    if format_command:
        driver.run([*format_command, part])
    if first != name:
        ds_format.convert(part, first, name, part + ".tmp", "an empty image")
        os.replace(part + ".tmp", part)


def _file_system(request: Request) -> list[str]:
    """The command that makes the file system of FS, without the path; [] for none. Raises DriverError."""
    wanted = request.text("IMAGE/FS").strip()
    if not wanted:
        return []
    conf = ds_settings.read("datastore/datastore.conf")
    supported = conf.get("SUPPORTED_FS", "").replace(",", " ").split()
    if wanted not in supported:
        raise DriverError(f"FS must be one of {', '.join(supported) or 'none'}, found {wanted[:40]!r}")
    force = "-f" if wanted in ("xfs", "btrfs") else "-F"
    return [f"mkfs.{wanted}", force, *conf.get(f"FS_OPTS_{wanted}", "").split()]


def clone(request: Request) -> str:
    """Copy another image; SOURCE."""
    origin = request.text("IMAGE/PATH")
    if not origin.startswith("/") or ".." in origin.split("/") or not os.path.isfile(origin):
        raise DriverError(f"the image to clone must be a file, found {origin[:200]!r}")
    store = ds_store.Store(request.base_path)
    store.ready()
    path = store.new_image(request)
    free = store.free_bytes()
    if os.stat(origin).st_blocks * 512 > free:
        raise DriverError(f"{origin} is too large: there are {free // ds_format.MB} MB left for it")
    with store.unfinished(request) as part:
        driver.run(["cp", "--reflink=auto", "--sparse=auto", "--", os.path.realpath(origin), part])
        ds_store.finish(part, path)
    return path


def rm(request: Request) -> str:
    """Remove an image with its snapshots; nothing for what is gone already."""
    store = ds_store.Store(request.base_path)
    source = request.text("IMAGE/SOURCE")
    if source:
        path = store.own(source)
        if not os.path.isdir(store.base_path):
            raise DriverError(f"{store.base_path} is not there, so {path} was not removed: is it mounted?")
        if not os.path.lexists(path):
            ds_copy.say(f"rm: {path} was gone already")
        store.remove_image(source)
    else:
        store.remove_leftovers(request)
    return ""


def monitor(request: Request) -> str:
    """The size of the file system that the datastore is in, MB."""
    store = ds_store.Store(request.base_path)
    store.ready()
    found = os.statvfs(store.base_path)

    def mb(blocks: int) -> int:
        return -(-blocks * found.f_frsize // ds_format.MB)

    used, total, free = mb(found.f_blocks - found.f_bfree), mb(found.f_blocks), mb(found.f_bavail)
    return f"USED_MB={used}\nTOTAL_MB={total}\nFREE_MB={free}"
