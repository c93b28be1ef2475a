"""Live migration: the machine goes to another node, its disks too where they are not shared.

Source: arguments and order of release 6.0.0.3; libvirt's migration with copied storage.
"""

from __future__ import annotations

import contextlib
import glob
import os
import socket
import sys
from collections.abc import Sequence

import kvm_copy
import kvm_message
import kvm_node
import kvm_settings
import kvm_snapshots
from driver import DriverError
from kvm_peer import Peer
from kvm_virsh import Virsh, when_not_busy

_HALF_MOVED = ("paused", "migrating")


def migrate(argv: Sequence[str]) -> None:
    """DEPLOY_ID DEST_HOST SRC_HOST VM_ID HOST, the message on standard input; run on the source.

    A machine that is on the other node already, and not here, is no failure. When it fails, the machine goes
    on here, and what was made on the other node is removed.
    """
    domain, host, _, vm_id = kvm_node.arguments(argv, "DEPLOY_ID DEST_HOST SRC_HOST VM_ID")
    message = kvm_message.of_stdin()
    settings = kvm_settings.load()
    here, there, peer = Virsh(settings), Virsh(settings, settings.uri_of(host)), Peer(host)
    folder = kvm_message.text_of(message, "DISK_TARGET_PATH")
    says_shared = kvm_message.text_of(message, "DATASTORE/TEMPLATE/SHARED").upper() == "YES"
    with kvm_node.alone(vm_id):
        try:
            if _has_arrived(here, there, domain):
                return
            if not says_shared:
                _require_folder(folder, vm_id)
                peer.run("mkdir", "-p", "--", folder)
            is_shared = says_shared or kvm_copy.is_shared(peer, folder)
            _move(here, there, peer, domain, "" if is_shared else folder)
        except DriverError as error:
            raise DriverError(f"Could not migrate domain {domain} to host {host}: {error}") from None
    with contextlib.suppress(DriverError):
        if settings.is_yes("SYNC_TIME"):
            peer.begin(kvm_node.clock_command(settings, domain))
    kvm_node.compact_after_stop(settings)


def _require_folder(folder: str, vm_id: str) -> None:
    """Raises DriverError for what is not a VM's folder: it is removed on the other node after a failure."""
    name = os.path.basename(folder)
    if not os.path.isabs(folder) or name != vm_id or not os.path.isdir(folder):
        raise DriverError(f"DISK_TARGET_PATH must be the folder of vm {vm_id}, found {folder!r}")


def _has_arrived(here: Virsh, there: Virsh, domain: str) -> bool:
    """Whether an earlier run has moved it. Raises DriverError when it is nowhere, or libvirt does not say."""
    runs_there = there.is_active(domain)
    if not here.is_active(domain):
        if runs_there:
            return True
        raise DriverError(f"domain {domain} runs neither on this host nor at {there.uri}")
    if runs_there:
        raise DriverError(f"domain {domain} runs on this host and at {there.uri}: one of them must be ended")
    if here.state(domain) == _HALF_MOVED:
        # An earlier run died in the middle, and libvirt left it as it was at that moment.
        here.call("resume", f"--domain={domain}")
    return False


def _move(here: Virsh, there: Virsh, peer: Peer, domain: str, folder: str) -> None:
    """folder: of the VM, when the other node needs a copy of it."""
    options = [f"--domain={domain}", f"--desturi={there.uri}", "--live"]
    options += here.settings.words("MIGRATE_OPTIONS")
    options += _way(options, peer.host)
    notes = kvm_snapshots.folder_of(here, domain)
    dropped: list[str] = []
    try:
        if folder:
            options += _copied(here, peer, domain, folder)
        if here.settings.is_yes("CLEANUP_MEMORY_ON_START"):
            with contextlib.suppress(DriverError):
                peer.run(*kvm_node.COMPACT)
        # libvirt moves no domain that has snapshots.
        dropped = kvm_snapshots.forget(here, domain)
        when_not_busy(lambda: here.call("migrate", *options, timeout_s=None))
    except DriverError as error:
        if not _has_gone(here, there, domain):
            _clear(here, there, peer, domain, folder)
            kvm_snapshots.redefine(here, domain, notes)
            raise
        sys.stderr.write(f"domain {domain} has arrived on host {peer.host}, although: {error}\n")
    if folder and dropped:
        sys.stderr.write(f"domain {domain}: its snapshots stayed behind, for its disks are not shared\n")
    elif notes and dropped:
        kvm_snapshots.redefine(there, domain, notes)


def _way(options: Sequence[str], host: str) -> list[str]:
    """Let the machine go to the address that the node is known by here.

    By itself libvirt asks the node for its name, which may be known only there.
    """
    if any(option.startswith("--migrateuri") for option in options):
        return []
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []  # a name that only ssh knows
    name = f"[{host}]" if ":" in host else host
    return [f"--migrateuri=tcp://{name}"] if found else []


def _copied(here: Virsh, peer: Peer, domain: str, folder: str) -> list[str]:
    """Prepare the disks on the other node; the options that let libvirt fill them. Raises DriverError."""
    disks = kvm_copy.written(here.xml(domain), folder, peer)
    # Snapshots are inside the disks, and copying a disk while it is in use leaves them behind.
    kept = glob.glob(os.path.join(glob.escape(os.path.realpath(folder)), "snap-*.xml"))
    kvm_copy.send(peer, folder, disks, kept)
    if not disks:
        return []
    return ["--copy-storage-inc", f"--migrate-disks={','.join(disk.target for disk in disks)}"]


def _has_gone(here: Virsh, there: Virsh, domain: str) -> bool:
    """Whether the machine is on the other node although the migration failed, say at its very end."""
    with contextlib.suppress(DriverError):
        return not here.is_active(domain) and there.is_active(domain)
    return False


def _clear(here: Virsh, there: Virsh, peer: Peer, domain: str, folder: str) -> None:
    """The machine goes on here, and what was made for it on the other node goes.

    Nothing is touched there unless it runs here: its disks may be all that is left of it.
    """
    try:
        if not here.is_active(domain):
            return
        if here.state(domain) == _HALF_MOVED:
            here.call("resume", f"--domain={domain}")
        if there.is_active(domain):
            there.call("destroy", f"--domain={domain}")
        if folder:
            peer.run("rm", "-rf", "--", folder)
    except DriverError as error:
        sys.stderr.write(f"after the failed migration of domain {domain}: {error}\n")


def migrate_local(argv: Sequence[str]) -> None:
    """DEPLOY_ID DEST_HOST SRC_HOST VM_ID HOST: the same, run on the front-end, for shared disks only."""
    domain, host, origin, vm_id = kvm_node.arguments(argv, "DEPLOY_ID DEST_HOST SRC_HOST VM_ID")
    settings = kvm_settings.load()
    here, there = Virsh(settings, settings.uri_of(origin)), Virsh(settings, settings.uri_of(host))
    peer = Peer(host)
    with kvm_node.alone(vm_id):
        try:
            if _has_arrived(here, there, domain):
                return
            _move(here, there, peer, domain, "")
        except DriverError as error:
            raise DriverError(
                f"Could not migrate domain {domain} from host {origin} to {host}: {error}"
            ) from None
    with contextlib.suppress(DriverError):
        if settings.is_yes("SYNC_TIME"):
            peer.begin(kvm_node.clock_command(settings, domain))
        if settings.is_yes("CLEANUP_MEMORY_ON_STOP"):
            Peer(origin).begin(kvm_node.COMPACT)
