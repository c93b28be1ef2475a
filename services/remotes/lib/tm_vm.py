"""What transfer actions look up of a VM: its disks, where it is, what happens to it."""

from __future__ import annotations

import base64
import binascii
import os
import shlex
import subprocess
import time
import xml.etree.ElementTree as ElementTree

from driver import DriverError, document, run
from tm_paths import image_shared, number, var

# Numbers of LCM_STATE.
HOTPLUG_SAVEAS = 26
PROLOG_MIGRATE_UNKNOWN = 60
DISK_RESIZE = 62
# What commands say while no front-end answers, for how long that is borne with, and how often it is asked.
_AWAY = ("Cannot connect to", " broke: ", "answered HTTP 503")
_PATIENCE_S = 60.0
_PAUSE_S = 0.5


class Disk:
    """A disk of a VM's document."""

    def __init__(self, element: ElementTree.Element | None) -> None:
        self._element = element

    def get(self, name: str) -> str:
        """An attribute; '' when the disk lacks it."""
        return ((self._element.findtext(name) if self._element is not None else "") or "").strip()

    @property
    def form(self) -> str:
        """qcow2 or raw, as the hypervisor uses it."""
        return "qcow2" if (self.get("DRIVER") or self.get("FORMAT")).lower() == "qcow2" else "raw"

    @property
    def is_clone(self) -> bool:
        """Whether it is a copy of its image, not the image itself."""
        return self.get("CLONE").upper() == "YES"

    @property
    def grown_to_mb(self) -> int:
        """The size that it gets when that is more than its image's; else 0."""
        size, original = self.get("SIZE"), self.get("ORIGINAL_SIZE")
        if not size.isdigit() or not original.isdigit() or int(size) <= int(original):
            return 0
        return int(size)


class Vm:
    """A VM's document."""

    def __init__(self, root: ElementTree.Element) -> None:
        self._root = root

    def text(self, path: str) -> str:
        """The text of an element; '' when it is not there."""
        return (self._root.findtext(path) or "").strip()

    @property
    def lcm_state(self) -> int:
        """The number of its state."""
        text = self.text("LCM_STATE")
        return int(text) if text.isdigit() else -1

    @property
    def deploy_id(self) -> str:
        """The hypervisor's name of it."""
        return self.text("DEPLOY_ID") or f"one-{self.text('ID')}"

    @property
    def stay(self) -> ElementTree.Element:
        """The newest history record."""
        records = self._root.findall("HISTORY_RECORDS/HISTORY")
        return records[-1] if records else ElementTree.Element("HISTORY")

    @property
    def watched_by(self) -> str:
        """What .monitor says of its system datastore: ssh for one of each node, which looks at it itself.

        Disks and kernels of datastores of ssh come to others, too: those are watched as a whole.
        """
        return "ssh" if (self.stay.findtext("TM_MAD") or "ssh").strip() == "ssh" else ""

    @property
    def disks(self) -> list[Disk]:
        """All disks of images and volatile ones."""
        return [Disk(element) for element in self._root.findall("TEMPLATE/DISK")]

    def devices(self) -> list[str]:
        """The devices of all its disks."""
        return [disk.get("TARGET") for disk in self.disks if disk.get("TARGET")]

    def ways(self) -> dict[str, list[str]]:
        """For tm_node_arrived: the numbers of its qcow2 disks, and the images that disks may stand on."""
        sources = [disk.get("SOURCE") for disk in self.disks if disk.get("SOURCE").startswith("/")]
        return {
            "layered": [disk.get("DISK_ID") for disk in self.disks if disk.form == "qcow2"],
            "images": [path for source in sources for path in (source, image_shared(source))],
        }

    def disk(self, disk_id: str) -> Disk:
        """A disk by its number; an empty one when the VM has none of it (a kernel, a context disk)."""
        return next((disk for disk in self.disks if disk.get("DISK_ID") == disk_id), Disk(None))


def parse(text: bytes | str) -> Vm:
    """The VM of a document. Raises DriverError."""
    root = document(text)
    if root.tag != "VM":
        raise DriverError(f"the document of a VM was expected, found <{root.tag}>")
    return Vm(root)


def find(vm_id: str) -> Vm:
    """The VM as the core knows it now. Raises DriverError.

    An interface that is being started again, as after a crash, is waited for.
    """
    command = ["onevm", "show", "-x", number(vm_id, "the VM's id")]
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return parse(run(command))
        except DriverError as error:
            is_away = any(words in str(error) for words in _AWAY)
            if not is_away or time.monotonic() > deadline_s:
                raise
            time.sleep(_PAUSE_S)


def image_form(disk: Disk) -> str:
    """raw or qcow2, as the datastore has stored the image of a disk; '' where it does not say.

    The hypervisor may be told another one (DRIVER of a datastore), and the bytes of a raw image are what
    guests wrote, so neither says what the image is. Raises DriverError.
    """
    image_id = disk.get("IMAGE_ID")
    if not image_id:
        return ""
    text = run(["oneimage", "show", "-x", number(image_id, "the image's id")])
    form = (document(text).findtext("FORMAT") or "").strip().lower()
    return form if form in ("raw", "qcow2") else ""


def decoded(text: bytes) -> bytes:
    """A document that comes in base64. Raises DriverError."""
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        raise DriverError("the document on standard input is no base64") from None


def libvirt_uri() -> str:
    """libvirt of a node, as the hypervisor driver's settings name it."""
    return setting("vmm/kvm/kvmrc", "LIBVIRT_URI")["LIBVIRT_URI"] or "qemu:///system"


def layer_options() -> list[str]:
    """QCOW2_OPTIONS of tmrc: what else qemu-img is told when it makes a layer. Raises DriverError."""
    folder = os.environ.get("ONE_LOCATION")
    file = os.path.join(folder, "etc/tmrc") if folder else "/etc/one/tmrc"
    text = setting(file, "QCOW2_OPTIONS")["QCOW2_OPTIONS"]
    try:
        return shlex.split(text)
    except ValueError as error:
        raise DriverError(f"QCOW2_OPTIONS in {file}: {error}, found {text!r}") from None


def setting(file: str, *names: str) -> dict[str, str]:
    """Values of a file with shell syntax, of remotes/etc or by its full path; '' for what it does not set."""
    path = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../etc", file)
    if not os.path.exists(path):
        path = os.path.join(var(), "remotes/etc", file)
    script = '. "$1" >/dev/null 2>&1; shift; for name; do printf "%s\\0" "${!name}"; done'
    done = subprocess.run(
        ["bash", "-c", script, "settings", path, *names],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    values = done.stdout.decode("utf-8", "replace").split("\0")
    return dict(zip(names, values, strict=False))
