"""Snapshots of whole machines, memory and disks, inside their qcow2 disks.

libvirt forgets a transient domain and its snapshots with it, so their descriptions are kept in the VM's
folder, ``snap-<id>.xml``, and told to it again when the machine starts anew (KEEP_SNAPSHOTS).
Source: names and order of release 6.0.0.3.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import sys
from collections.abc import Iterator, Sequence

import kvm_message
import kvm_node
import kvm_paths
import kvm_settings
from driver import DriverError
from kvm_virsh import Virsh, when_not_busy

_UUID = re.compile(r"<uuid>[0-9A-Za-z-]*</uuid>")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def create(argv: Sequence[str]) -> None:
    """DEPLOY_ID SNAP_ID VM_ID HOST: prints the snapshot's name. One that has it already is replaced."""
    domain, number, vm_id = kvm_node.arguments(argv, "DEPLOY_ID SNAP_ID VM_ID")
    name = _checked(f"snap-{number}")
    virsh = Virsh(kvm_settings.load())
    with kvm_node.alone(vm_id):
        virsh.require_active(domain)
        folder = folder_of(virsh, domain)
        with _said("create", name, domain):
            if name in _names(virsh, domain):
                # The core gives each id once: what is there was left by a run that nobody waited for.
                _delete(virsh, domain, name)
            options = (f"--domain={domain}", f"--name={name}")
            when_not_busy(lambda: virsh.call("snapshot-create-as", *options, timeout_s=None))
        _note(virsh, domain, folder, name)
        print(name)


def revert(argv: Sequence[str]) -> None:
    """DEPLOY_ID SNAP_NAME VM_ID HOST: the machine is as it was."""
    domain, name, vm_id = kvm_node.arguments(argv, "DEPLOY_ID SNAP_NAME VM_ID")
    _checked(name)
    virsh = Virsh(kvm_settings.load())
    with kvm_node.alone(vm_id):
        virsh.require_active(domain)
        with _said("revert to", name, domain):
            if name not in _names(virsh, domain):
                raise DriverError("it has none of that name")
            options = (f"--domain={domain}", f"--snapshotname={name}", "--force")
            when_not_busy(lambda: virsh.call("snapshot-revert", *options, timeout_s=None))
    kvm_node.set_clock(virsh.settings, domain)


def delete(argv: Sequence[str]) -> None:
    """DEPLOY_ID SNAP_NAME VM_ID HOST: the snapshot goes. One that is not there is no failure."""
    domain, name, vm_id = kvm_node.arguments(argv, "DEPLOY_ID SNAP_NAME VM_ID")
    _checked(name)
    virsh = Virsh(kvm_settings.load())
    with kvm_node.alone(vm_id):
        virsh.require_active(domain)
        folder = folder_of(virsh, domain)
        with _said("delete", name, domain):
            if name in _names(virsh, domain):
                _delete(virsh, domain, name)
        if folder:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, f"{name}.xml"))
        # Those that came after it have another parent now.
        for other in _names(virsh, domain):
            _note(virsh, domain, folder, other)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise DriverError(f"the name of a snapshot must be letters, digits, '.', '_' and '-', found {name!r}")
    return name


@contextlib.contextmanager
def _said(what: str, name: str, domain: str) -> Iterator[None]:
    try:
        yield
    except DriverError as error:
        raise DriverError(f"Could not {what} snapshot {name} of domain {domain}: {error}") from None


def _names(virsh: Virsh, domain: str) -> list[str]:
    text = virsh.call("snapshot-list", f"--domain={domain}", "--name", "--topological")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _delete(virsh: Virsh, domain: str, name: str) -> None:
    options = (f"--domain={domain}", f"--snapshotname={name}")
    when_not_busy(lambda: virsh.call("snapshot-delete", *options, timeout_s=None))


def folder_of(virsh: Virsh, domain: str) -> str:
    """The VM's folder as its domain notes it; '' when it does not, or the folder is not there."""
    uri = virsh.settings.get("LIBVIRT_MD_URI", kvm_message.METADATA_URI)
    folder = (virsh.xml(domain).findtext(f".//{{{uri}}}system_datastore") or "").strip()
    return folder if os.path.isabs(folder) and os.path.isdir(folder) else ""


def _note(virsh: Virsh, domain: str, folder: str, name: str) -> None:
    """Keep a snapshot's description; without it only a machine that starts anew lacks the snapshot."""
    if not folder or not _NAME.fullmatch(name):
        return
    path = os.path.join(folder, f"{name}.xml")
    try:
        options = (f"--domain={domain}", f"--snapshotname={name}", "--security-info")
        text = when_not_busy(lambda: virsh.call("snapshot-dumpxml", *options))
        descriptor = os.open(f"{path}.part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as target:
            target.write(text)
        os.replace(f"{path}.part", path)
    except (OSError, DriverError) as error:
        sys.stderr.write(f"snapshot {name} of domain {domain} could not be noted in {folder}: {error}\n")


def forget(virsh: Virsh, domain: str) -> list[str]:
    """Drop what libvirt knows of the snapshots, as a migration demands; what is in the disks stays.

    Returns the names of those that were dropped, parents first. Raises DriverError.
    """
    names = _names(virsh, domain)
    for name in reversed(names):
        virsh.call("snapshot-delete", f"--domain={domain}", f"--snapshotname={name}", "--metadata")
    return names


def redefine(virsh: Virsh, domain: str, folder: str) -> None:
    """Tell libvirt of the snapshots that the VM's folder describes, for the domain of that UUID.

    A snapshot that cannot be told of is no obstacle for the machine.
    """
    paths = sorted(glob.glob(os.path.join(glob.escape(folder), "snap-*.xml")), key=_created)
    if not paths:
        return
    try:
        own = virsh.uuid(domain)
    except DriverError as error:
        sys.stderr.write(f"snapshots of {folder} not told of: {error}\n")
        return
    for path in paths:
        try:
            with open(path, encoding="utf-8") as source:
                text = kvm_paths.moved(source.read(), folder, os.path.basename(folder))
            text = _UUID.sub(f"<uuid>{own}</uuid>", text)
            options = (f"--domain={domain}", "--xmlfile=/dev/stdin", "--redefine")
            virsh.call("snapshot-create", *options, stdin=text.encode())
        except (OSError, DriverError) as error:
            sys.stderr.write(f"{path}: snapshot not known to domain {domain}: {error}\n")


def _created(path: str) -> tuple[int, str]:
    """Parents were made before their children."""
    with contextlib.suppress(OSError, DriverError, ValueError):
        return int(kvm_message.read(path).findtext("creationTime") or "0"), path
    return 0, path
