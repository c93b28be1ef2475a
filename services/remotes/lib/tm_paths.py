"""Where disks lie: the arguments HOST:PATH of transfer actions, checked before anything is done with them.

A disk is <datastores>/<system datastore>/<vm>/disk.<n>, an image <datastores>/<datastore>/<name>;
<datastores> is the same path on the front-end and on every node. Nothing else is ever written, moved or
deleted.
"""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass

from driver import DriverError

_HOST = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9._:%@\[\]-]{0,253}")
# What an image may be called: names that the datastore drivers give, and those of older installations.
_IMAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+@=,~ -]{0,254}")
_IN_FOLDER = re.compile(r"disk\.\d{1,9}|kernel|initrd")
_NUMBER = re.compile(r"\d{1,9}")


@dataclass(frozen=True)
class Spot:
    """A path on a machine; host is '' for the front-end itself."""

    host: str
    path: str

    @property
    def parent(self) -> str:
        """The folder that it is in."""
        return os.path.dirname(self.path)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return os.path.basename(self.path)

    def __str__(self) -> str:
        return f"{self.host or 'front-end'}:{self.path}"


def _setting(name: str) -> str:
    """A single value of oned.conf; '' when it is not set."""
    folder = os.environ.get("ONE_LOCATION")
    path = os.path.join(folder, "etc/oned.conf") if folder else "/etc/one/oned.conf"
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return ""
    found = re.findall(rf'(?m)^[ \t]*{name}[ \t]*=[ \t]*(?:"([^"\n]*)"|([^"\s#\[]+))', text)
    return (found[-1][0] or found[-1][1]).strip() if found else ""


def var() -> str:
    """The folder of the front-end's state."""
    folder = os.environ.get("ONE_LOCATION")
    return os.path.join(folder, "var") if folder else "/var/lib/one"


def datastores() -> str:
    """The folder that all datastores are in."""
    return os.path.normpath(_setting("DATASTORE_LOCATION") or os.path.join(var(), "datastores"))


def is_front_end(host: str) -> bool:
    """Whether a host's name is the one that the core gives the front-end."""
    return host in ("", platform.node(), _setting("HOSTNAME"))


def spot(argument: str) -> Spot:
    """HOST:PATH, or PATH on the front-end. Raises DriverError for anything else."""
    host, path = "", argument
    if not argument.startswith("/"):
        host, colon, path = argument.partition(":/")
        path = f"/{path}" if colon else ""
    if host and not _HOST.fullmatch(host):
        raise DriverError(f"{argument!r} does not name a host: HOST:PATH was expected")
    if not path or os.path.normpath(path) != path.rstrip("/") or path.startswith("//"):
        raise DriverError(f"{argument!r} is not HOST:PATH with an absolute, plain path (no '..', no '//')")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        raise DriverError(f"{argument!r} has control characters in its path")
    return Spot("" if is_front_end(host) else host, path.rstrip("/"))


def _inside(path: str, argument: str) -> list[str]:
    """The parts of a path below the datastores. Raises DriverError."""
    root = datastores()
    if not path.startswith(f"{root}/"):
        raise DriverError(f"{argument!r} is outside of the datastores in {root}; nothing was changed")
    return path[len(root) + 1 :].split("/")


def number(text: str, what: str) -> str:
    """An id as the core gives it. Raises DriverError."""
    if not _NUMBER.fullmatch(text):
        raise DriverError(f"{what} must be a number, found {text[:40]!r}")
    return text


def vm_file(argument: str, vm_id: str) -> Spot:
    """A disk (or kernel, initrd) in the folder of this VM. Raises DriverError."""
    found = spot(argument)
    parts = _inside(found.path, argument)
    if not (
        len(parts) == 3
        and _NUMBER.fullmatch(parts[0])
        and parts[1] == number(vm_id, "the VM's id")
        and _IN_FOLDER.fullmatch(parts[2])
    ):
        raise DriverError(f"{argument!r} is no disk of VM {vm_id}: HOST:…/{vm_id}/disk.N was expected")
    return found


def vm_folder(argument: str, vm_id: str) -> Spot:
    """The folder of this VM in a system datastore. Raises DriverError."""
    found = spot(argument)
    parts = _inside(found.path, argument)
    if not (len(parts) == 2 and _NUMBER.fullmatch(parts[0]) and parts[1] == number(vm_id, "the VM's id")):
        raise DriverError(f"{argument!r} is not the folder of VM {vm_id}: HOST:…/{vm_id} was expected")
    return found


def is_vm_file(argument: str) -> bool:
    """Whether the argument names a disk rather than a folder."""
    return _IN_FOLDER.fullmatch(os.path.basename(argument.rstrip("/"))) is not None


def disk_id(place: Spot) -> str:
    """The number of a disk; '' for a kernel and the like."""
    return place.name.partition(".")[2]


def image_read(argument: str) -> Spot:
    """An image that is copied or linked; an administrator may have put it anywhere. Raises DriverError."""
    return spot(argument)


def image_written(argument: str, ds_id: str) -> Spot:
    """An image of this datastore that is written. Raises DriverError."""
    found = spot(argument)
    parts = _inside(found.path, argument)
    if len(parts) != 2 or parts[0] != number(ds_id, "the datastore's id") or not _IMAGE.fullmatch(parts[1]):
        raise DriverError(
            f"{argument!r} is no image of datastore {ds_id}: {datastores()}/{ds_id}/NAME was expected"
        )
    return found


def scratch(source: Spot, vm_id: str) -> Spot:
    """Where the front-end puts what it makes of an image for a VM before it is copied."""
    return Spot(source.host, os.path.join(datastores(), f".convert.{number(vm_id, 'the VM')}.{source.name}"))


def image_shared(argument: str) -> str:
    """The path of an image where its datastore is mounted on nodes: below our datastores, whatever the path
    that it was registered with. Raises DriverError.
    """
    path = spot(argument).path
    parts = path.split("/")
    if not _NUMBER.fullmatch(parts[-2]) or not _IMAGE.fullmatch(parts[-1]):
        return path
    return os.path.join(datastores(), parts[-2], parts[-1])
