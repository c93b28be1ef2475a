"""``onebox node``: look at every item, put right what is not, or only say so."""

from __future__ import annotations

import os
from pathlib import Path

from onebox_cli.node import access, hypervisor, machine, network, services
from onebox_cli.node.item import Finding, Item, Unfit
from onebox_cli.node.wanted import HOME, Wanted
from onebox_cli.ui import Failure, say

_OS_RELEASE = Path("/etc/os-release")


def run(wanted: Wanted, *, check: bool) -> int:
    """Make this machine a node; the exit code. ``check``: change nothing, 1 when something is to be done."""
    _refuse_others()
    left = []
    for item, service in _items(wanted):
        finding = _examine(item)
        if not finding.is_ok and not check:
            finding = _put_right(item, service)
        if not finding.is_ok:
            left.append(item.name)
        _show(item.name, finding)
    if not left:
        say("This machine is a node.")
        return 0
    say(f"{len(left)} to do: {', '.join(left)}")
    return 1


def _refuse_others() -> None:
    if os.geteuid() != 0:
        raise Failure("node looks at and changes this machine's settings: run it as root")
    try:
        lines = _OS_RELEASE.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    known = {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
    if "debian" not in (known.get("ID", ""), *known.get("ID_LIKE", "").split()):
        found = known.get("PRETTY_NAME") or known.get("ID") or "an unknown system"
        raise Failure(f"node makes Debian machines nodes, found {found}")


def _items(wanted: Wanted) -> list[tuple[Item, services.Service | None]]:
    """Every item in its order, with the service that reads its settings."""
    rows: list[tuple[Item, services.Service | None]] = [
        (machine.Packages(), None),
        (machine.User(), None),
        (machine.Folder("home", HOME), None),
        (machine.Folder("ssh folder", access.SSH, 0o700), None),
        (access.Keys(wanted.keys), None),
        (access.ClientConfig(), None),
        (machine.Folder("datastores", wanted.datastores), None),
        (machine.Folder("driver actions", wanted.remotes), None),
    ]
    sudo, server = access.items()
    qemu, libvirt = hypervisor.items()
    rows += [
        (sudo, None),
        (access.HostKeys(), None),
        (server, services.SSHD),
        (qemu, services.LIBVIRTD),
        (libvirt, services.LIBVIRTD),
        (hypervisor.AppArmor(wanted), None),
        (services.SSHD, None),
        (services.VIRTLOGD, None),
        (services.LIBVIRTD, None),
        (network.BridgeFilter(), None),
    ]
    rows += [(network.BridgeItem(bridge), None) for bridge in wanted.bridges]
    rows.append((hypervisor.Acceleration(), None))
    return rows


def _examine(item: Item) -> Finding:
    try:
        return item.examine()
    except (OSError, ValueError, Unfit) as error:
        return Finding(f"cannot be looked at: {error}", is_fault=True)


def _put_right(item: Item, service: services.Service | None) -> Finding:
    try:
        item.apply()
        if service is not None:
            service.restart()
        finding = item.examine()
    except (OSError, ValueError, Unfit) as error:
        return Finding(f"failed: {error}", is_fault=True)
    # What is still to do needs a person, as a key that nobody gave.
    return Finding(f"{finding.found} (changed)") if finding.is_ok else finding


def _show(name: str, finding: Finding) -> None:
    if finding.is_ok:
        say(f"  ok    {name:<16} {finding.found}")
    else:
        say(f"  TODO  {name:<16} {': '.join(filter(None, (finding.found, finding.todo)))}")
