"""Before and after a live migration: what the transfer drivers of a VM do.

Disks on storage that both hosts see need nothing. For others (ssh) the hypervisor copies them while it moves
the machine; then the target has to be empty before, and the origin has to be emptied after.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence

import tm_paths
import tm_vm
from driver import DriverError
from tm_machine import call, log
from tm_paths import Spot
from tm_transfer import is_same, wanted

_DRIVER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


def shared(arguments: Sequence[str]) -> None:
    """premigrate (postmigrate, failmigrate) SRC_HOST DST_HOST FOLDER VM_ID DS_ID: the other drivers act."""
    _others(arguments, sys.stdin.buffer.read())


def premigrate(arguments: Sequence[str]) -> None:
    """premigrate of the driver ssh: nothing of the VM is left at the target."""
    text = sys.stdin.buffer.read()
    source, target = _ends(arguments)
    if source.host != target.host and not is_same(source, target):
        vm = _vm(text)
        log(f"making room for {target}")
        uri, folder = tm_vm.libvirt_uri(), target.path
        call(target.host, "tm_node_live.make_room", folder=folder, uri=uri, domain=vm.deploy_id)
        call(target.host, "tm_node.make_folder", folder=target.path, monitor="ssh")
    _others(arguments, text)


def postmigrate(arguments: Sequence[str]) -> None:
    """postmigrate of the driver ssh: the origin's folder goes; the machine has arrived."""
    text = sys.stdin.buffer.read()
    source, target = _ends(arguments)
    _others(arguments, text)
    if source.host != target.host and not is_same(source, target):
        log(f"deleting {source}")
        call(source.host, "tm_node.remove", path=source.path)


def failmigrate(arguments: Sequence[str]) -> None:
    """failmigrate of the driver ssh: the target's folder goes if the machine is certainly not there."""
    text = sys.stdin.buffer.read()
    source, target = _ends(arguments)
    _others(arguments, text)
    if source.host == target.host or is_same(source, target):
        return
    uri, domain = tm_vm.libvirt_uri(), _vm(text).deploy_id
    if not call(target.host, "tm_node_live.clear_up", folder=target.path, uri=uri, domain=domain):
        log(f"{target} is left, for the machine may be there")


def _ends(arguments: Sequence[str]) -> tuple[Spot, Spot]:
    source, target, folder, vm_id, _ = wanted(arguments, "SRC_HOST DST_HOST FOLDER VM_ID DS_ID")[:5]
    return tm_paths.vm_folder(f"{source}:{folder}", vm_id), tm_paths.vm_folder(f"{target}:{folder}", vm_id)


def _vm(text: bytes) -> tm_vm.Vm:
    return tm_vm.parse(tm_vm.decoded(text))


def _others(arguments: Sequence[str], text: bytes) -> None:
    """Run the same action of the drivers of the VM's other disks, once each; those call no others."""
    if len(arguments) > 5:
        return
    action = os.path.basename(sys.argv[0])
    own = os.path.basename(os.path.dirname(os.path.abspath(sys.argv[0])))
    folder = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0])))
    drivers = {disk.get("TM_MAD") for disk in _vm(text).disks} - {"", own}
    for name in sorted(drivers):
        script = os.path.join(folder, name, action)
        if not _DRIVER.fullmatch(name) or not os.path.exists(script):
            continue
        done = subprocess.run([script, *arguments, own], input=text, stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise DriverError(f"{action} of the driver {name} failed")
