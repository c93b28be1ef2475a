"""Disks of machines that run, with the virsh of their node; see tm_node."""

from __future__ import annotations

import os
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tm_node import Fault, attempt, erase, remove, run
from tm_node_chain import add_layer, next_layer
from tm_node_copy import drop, set_link, stage_in

_TRIES, _PAUSE_S = 3, 5  # while another job on the disk comes to its end


def domain_state(uri: str, domain: str) -> str:
    """present, absent, or unknown when libvirt does not answer."""
    try:
        code, out, said = attempt(["virsh", "--connect", uri, "domstate", "--", domain])
    except Fault:
        return "absent"  # no virsh, no machines
    if code == 0:
        return "present"
    if "domain not found" in said.lower() or "failed to get domain" in said.lower():
        return "absent"
    return "unknown"


def make_room(folder: str, uri: str, domain: str) -> None:
    """A stale folder of a VM goes before the machine arrives. Raises Fault if the machine may be here."""
    state = domain_state(uri, domain)
    if state != "absent":
        raise Fault(f"{folder} is not touched: machine {domain} is {state} on this host")
    remove(folder)


def clear_up(folder: str, uri: str, domain: str) -> bool:
    """After a migration that failed: the folder goes if the machine is certainly not here; whether it did."""
    if domain_state(uri, domain) != "absent":
        return False
    remove(folder)
    return True


# -- copies ------------------------------------------------------------------------------------------------
def export(uri: str, domain: str, device: str, disk: str, target: str, form: str) -> str:
    """A copy of a disk as it is at one moment, under a temporary name beside the target; its folder."""
    temporary = stage_in(target)
    made = os.path.join(temporary, os.path.basename(target))
    try:
        if not _block_copy(uri, domain, device, made, form):
            with _frozen(uri, domain):
                erase(made)
                run(["qemu-img", "convert", "-q", "-U", "-f", form, "-O", form, "--", disk, made])
    except BaseException:
        drop(temporary)
        raise
    return temporary


def _block_copy(uri: str, domain: str, device: str, target: str, form: str) -> bool:
    """Whether the hypervisor has copied it; what it says is noted when not."""
    argv = ["virsh", "--connect", uri, "blockcopy", domain, device, "--dest", target, "--format", form]
    argv += ["--transient-job", "--wait", "--finish"]
    for left in range(_TRIES - 1, -1, -1):
        erase(target)
        code, _, said = attempt(argv)
        if code == 0:
            return True
        if "active block job" not in said or not left:
            break
        time.sleep(_PAUSE_S)
    os.write(2, f"blockcopy: {said}\n".encode())
    return False


@contextmanager
def _frozen(uri: str, domain: str) -> Iterator[None]:
    """The guest writes nothing meanwhile: its agent freezes it, or it stands still."""
    virsh = ["virsh", "--connect", uri]
    if attempt([*virsh, "domfsfreeze", domain])[0] == 0:
        thaw = [*virsh, "domfsthaw", domain]
    elif attempt([*virsh, "suspend", domain])[0] == 0:
        thaw = [*virsh, "resume", domain]
    else:
        raise Fault(f"machine {domain} could neither be frozen nor suspended")
    try:
        yield
    finally:
        attempt(thaw)


# -- snapshots ---------------------------------------------------------------------------------------------
def copy_snapshot(uri: str, domain: str, device: str, disk: str, snap_id: int, form: str) -> None:
    """disk.N.snap/ID: a full copy of the disk of a running machine."""
    folder = f"{disk}.snap"
    os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, str(snap_id))
    temporary = export(uri, domain, device, disk, target, form)
    os.replace(os.path.join(temporary, str(snap_id)), target)
    drop(temporary)


def layer_snapshot(
    uri: str,
    domain: str,
    device: str,
    others: Sequence[str],
    disk: str,
    base: str,
    snap_id: int,
    options: Sequence[str] = (),
) -> None:
    """A new layer that the running machine writes from here on; the others of its disks are left alone."""
    made, text = next_layer(disk, base, snap_id)
    if not _uses(uri, domain, device, made):
        if not os.path.islink(disk):
            raise Fault(f"{disk} is no disk of layers, it cannot have snapshots of this driver")
        add_layer(disk, made, os.readlink(disk), options)
        document = _snapshot_xml(f"{os.path.basename(disk)}-{snap_id}", device, others, made)
        with tempfile.NamedTemporaryFile("w", suffix=".xml", encoding="utf-8") as file:
            file.write(document)
            file.flush()
            with _frozen(uri, domain):
                words = ["--disk-only", "--atomic", "--no-metadata", "--reuse-external"]
                run(["virsh", "--connect", uri, "snapshot-create", domain, file.name, *words])
    set_link(disk, text)


def _uses(uri: str, domain: str, device: str, path: str) -> bool:
    """Whether the machine writes to that file already."""
    document = ElementTree.fromstring(run(["virsh", "--connect", uri, "dumpxml", domain]))
    for disk in document.findall("devices/disk"):
        target, source = disk.find("target"), disk.find("source")
        if target is not None and target.get("dev") == device and source is not None:
            return os.path.realpath(source.get("file", "")) == os.path.realpath(path)
    raise Fault(f"machine {domain} has no disk {device}")


def _snapshot_xml(name: str, device: str, others: Sequence[str], path: str) -> str:
    root = ElementTree.Element("domainsnapshot")
    ElementTree.SubElement(root, "name").text = name
    disks = ElementTree.SubElement(root, "disks")
    for other in others:
        ElementTree.SubElement(disks, "disk", name=other, snapshot="no")
    disk = ElementTree.SubElement(disks, "disk", name=device, snapshot="external")
    ElementTree.SubElement(disk, "source", file=path)
    return ElementTree.tostring(root, encoding="unicode")
