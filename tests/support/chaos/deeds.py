"""What can be asked of a VM: the life-cycle's event and the call, with arguments that suit the VM or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from xml.etree import ElementTree

from services.oned.lifecycle.states import state_name
from services.oned.lifecycle.transitions import TABLE
from tests.support.chaos.world import World

_POSSIBLE = {(origin, event.partition("/")[0]) for origin, event in TABLE}


@dataclass(frozen=True)
class View:
    """A VM as a client has seen it."""

    id: int
    condition: str
    disks: list[int]
    nics: list[int]
    snapshots: list[int]
    disk_snapshots: list[tuple[int, int]]

    @classmethod
    def of(cls, body: str) -> View:
        """From the VM's document."""
        vm = ElementTree.fromstring(body)
        return cls(
            int(vm.findtext("ID") or -1),
            state_name(int(vm.findtext("STATE") or 0), int(vm.findtext("LCM_STATE") or 0)),
            [int(one.text or -1) for one in vm.findall("TEMPLATE/DISK/DISK_ID")],
            [int(one.text or -1) for one in vm.findall("TEMPLATE/NIC/NIC_ID")],
            [int(one.text or -1) for one in vm.findall("TEMPLATE/SNAPSHOT/SNAPSHOT_ID")],
            [
                (int(tree.findtext("DISK_ID") or -1), int(one.findtext("ID") or -1))
                for tree in vm.findall("SNAPSHOTS")
                for one in tree.findall("SNAPSHOT")
            ],
        )


Arguments = Callable[[World, Random, View], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Deed:
    """``events``: what it fires, the first that the condition allows. arguments: those after the id."""

    name: str
    method: str
    events: tuple[str, ...]
    arguments: Arguments
    weight: float = 1.0

    def suits(self, condition: str) -> bool:
        """Whether the life-cycle has a row for it."""
        return any((condition, event) in _POSSIBLE for event in self.events)


def _act(name: str, weight: float = 1.0) -> Deed:
    return Deed(name, "vm.action", (name.replace("-", "_"),), lambda world, rng, vm: (name,), weight)


def _host(world: World, rng: Random) -> int:
    return world.any_of(rng, world.hosts)


def _place(world: World, rng: Random) -> int:
    return rng.choice([-1, *world.places])


def _deploy(world: World, rng: Random, vm: View) -> tuple[Any, ...]:
    return (_host(world, rng), rng.random() < 0.5, rng.choice(world.places), "")


def _migrate(live: bool, kind: int) -> Arguments:
    return lambda world, rng, vm: (
        _host(world, rng), live, rng.random() < 0.5, -1 if live else _place(world, rng), kind,
    )  # fmt: skip


def _disk(world: World, rng: Random, vm: View) -> tuple[Any, ...]:
    with_image = f"DISK=[IMAGE_ID={rng.choice([world.os, *world.images])}]"
    return (rng.choice((with_image, "DISK=[TYPE=fs,SIZE=7,FORMAT=raw]", "DISK=[TYPE=swap,SIZE=3]")),)


def _nic(world: World, rng: Random, vm: View) -> tuple[Any, ...]:
    return (f"NIC=[NETWORK_ID={rng.choice([world.lan, world.lan, *world.nets])}]",)


def _one_of(rng: Random, ids: list[int]) -> int:
    return rng.choice(ids) if ids and rng.random() > 0.03 else 77


def _disk_snapshot(world: World, rng: Random, vm: View) -> tuple[Any, ...]:
    return rng.choice(vm.disk_snapshots) if vm.disk_snapshots else (0, 0)


def _grow(world: World, rng: Random, vm: View) -> tuple[Any, ...]:
    return (_one_of(rng, vm.disks), str(rng.choice((1, 2048, 4096, 8192))))


def _capacity(world: World, rng: Random, vm: View) -> tuple[Any, ...]:
    return (f"CPU=0.0{rng.randint(1, 9)} MEMORY={rng.randint(1, 9)}", rng.random() < 0.5)


def _recover(name: str, number: int, weight: float) -> Deed:
    return Deed(
        f"recover-{name}", "vm.recover", (f"recover_{name}",), lambda world, rng, vm: (number,), weight
    )


DEEDS: tuple[Deed, ...] = (
    _act("terminate", 0.15),
    _act("terminate-hard", 0.3),
    *(_act(name) for name in ("poweroff", "suspend", "stop", "undeploy")),
    *(_act(name, 0.5) for name in ("poweroff-hard", "undeploy-hard", "reboot", "reboot-hard")),
    *(_act(name, 2.0) for name in ("resume", "release")),
    *(_act(name, 0.4) for name in ("hold", "resched", "unresched")),
    Deed("deploy", "vm.deploy", ("deploy", "deploy_stopped", "deploy_undeployed"), _deploy, 2.0),
    Deed("migrate", "vm.migrate", ("migrate",), _migrate(False, 0)),
    Deed("migrate-live", "vm.migrate", ("migrate_live", "migrate"), _migrate(True, 0)),
    Deed("migrate-poweroff", "vm.migrate", ("migrate_poweroff",), _migrate(False, 1)),
    Deed("migrate-poweroff-hard", "vm.migrate", ("migrate_poweroff_hard",), _migrate(False, 2)),
    Deed("attach", "vm.attach", ("attach_disk",), _disk),
    Deed("detach", "vm.detach", ("detach_disk",), lambda world, rng, vm: (_one_of(rng, vm.disks),)),
    Deed("attachnic", "vm.attachnic", ("attach_nic", "attach_nic_offline"), _nic),
    Deed(
        "detachnic",
        "vm.detachnic",
        ("detach_nic", "detach_nic_offline"),
        lambda world, rng, vm: (_one_of(rng, vm.nics),),
    ),  # fmt: skip
    Deed("snapshotcreate", "vm.snapshotcreate", ("snapshot_create",), lambda world, rng, vm: ("s",)),
    *(
        Deed(
            f"snapshot{what}",
            f"vm.snapshot{what}",
            (f"snapshot_{what}",),
            lambda world, rng, vm: (_one_of(rng, vm.snapshots),),
        )  # fmt: skip
        for what in ("revert", "delete")
    ),
    Deed(
        "disksnapshotcreate",
        "vm.disksnapshotcreate",
        ("disk_snapshot_create",),
        lambda world, rng, vm: (_one_of(rng, vm.disks), "d"),
    ),  # fmt: skip
    *(
        Deed(f"disksnapshot{what}", f"vm.disksnapshot{what}", (f"disk_snapshot_{what}",), _disk_snapshot)
        for what in ("revert", "delete")
    ),
    Deed("diskresize", "vm.diskresize", ("resize_disk",), _grow, 0.5),
    Deed(
        "disksaveas",
        "vm.disksaveas",
        ("saveas",),
        lambda world, rng, vm: (_one_of(rng, vm.disks), f"saved-{vm.id}-{rng.randrange(10**9)}", "", -1),
        0.5,
    ),  # fmt: skip
    Deed("resize", "vm.resize", ("resize",), _capacity, 0.7),
    Deed(
        "updateconf",
        "vm.updateconf",
        ("updateconf",),
        lambda world, rng, vm: (f'CONTEXT=[NETWORK=YES,SAYS="{rng.randrange(99)}"]',),
        0.5,
    ),  # fmt: skip
    _recover("failure", 0, 0.3),
    _recover("success", 1, 0.2),
    _recover("retry", 2, 1.0),
    _recover("delete", 3, 0.1),
    _recover("recreate", 4, 0.2),
)


def choose(rng: Random, vm: View) -> Deed:
    """Mostly what the VM's condition allows, at times anything."""
    suiting = [deed for deed in DEEDS if deed.suits(vm.condition)]
    deeds = suiting if suiting and rng.random() < 0.85 else list(DEEDS)
    return rng.choices(deeds, [deed.weight for deed in deeds])[0]
