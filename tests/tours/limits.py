"""Quotas of every kind: the zone's defaults, users', groups'; how they are hit, counted and given back."""

# ruff: noqa: SIM300 - fields of pyone's objects have capital letters, as constants have.
from __future__ import annotations

from typing import Any

import pyone
from pyone import (
    OneActionException,
    OneAuthorizationException,
    OneInternalException,
    OneNoExistsException,
)

from tests.tours.tour import Tour, User, limits, refused, used

_SMALL = 'CPU="0.5"\nMEMORY="64"\n'
_DISK = 'DISK=[TYPE="fs",SIZE="10"]\n'


class _Zone:
    """A host, an image datastore, a network of five addresses; two users of one group."""

    def __init__(self, tour: Tour) -> None:
        one = tour.one
        self.host = one.host.allocate(tour.name("node"), "dummy", "dummy", 0)
        store = {"NAME": tour.name("img"), "DS_MAD": "dummy", "TM_MAD": "dummy"}
        self.store = one.datastore.allocate(store, 0)
        self.system = one.datastore.allocate(
            {"NAME": tour.name("sys"), "TYPE": "SYSTEM_DS", "TM_MAD": "dummy"}, 0
        )
        self.net = one.vn.allocate(
            f"NAME={tour.name('lan')}\nVN_MAD=dummy\nBRIDGE=br0\nAR=[TYPE=IP4,IP=10.2.0.1,SIZE=5]", 0
        )
        self.gid = tour.group("quota")
        self.ann, self.bob = tour.user("ann", self.gid), tour.user("bob", self.gid)
        tour.until(lambda: one.host.info(self.host).STATE == 2, "host monitored")
        tour.until(lambda: one.datastore.info(self.store).TOTAL_MB > 0, "datastore monitored")

    def remove(self, tour: Tour) -> None:
        """Delete everything."""
        one = tour.one
        tour.remove([self.ann, self.bob], [self.gid])
        one.vn.delete(self.net)
        one.datastore.delete(self.store)
        one.datastore.delete(self.system)
        one.host.delete(self.host)


def run(tour: Tour) -> None:
    """The whole part."""
    zone = _Zone(tour)
    _defaults(tour, zone)
    _capacity(tour, zone)
    _a_group(tour, zone)
    _running(tour, zone)
    _devices(tour, zone)
    _images(tour, zone)
    _changing_hands(tour, zone)
    _who_may_set_what(tour, zone)
    for document in (_user(tour, zone.ann), _user(tour, zone.bob), tour.one.group.info(zone.gid)):
        assert used(document) == {} and limits(document) == {}
    zone.remove(tour)


def _user(tour: Tour, user: User) -> Any:
    return tour.one.user.info(user.uid)


def _vm(user: User, more: str = "") -> int:
    made: int = user.one.vm.allocate(_SMALL + more, True)
    return made


def _defaults(tour: Tour, zone: _Zone) -> None:
    one, ann = tour.one, zone.ann
    one.userquota.update('VM=[VMS="2"]')
    one.groupquota.update('VM=[VMS="4"]')
    assert limits(_user(tour, ann).DEFAULT_USER_QUOTAS) == {"VM VMS": 2}
    assert limits(one.group.info(zone.gid).DEFAULT_GROUP_QUOTAS) == {"VM VMS": 4}
    vms = [_vm(ann), _vm(ann)]
    refused(OneAuthorizationException, _vm, ann)
    one.user.quota(ann.uid, 'VM=[VMS="3"]')
    vms.append(_vm(ann))
    refused(OneAuthorizationException, _vm, ann)
    one.user.quota(ann.uid, 'VM=[VMS="-2"]')  # no limit for ann; her group still has the default one
    vms.append(_vm(ann))
    refused(OneAuthorizationException, _vm, ann)
    one.group.quota(zone.gid, 'VM=[VMS="-2"]')
    vms.append(_vm(ann))
    one.user.quota(ann.uid, 'VM=[VMS="-1"]')  # the default again, which she is above
    refused(OneAuthorizationException, _vm, ann)
    assert used(_user(tour, ann))["VM VMS"] == 5
    tour.end(*vms)
    vms = [_vm(ann), _vm(ann)]
    refused(OneAuthorizationException, _vm, ann)
    tour.end(*vms)
    one.group.quota(zone.gid, 'VM=[VMS="-1"]')
    one.userquota.update('VM=[VMS="-2"]')
    one.groupquota.update('VM=[VMS="-2"]')


def _capacity(tour: Tour, zone: _Zone) -> None:
    """Each metric by itself; what is refused counts for nothing, what ends is given back."""
    one, ann = tour.one, zone.ann
    for metric, room in (("CPU", "1.2"), ("MEMORY", "160"), ("SYSTEM_DISK_SIZE", "25"), ("VMS", "2")):
        one.user.quota(ann.uid, f'VM=[{metric}="{room}"]')
        vms = [_vm(ann, _DISK), _vm(ann, _DISK)]
        before = used(_user(tour, ann))
        assert metric in refused(OneAuthorizationException, _vm, ann, _DISK)
        assert used(_user(tour, ann)) == before == used(one.group.info(zone.gid))
        assert before["VM VMS"] == 2 and before["VM CPU"] == 1 and before["VM MEMORY"] == 128
        assert before["VM SYSTEM_DISK_SIZE"] == 20
        # Growing is counted, too, as far as there is room.
        if metric in ("CPU", "MEMORY"):
            text = {"CPU": 'CPU="0.7"', "MEMORY": 'MEMORY="96"'}[metric]
            more = {"CPU": 'CPU="0.8"', "MEMORY": 'MEMORY="97"'}[metric]
            one.vm.deploy(vms[0], zone.host, False, zone.system, "")
            tour.vm_in(vms[0], "RUNNING")
            ann.one.vm.action("poweroff-hard", vms[0])
            tour.vm_in(vms[0], "POWEROFF")
            refused(OneAuthorizationException, ann.one.vm.resize, vms[0], more, False)
            ann.one.vm.resize(vms[0], text, False)
            assert used(_user(tour, ann))[f"VM {metric}"] == {"CPU": 1.2, "MEMORY": 160}[metric]
        tour.end(vms[0])
        vms[0] = _vm(ann, _DISK)
        tour.end(*vms)
        assert used(_user(tour, ann)) == {}
        one.user.quota(ann.uid, f'VM=[{metric}="-1"]')


def _a_group(tour: Tour, zone: _Zone) -> None:
    """A group's limit is for its members together; another group's machines do not count."""
    one, other = tour.one, tour.group("other")
    one.group.quota(zone.gid, 'VM=[VMS="2",MEMORY="-2"]')
    mine, his = _vm(zone.ann), _vm(zone.bob)
    refused(OneAuthorizationException, _vm, zone.ann)
    assert used(one.group.info(zone.gid))["VM VMS"] == 2 and used(_user(tour, zone.bob))["VM VMS"] == 1
    one.user.addgroup(zone.ann.uid, other)
    one.user.chgrp(zone.ann.uid, other)
    elsewhere = _vm(zone.ann)
    assert one.vm.info(elsewhere).GID == other
    assert used(one.group.info(other))["VM VMS"] == 1 and used(_user(tour, zone.ann))["VM VMS"] == 2
    one.user.chgrp(zone.ann.uid, zone.gid)
    one.user.delgroup(zone.ann.uid, other)
    tour.end(mine, his, elsewhere)
    assert used(one.group.info(other)) == {}
    one.group.quota(zone.gid, 'VM=[VMS="-1",MEMORY="-1"]')
    tour.remove(groups=[other])


def _running(tour: Tour, zone: _Zone) -> None:
    """What runs is counted apart: a machine that is off makes room, and needs room to come back."""
    one, ann = tour.one, zone.ann
    for limit in ('RUNNING_VMS="1"', 'RUNNING_CPU="0.9"', 'RUNNING_MEMORY="100"'):
        one.user.quota(ann.uid, f"VM=[{limit}]")
        first = ann.one.vm.allocate(_SMALL, False)
        refused(OneAuthorizationException, _vm, ann)
        tour.vm_in(first, "RUNNING")
        ann.one.vm.action("poweroff", first)
        tour.vm_in(first, "POWEROFF")
        counted = used(_user(tour, ann))
        assert (counted["VM VMS"], counted["VM CPU"]) == (1, 0.5) and "VM RUNNING_VMS" not in counted
        second = _vm(ann)
        assert used(_user(tour, ann))["VM RUNNING_VMS"] == 1
        refused(OneActionException, ann.one.vm.action, "resume", first)
        ann.one.vm.action("terminate", second)
        ann.one.vm.action("resume", first)
        tour.vm_in(first, "RUNNING")
        ann.one.vm.action("suspend", first)
        tour.vm_in(first, "SUSPENDED")
        assert "VM RUNNING_MEMORY" not in used(_user(tour, ann))
        tour.end(first)
        one.user.quota(ann.uid, f"VM=[{limit.partition('=')[0]}=-1]")


def _devices(tour: Tour, zone: _Zone) -> None:
    """Addresses and disks that are attached and detached, and a reservation of addresses."""
    one, ann = tour.one, zone.ann
    nic = f'NIC=[NETWORK_ID="{zone.net}"]\n'
    leases = f"NETWORK {zone.net} LEASES"
    one.user.quota(ann.uid, f'NETWORK=[ID="{zone.net}",LEASES="2"]\nVM=[SYSTEM_DISK_SIZE="15"]')
    vm = ann.one.vm.allocate(_SMALL + nic + _DISK, False)
    refused(OneAuthorizationException, _vm, ann, nic + nic)
    tour.vm_in(vm, "RUNNING")
    ann.one.vm.attachnic(vm, nic)
    tour.vm_in(vm, "RUNNING")
    assert used(_user(tour, ann))[leases] == 2
    refused(OneAuthorizationException, ann.one.vm.attachnic, vm, nic)
    refused(OneAuthorizationException, ann.one.vm.attach, vm, 'DISK=[TYPE="fs",SIZE="6"]')
    ann.one.vm.attach(vm, 'DISK=[TYPE="fs",SIZE="5"]')
    tour.vm_in(vm, "RUNNING")
    assert used(_user(tour, ann))["VM SYSTEM_DISK_SIZE"] == 15
    ann.one.vm.detachnic(vm, 1)
    tour.vm_in(vm, "RUNNING")
    ann.one.vm.detach(vm, 1)
    tour.vm_in(vm, "RUNNING")
    counted = used(_user(tour, ann))
    assert (counted[leases], counted["VM SYSTEM_DISK_SIZE"]) == (1, 10)
    other = _vm(ann, nic)
    refused(OneAuthorizationException, _vm, ann, nic)
    tour.end(vm, other)
    assert used(_user(tour, ann)) == {} and one.vn.info(zone.net).USED_LEASES == 0
    # A reservation counts each address once, VMs in it do not count again for the parent.
    rule = tour.allow(f"#{ann.uid}", f"NET/#{zone.net}", "USE")
    refused(OneAuthorizationException, ann.one.vn.reserve, zone.net, f"SIZE=3\nNAME={tour.name('mine')}")
    mine = ann.one.vn.reserve(zone.net, f"SIZE=2\nNAME={tour.name('mine')}")
    assert used(_user(tour, ann))[leases] == 2
    refused(OneAuthorizationException, _vm, ann, nic)
    inside = _vm(ann, f'NIC=[NETWORK_ID="{mine}"]\n')
    assert used(_user(tour, ann))[leases] == 2 and used(_user(tour, ann))[f"NETWORK {mine} LEASES"] == 1
    tour.end(inside)
    ann.one.vn.delete(mine)
    assert used(_user(tour, ann)) == {}
    one.acl.delrule(rule)
    one.user.quota(ann.uid, f'NETWORK=[ID="{zone.net}",LEASES="-1"]\nVM=[SYSTEM_DISK_SIZE="-1"]')


def _image(tour: Tour, user: User, zone: _Zone, size_mb: int) -> int:
    made: int = user.one.image.allocate(
        f'NAME="{tour.name("data")}"\nTYPE="DATABLOCK"\nSIZE="{size_mb}"', zone.store, False
    )
    tour.until(lambda: user.one.image.info(made).STATE == pyone.IMAGE_STATES.READY, f"image {made} ready")
    return made


def _gone(tour: Tour, *images: int) -> None:
    for image in images:
        tour.one.image.delete(image)
    for image in images:
        tour.until(lambda image=image: not _exists(tour, image), f"image {image} gone")  # type: ignore[misc]


def _exists(tour: Tour, image: int) -> bool:
    try:
        tour.one.image.info(image)
    except OneNoExistsException:
        return False
    return True


def _images(tour: Tour, zone: _Zone) -> None:
    """A datastore's images and their size; how many disks an image is used by."""
    one, ann = tour.one, zone.ann
    images, size = f"DATASTORE {zone.store} IMAGES", f"DATASTORE {zone.store} SIZE"
    one.user.quota(ann.uid, f'DATASTORE=[ID="{zone.store}",IMAGES="2",SIZE="100"]')
    first = _image(tour, ann, zone, 60)
    refused(OneAuthorizationException, _image, tour, ann, zone, 41)
    second = _image(tour, ann, zone, 10)
    refused(OneAuthorizationException, _image, tour, ann, zone, 1)
    refused(OneAuthorizationException, ann.one.image.clone, second, tour.name("copy"), -1)
    assert (used(_user(tour, ann))[images], used(_user(tour, ann))[size]) == (2, 70)
    assert used(one.group.info(zone.gid)) == used(_user(tour, ann))
    one.user.quota(ann.uid, f'IMAGE=[ID="{first}",RVMS="1"]')
    disk = f'DISK=[IMAGE_ID="{first}"]\n'
    vm = _vm(ann, disk)
    assert used(_user(tour, ann))[f"IMAGE {first} RVMS"] == 1
    refused(OneAuthorizationException, _vm, ann, disk)
    tour.end(vm)
    tour.end(_vm(ann, disk))
    _gone(tour, first)
    assert (used(_user(tour, ann))[images], used(_user(tour, ann))[size]) == (1, 10)
    third = _image(tour, ann, zone, 90)
    _gone(tour, second, third)
    one.user.quota(
        ann.uid, f'DATASTORE=[ID="{zone.store}",IMAGES="-1",SIZE="-1"]\nIMAGE=[ID="{first}",RVMS="-1"]'
    )
    assert used(_user(tour, ann)) == {}


def _changing_hands(tour: Tour, zone: _Zone) -> None:
    """Giving something away moves what it counts for; the new owner must have room."""
    one, ann, bob = tour.one, zone.ann, zone.bob
    vm, image = _vm(ann, _DISK), _image(tour, ann, zone, 20)
    before = used(_user(tour, ann))
    one.user.quota(bob.uid, f'VM=[MEMORY="10"]\nDATASTORE=[ID="{zone.store}",SIZE="10"]')
    for chown, oid in ((one.vm.chown, vm), (one.image.chown, image)):
        refused(OneNoExistsException, chown, oid, bob.uid, -1)  # OpenNebula's code for it
    assert used(_user(tour, ann)) == before and used(_user(tour, bob)) == {}
    one.user.quota(bob.uid, f'VM=[MEMORY="-1"]\nDATASTORE=[ID="{zone.store}",SIZE="-1"]')
    one.vm.chown(vm, bob.uid, -1)
    one.image.chown(image, bob.uid, -1)
    assert used(_user(tour, bob)) == before == used(one.group.info(zone.gid))
    assert used(_user(tour, ann)) == {}
    one.vm.chown(vm, 0, 0)
    one.image.chown(image, 0, 0)
    assert used(_user(tour, bob)) == {} == used(one.group.info(zone.gid))
    tour.end(vm)
    _gone(tour, image)


def _who_may_set_what(tour: Tour, zone: _Zone) -> None:
    one, ann, bob = tour.one, zone.ann, zone.bob
    refused(OneActionException, one.user.quota, 0, "VM=[VMS=1]")
    refused(OneActionException, one.group.quota, 0, "VM=[VMS=1]")
    refused(OneNoExistsException, one.user.quota, 99999, "VM=[VMS=1]")
    refused(OneActionException, one.user.quota, ann.uid, "VM=[VMS=-7]")
    refused(OneAuthorizationException, ann.one.user.quota, ann.uid, "VM=[VMS=1]")
    refused(OneAuthorizationException, ann.one.group.quota, zone.gid, "VM=[VMS=1]")
    refused(OneAuthorizationException, ann.one.userquota.update, "VM=[VMS=1]")
    refused(OneAuthorizationException, ann.one.groupquota.update, "VM=[VMS=1]")
    # A group's administrator sets the members' limits, not the group's.
    one.group.addadmin(zone.gid, ann.uid)
    ann.one.user.quota(bob.uid, 'VM=[VMS="0"]')
    refused(OneAuthorizationException, _vm, bob)
    refused(OneAuthorizationException, ann.one.group.quota, zone.gid, "VM=[VMS=1]")
    ann.one.user.quota(bob.uid, 'VM=[VMS="-1"]')
    one.group.deladmin(zone.gid, ann.uid)
    # Limits may be set for things that are not there yet; wrong texts are refused.
    one.user.quota(ann.uid, 'IMAGE=[ID="99999",RVMS="1"]')
    assert limits(_user(tour, ann)) == {"IMAGE 99999 RVMS": 1}
    one.user.quota(ann.uid, 'IMAGE=[ID="99999",RVMS="-1"]')
    refused(OneActionException, one.user.quota, ann.uid, "VM=[VMS=")
    refused(OneInternalException, one.vm.allocate, "CPU=x\nMEMORY=1", True)
