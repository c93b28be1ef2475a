"""Start, stop and look at machines: deploy, cancel, shutdown, reboot, reset, poll."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
import uuid
from collections.abc import Sequence

import kvm_node
import kvm_settings
import kvm_snapshots
import kvm_usage
from driver import DriverError, document
from kvm_virsh import GONE, SHUT_OFF, Virsh

_CANCEL_S = 60.0
_POLL_S = 0.5
_START_TAG = re.compile(rb"""<domain(?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*>""")
_STATES = {"running": "a", "idle": "a", "in shutdown": "a", "paused": "p", "pmsuspended": "p", "crashed": "e"}


def deploy(argv: Sequence[str]) -> None:
    """DEPLOYMENT_FILE HOST VM_ID HOST, the domain on standard input: start it; prints its UUID.

    The UUID is noted in the deployment file, so that a second run knows a machine that the first has started.
    """
    path, _, vm_id = kvm_node.arguments(argv, "DEPLOYMENT_FILE HOST VM_ID")
    text = sys.stdin.buffer.read()
    virsh = Virsh(kvm_settings.load())
    name = _domain_name(text, path)
    with kvm_node.alone(vm_id):
        started = _uuid_in(path)
        if started and virsh.is_active(started) and _is_named(virsh, started, name):
            print(started)
            return
        if virsh.is_active(name):
            raise DriverError(
                f"domain {name} already runs on this host with UUID {virsh.uuid(name)}, and {path} has not "
                "started it"
            )
        own = _uuid_of(text) or str(uuid.uuid4())
        _write(path, text if _uuid_of(text) else _with_uuid(text, own))
        kvm_node.compact_before_start(virsh.settings)
        try:
            virsh.call("create", f"--file={path}", timeout_s=None)
        except DriverError as error:
            raise DriverError(f"Could not create domain {name} from {path}: {error}") from None
        kvm_snapshots.redefine(virsh, own, os.path.dirname(path))
        print(own)


def _is_named(virsh: Virsh, domain: str, name: str) -> bool:
    """Whether a machine is the one of that name: users choose UUIDs, and may choose another's."""
    return (virsh.xml(domain).findtext("name") or "").strip() == name


def _domain_name(text: bytes, path: str) -> str:
    root = document(text)
    name = (root.findtext("name") or "").strip()
    if root.tag != "domain" or not name:
        raise DriverError(f"{path} must be a domain with a name, found {root.tag!r}")
    return name


def _uuid_of(text: bytes) -> str:
    return (document(text).findtext("uuid") or "").strip()


def _uuid_in(path: str) -> str:
    """The UUID that an earlier run has noted in the file; '' without one."""
    try:
        with open(path, "rb") as source:
            return _uuid_of(source.read())
    except (OSError, DriverError):
        return ""


def _with_uuid(text: bytes, value: str) -> bytes:
    """The document with a UUID; the rest, name spaces too, stays letter by letter."""
    tag = _START_TAG.search(text)
    if tag is None:
        raise DriverError("the deployment file does not begin with a domain")
    return b"%s<uuid>%s</uuid>%s" % (text[: tag.end()], value.encode(), text[tag.end() :])


def _write(path: str, text: bytes) -> None:
    """Write a file that only its owner reads (it may hold the password of the console)."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        partial = f"{path}.part"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            target.write(text)
        os.replace(partial, path)
    except OSError as error:
        raise DriverError(f"cannot write {path}: {error.strerror}") from None


# -- stop --------------------------------------------------------------------------------------------------
def cancel(argv: Sequence[str]) -> None:
    """DEPLOY_ID HOST …: stop a machine hard. One that is not there is no failure.

    It does not wait for other actions on the machine: it is how they are ended.
    """
    (domain,) = kvm_node.arguments(argv, "DEPLOY_ID")
    virsh = Virsh(kvm_settings.load())
    _destroy(virsh, domain)
    kvm_node.compact_after_stop(virsh.settings)


def _destroy(virsh: Virsh, domain: str) -> None:
    ends_at = time.monotonic() + _CANCEL_S
    while virsh.is_active(domain):
        fault = ""
        try:
            virsh.call("destroy", f"--domain={domain}")
        except DriverError as error:
            fault = str(error)
        if not virsh.is_active(domain):
            return
        if time.monotonic() > ends_at:
            raise DriverError(f"Could not destroy domain {domain}: {fault or 'it is still active'}")
        time.sleep(_POLL_S)


def shutdown(argv: Sequence[str]) -> None:
    """DEPLOY_ID HOST VM_ID HOST: ask the guest to end, and wait; then kvmrc says whether it is destroyed."""
    domain, _, vm_id = kvm_node.arguments(argv, "DEPLOY_ID HOST VM_ID")
    settings = kvm_settings.load()
    virsh = Virsh(settings)
    timeout_s = settings.shutdown_timeout_s
    with kvm_node.alone(vm_id):
        if not virsh.is_active(domain):
            return
        if settings.is_yes("CANCEL_NO_ACPI") and virsh.xml(domain).find("features/acpi") is None:
            _destroy(virsh, domain)
        elif not _asked_to_end(virsh, domain, timeout_s):
            if not settings.is_yes("FORCE_DESTROY"):
                raise DriverError(f"domain {domain} has not shut down within {timeout_s} s")
            sys.stderr.write(f"domain {domain} has not shut down within {timeout_s} s, destroying it\n")
            _destroy(virsh, domain)
    kvm_node.compact_after_stop(settings)


def _asked_to_end(virsh: Virsh, domain: str, timeout_s: float) -> bool:
    """Whether the guest has ended in time. It is asked once more half-way: guests miss the first at times."""
    began = time.monotonic()
    asks_at = [began, began + timeout_s / 2]
    while virsh.is_active(domain):
        now = time.monotonic()
        if asks_at and now >= asks_at[0]:
            asks_at.pop(0)
            try:
                virsh.call("shutdown", f"--domain={domain}")
            except DriverError as error:
                if virsh.is_active(domain) and not asks_at:
                    return False
                sys.stderr.write(f"domain {domain}: {error}\n")
        if now - began >= timeout_s:
            return False
        time.sleep(_POLL_S)
    return True


# -- start again -------------------------------------------------------------------------------------------
def reboot(argv: Sequence[str]) -> None:
    """DEPLOY_ID HOST …: ask the guest to start again."""
    _again(argv, "reboot")


def reset(argv: Sequence[str]) -> None:
    """DEPLOY_ID HOST …: start it again, hard."""
    _again(argv, "reset")


def _again(argv: Sequence[str], command: str) -> None:
    (domain,) = kvm_node.arguments(argv, "DEPLOY_ID")
    virsh = Virsh(kvm_settings.load())
    virsh.require_active(domain)
    try:
        virsh.call(command, f"--domain={domain}")
    except DriverError as error:
        raise DriverError(f"Could not {command} domain {domain}: {error}") from None


# -- look --------------------------------------------------------------------------------------------------
def poll(argv: Sequence[str]) -> None:
    """DEPLOY_ID HOST …: prints STATE=a (active), p (paused), e (crashed) or d (not there), and its usage."""
    (domain,) = kvm_node.arguments(argv, "DEPLOY_ID")
    virsh = Virsh(kvm_settings.load())
    state, _ = virsh.state(domain)
    if state in (GONE, SHUT_OFF):
        print("STATE=d")
        return
    words = [f"STATE={_STATES.get(state, '-')}"]
    # It may go meanwhile, or be too busy to be counted; its state is what was asked for.
    with contextlib.suppress(DriverError):
        words += kvm_usage.words(virsh, domain)
    print(" ".join(words))
