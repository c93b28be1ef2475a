"""What is asked of images and networks, and what nobody may be granted."""

from __future__ import annotations

from random import Random

from tests.support.chaos.world import World

Call = tuple[str, tuple[object, ...]]


def image_template(world: World, rng: Random, name: str) -> str:
    """A new image, mostly a datablock."""
    mood = f"DUMMY=[{world.image_mood(rng)}]"
    persistent = rng.choice(("YES", "NO"))
    kind = rng.choice(("TYPE=DATABLOCK SIZE=10", "TYPE=OS PATH=/x", "TYPE=CDROM PATH=/cd"))
    return f'NAME="{name}" {kind} PERSISTENT={persistent} {mood}'


def image_call(world: World, rng: Random) -> Call:
    """Something about an image, but for creating, copying and deleting it."""
    image = world.any_of(rng, world.images)
    return rng.choice(
        (
            ("image.enable", (image, rng.random() < 0.6)),
            ("image.persistent", (image, rng.random() < 0.5)),
            ("image.chtype", (image, rng.choice(("OS", "DATABLOCK")))),
            ("image.snapshotdelete", (image, rng.randrange(2))),
            ("image.snapshotrevert", (image, rng.randrange(2))),
            ("image.snapshotflatten", (image, rng.randrange(2))),
            ("image.chmod", (image, 1, 1, 1, 1, 0, 0, rng.randrange(2), 0, 0)),
        )
    )


def net_template(rng: Random, name: str) -> str:
    """A new network, mostly one that takes a VLAN id."""
    number = rng.randrange(1, 250)
    ranges = f"AR=[TYPE=IP4,IP=10.{number}.0.1,SIZE={rng.randint(4, 40)}]"
    kind = rng.choice(
        ("VN_MAD=802.1Q PHYDEV=eth0 AUTOMATIC_VLAN_ID=YES", "VN_MAD=vxlan PHYDEV=eth0 AUTOMATIC_VLAN_ID=YES",
         "VN_MAD=802.1Q PHYDEV=eth0 AUTOMATIC_VLAN_ID=YES", "VN_MAD=dummy BRIDGE=br1")
    )  # fmt: skip
    return f'NAME="{name}" {kind} {ranges}'


def net_call(world: World, rng: Random) -> Call:
    """Something about a network, but for creating, reserving and deleting it."""
    net = world.any_of(rng, world.nets)
    ip = f"10.{rng.randrange(1, 250)}.0.{rng.randrange(1, 20)}"
    shared = f"10.0.{rng.randrange(4)}.{rng.randrange(256)}"
    return rng.choice(
        (
            ("vn.add_ar", (net, f"AR=[TYPE=IP4,IP={ip},SIZE=5]")),
            ("vn.rm_ar", (net, rng.randrange(3))),
            ("vn.update_ar", (net, f"AR=[AR_ID={rng.randrange(2)},SIZE={rng.randint(1, 60)}]")),
            ("vn.hold", (world.lan, f"LEASES=[IP={shared}]")),
            ("vn.release", (world.lan, f"LEASES=[IP={shared}]")),
            ("vn.hold", (net, f"LEASES=[IP={ip}]")),
            ("vn.chmod", (net, 1, 1, 1, 1, 0, 0, rng.randrange(2), 0, 0)),
        )
    )


def wrong_call(world: World, rng: Random) -> Call:
    """Something that must be refused, whoever asks."""
    vm_id = world.any_of(rng, world.vms)
    return rng.choice(
        (
            ("vm.action", ("explode", vm_id)),
            ("vm.action", ("poweroff", 10**7)),
            ("vm.allocate", ("CPU=1", False)),
            ("vm.allocate", ("CPU=1 MEMORY=1 DISK=[IMAGE_ID=9999999]", False)),
            ("vm.attach", (vm_id, "DISK=[")),
            ("vm.attachnic", (vm_id, "NIC=[NETWORK_ID=9999999]")),
            ("vm.resize", (vm_id, "CPU=-1 MEMORY=1", True)),
            ("vm.migrate", (vm_id, 9999999, True, False, -1, 0)),
            ("vm.recover", (vm_id, 17)),
            ("vn.hold", (world.lan, "LEASES=[IP=192.168.1.1]")),
            ("vn.delete", (world.lan,)),
            ("image.delete", (10**7,)),
            ("vn.allocate", ("NAME=x", -1)),
            ("image.allocate", ("NAME=x PATH=/x", 10**7, False)),
        )
    )
