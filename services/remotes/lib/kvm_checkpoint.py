"""A machine's memory in a file: save and restore, with the hooks of transfer drivers.

A transfer driver whose disks are no files may bring an executable ``save.<TM_MAD>``, run after the machine
was saved, and ``restore.<TM_MAD>``, run before it goes on; both get the action's arguments and its document.
Source: arguments, order and hooks of release 6.0.0.3.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Sequence

import kvm_message
import kvm_node
import kvm_paths
import kvm_settings
import kvm_snapshots
from driver import DriverError, document, run
from kvm_virsh import Virsh, when_not_busy

_RETRY_S = 1.0


def save(argv: Sequence[str]) -> None:
    """DEPLOY_ID FILE HOST VM_ID HOST: the machine stops, its memory goes to the file.

    A machine that is gone already, with a whole checkpoint, is no failure.
    """
    domain, path, _, vm_id = kvm_node.arguments(argv, "DEPLOY_ID FILE HOST VM_ID")
    text = sys.stdin.buffer.read()
    virsh = Virsh(kvm_settings.load())
    with kvm_node.alone(vm_id):
        if virsh.is_active(domain):
            _put_aside(virsh, path)
            _save(virsh, domain, path)
        elif not _is_whole(virsh, path):
            raise DriverError(f"Could not save domain {domain} to {path}: it does not run on this host")
        kvm_node.compact_after_stop(virsh.settings)
        _hook("save", text, argv)


def _save(virsh: Virsh, domain: str, path: str) -> None:
    try:
        # Made here, so that it is the driver's file wherever libvirt itself may not make one.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        options = (f"--domain={domain}", f"--file={path}", "--running")
        when_not_busy(lambda: virsh.call("save", *options, timeout_s=None))
    except (OSError, DriverError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise DriverError(f"Could not save domain {domain} to {path}: {said}") from None
    if not os.access(path, os.R_OK):
        sys.stderr.write(f"{path} cannot be read by this user: dynamic_ownership of qemu.conf must be 0\n")


def _put_aside(virsh: Virsh, path: str) -> None:
    """Keep an old checkpoint under another name; one that was never finished goes."""
    if not os.path.lexists(path):
        return
    try:
        if _is_whole(virsh, path):
            os.rename(path, f"{path}.{int(time.time())}")
        else:
            os.unlink(path)
    except OSError as error:
        raise DriverError(f"Could not move {path} out of the way: {error.strerror}") from None


def _is_whole(virsh: Virsh, path: str) -> bool:
    """Whether the file is a checkpoint that libvirt has finished."""
    if not os.path.isfile(path) or not os.path.getsize(path):
        return False
    try:
        virsh.call("save-image-dumpxml", f"--file={path}")
    except DriverError:
        return False
    return True


def restore(argv: Sequence[str]) -> None:
    """FILE HOST DEPLOY_ID VM_ID HOST: the machine goes on; prints its deploy id.

    When it runs already, from this checkpoint, only the file is still removed.
    """
    path, _, domain, vm_id = kvm_node.arguments(argv, "FILE HOST DEPLOY_ID VM_ID")
    text = sys.stdin.buffer.read()
    settings = kvm_settings.load()
    virsh = Virsh(settings)
    with kvm_node.alone(vm_id):
        if not virsh.is_active(domain):
            _hook("restore", text, argv)
            kvm_node.compact_before_start(settings)
            _restore(virsh, domain, path, vm_id)
            kvm_node.set_clock(settings, domain)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        kvm_snapshots.redefine(virsh, domain, os.path.dirname(path))
        print(domain)


def _restore(virsh: Virsh, domain: str, path: str, vm_id: str) -> None:
    try:
        saved = virsh.call("save-image-dumpxml", f"--file={path}", "--security-info")
        here = kvm_paths.moved(saved, os.path.dirname(path), vm_id).encode()
        document(here)
        for attempt in range(1, virsh.settings.retries + 1):
            try:
                options = (f"--file={path}", "--xml=/dev/stdin", "--running")
                virsh.call("restore", *options, stdin=here, timeout_s=None)
                return
            except DriverError:
                # Some versions of qemu die at their first try.
                if attempt == virsh.settings.retries or virsh.is_active(domain):
                    raise
                time.sleep(_RETRY_S)
    except DriverError as error:
        raise DriverError(f"Could not restore domain {domain} from {path}: {error}") from None


def _hook(action: str, text: bytes, argv: Sequence[str]) -> None:
    """Run the transfer driver's hook of an action, where it has one. Raises DriverError."""
    if not text.strip():
        return
    driver = kvm_message.transfer_driver(document(text))
    if not re.fullmatch(r"[A-Za-z0-9_-]+", driver):
        return
    here = os.path.dirname(os.path.abspath(sys.argv[0]))
    for folder in dict.fromkeys((here, os.path.dirname(os.path.realpath(sys.argv[0])))):
        program = os.path.join(folder, f"{action}.{driver}")
        if os.access(program, os.X_OK):
            run([program, *argv], stdin=text)
            return
