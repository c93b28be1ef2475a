"""What can be asked of a VM: where it has to be before, and the call; for tests that let the work fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.fleet import Machine

Do = Callable[[Machine], object]


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work. state: where the VM is before it. before: what else has to be done first."""

    state: str
    do: Do
    before: Do = lambda vm: None


_TO: dict[str, tuple[str, ...]] = {
    "RUNNING": (),
    "POWEROFF": ("poweroff",),
    "SUSPENDED": ("suspend",),
    "STOPPED": ("stop",),
    "UNDEPLOYED": ("undeploy",),
}


def prepare(vm: Machine, work: Work) -> None:
    """Bring a new VM to where the work begins."""
    if work.state == "HOLD":
        return
    vm.deploy()
    for action in _TO[work.state]:
        vm.act(action, work.state)
    work.before(vm)
    vm.reach(work.state)


def _act(action: str) -> Do:
    return lambda vm: vm.act(action)


def _call(method: str, *args: object) -> Do:
    return lambda vm: vm.call(method, *args)


def _deploy(vm: Machine) -> None:
    vm.call("deploy", vm.fleet.hosts["h1"], False, vm.fleet.near, "")


def _elsewhere(vm: Machine) -> None:
    vm.act("resume", "PENDING")
    vm.call("deploy", vm.fleet.hosts["h2"], False, vm.fleet.near, "")


def _migrate(live: bool = False, kind: int = 0) -> Do:
    return lambda vm: vm.call("migrate", vm.fleet.hosts["h2"], live, False, -1, kind)


def _attach(vm: Machine) -> None:
    vm.call("attach", f"DISK=[IMAGE_ID={vm.fleet.os}]")


def _attach_nic(vm: Machine) -> None:
    vm.call("attachnic", f"NIC=[NETWORK_ID={vm.fleet.lan}]")


_VOLATILE = _call("attach", "DISK=[TYPE=fs,SIZE=7,FORMAT=raw]")
_SNAPSHOT = _call("snapshotcreate", "a")
_DISK_SNAPSHOT = _call("disksnapshotcreate", 0, "a")


def _two_disk_snapshots(vm: Machine) -> None:
    for name in ("a", "b"):
        vm.call("disksnapshotcreate", 0, name)
        vm.reach("RUNNING", "POWEROFF", "SUSPENDED")


WORK: dict[str, Work] = {
    "deploy": Work("HOLD", _deploy),
    "resume": Work("POWEROFF", _act("resume")),
    "resume suspended": Work("SUSPENDED", _act("resume")),
    "resume stopped": Work("STOPPED", _elsewhere),
    "resume undeployed": Work("UNDEPLOYED", _elsewhere),
    "poweroff": Work("RUNNING", _act("poweroff")),
    "poweroff-hard": Work("RUNNING", _act("poweroff-hard")),
    "suspend": Work("RUNNING", _act("suspend")),
    "stop": Work("RUNNING", _act("stop")),
    "stop suspended": Work("SUSPENDED", _act("stop")),
    "undeploy": Work("RUNNING", _act("undeploy")),
    "undeploy-hard": Work("RUNNING", _act("undeploy-hard")),
    "undeploy off": Work("POWEROFF", _act("undeploy")),
    "terminate": Work("RUNNING", _act("terminate")),
    "terminate-hard": Work("RUNNING", _act("terminate-hard")),
    "terminate off": Work("POWEROFF", _act("terminate")),
    "reboot": Work("RUNNING", _act("reboot")),
    "reboot-hard": Work("RUNNING", _act("reboot-hard")),
    "migrate": Work("RUNNING", _migrate()),
    "migrate by poweroff": Work("RUNNING", _migrate(kind=1)),
    "migrate live": Work("RUNNING", _migrate(live=True)),
    "migrate off": Work("POWEROFF", _migrate()),
    "migrate suspended": Work("SUSPENDED", _migrate()),
    "attach disk": Work("RUNNING", _attach),
    "attach volatile disk": Work("RUNNING", _VOLATILE),
    "attach disk off": Work("POWEROFF", _attach),
    "detach disk": Work("RUNNING", _call("detach", 0)),
    "detach saved disk": Work("RUNNING", _call("detach", 1)),
    "detach disk off": Work("POWEROFF", _call("detach", 0)),
    "attach nic": Work("RUNNING", _attach_nic),
    "detach nic": Work("RUNNING", _call("detachnic", 0)),
    "snapshot create": Work("RUNNING", _SNAPSHOT),
    "snapshot revert": Work("RUNNING", _call("snapshotrevert", 0), _SNAPSHOT),
    "snapshot delete": Work("RUNNING", _call("snapshotdelete", 0), _SNAPSHOT),
    "disk snapshot create": Work("RUNNING", _DISK_SNAPSHOT),
    "disk snapshot create off": Work("POWEROFF", _DISK_SNAPSHOT),
    "disk snapshot create suspended": Work("SUSPENDED", _DISK_SNAPSHOT),
    "disk snapshot revert off": Work("POWEROFF", _call("disksnapshotrevert", 0, 0), _two_disk_snapshots),
    "disk snapshot revert suspended": Work(
        "SUSPENDED", _call("disksnapshotrevert", 0, 0), _two_disk_snapshots
    ),
    "disk snapshot delete": Work("RUNNING", _call("disksnapshotdelete", 0, 0), _two_disk_snapshots),
    "disk snapshot delete off": Work("POWEROFF", _call("disksnapshotdelete", 0, 0), _two_disk_snapshots),
    "disk snapshot delete suspended": Work(
        "SUSPENDED", _call("disksnapshotdelete", 0, 0), _two_disk_snapshots
    ),
    "resize disk": Work("RUNNING", _call("diskresize", 0, "4096")),
    "resize disk off": Work("POWEROFF", _call("diskresize", 0, "4096")),
    "resize disk undeployed": Work("UNDEPLOYED", _call("diskresize", 0, "4096")),
    "resize": Work("RUNNING", _call("resize", "MEMORY=2", True)),
    "updateconf": Work("RUNNING", _call("updateconf", "CONTEXT=[SAYS=hello]")),
    "save disk": Work("RUNNING", lambda vm: vm.call("disksaveas", 0, f"saved-{vm.id}", "", -1)),
    "save disk off": Work("POWEROFF", lambda vm: vm.call("disksaveas", 0, f"saved-{vm.id}", "", -1)),
    "save disk suspended": Work("SUSPENDED", lambda vm: vm.call("disksaveas", 0, f"saved-{vm.id}", "", -1)),
    "save disk stopped": Work("STOPPED", lambda vm: vm.call("disksaveas", 0, f"saved-{vm.id}", "", -1)),
    "save disk undeployed": Work("UNDEPLOYED", lambda vm: vm.call("disksaveas", 0, f"saved-{vm.id}", "", -1)),
}
