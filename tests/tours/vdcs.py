"""Virtual data centers: what a group's members may see, use and deploy to through them, and no longer."""

# ruff: noqa: SIM300 - fields of pyone's objects have capital letters, as constants have.
from __future__ import annotations

from typing import Any

from pyone import (
    OneActionException,
    OneAuthorizationException,
    OneInternalException,
    OneNoExistsException,
)

from tests.tours.tour import ALL, Tour, User, ids, refused

_ALL_OF_A_ZONE = -10
_SMALL = {"CPU": "0.1", "MEMORY": "16"}


class _East:
    """A cluster with two hosts, a datastore for images, one for disks, a network; and a group of its own."""

    def __init__(self, tour: Tour) -> None:
        one = tour.one
        self.cluster = one.cluster.allocate(tour.name("east"))
        self.hosts = [one.host.allocate(tour.name("node"), "dummy", "dummy", self.cluster) for _ in range(2)]
        self.system = one.datastore.allocate(
            {"NAME": tour.name("sys"), "TYPE": "SYSTEM_DS", "TM_MAD": "dummy"}, self.cluster
        )
        self.images = one.datastore.allocate(
            {"NAME": tour.name("img"), "DS_MAD": "dummy", "TM_MAD": "dummy"}, self.cluster
        )
        for store in (self.system, self.images):
            one.datastore.chmod(store, 1, 1, 0, 0, 0, 0, 0, 0, 0)
        self.net = one.vn.allocate(
            f"NAME={tour.name('lan')}\nVN_MAD=dummy\nBRIDGE=br0\nAR=[TYPE=IP4,IP=10.1.0.1,SIZE=20]",
            self.cluster,
        )
        self.gid = tour.group("tenants", in_default_vdc=False)
        self.ann = tour.user("ann", self.gid)
        one.user.update(self.ann.uid, 'VM_MANAGE_OPERATIONS="deploy"', 1)
        tour.until(lambda: all(one.host.info(host).STATE == 2 for host in self.hosts), "hosts monitored")

    def remove(self, tour: Tour) -> None:
        """Delete everything."""
        one = tour.one
        tour.remove([self.ann], [self.gid])
        one.vn.delete(self.net)
        for store in (self.system, self.images):
            one.datastore.delete(store)
        for host in self.hosts:
            one.host.delete(host)
        one.cluster.delete(self.cluster)


def run(tour: Tour) -> None:
    """The whole part."""
    east = _East(tour)
    _members_one_by_one(tour, east)
    _a_cluster(tour, east)
    _everything_of_a_zone(tour, east)
    _two_vdcs(tour, east)
    _placement(tour, east)
    _refusals(tour, east)
    east.remove(tour)


def _vdc(tour: Tour, *gids: int) -> int:
    vdc: int = tour.one.vdc.allocate(f"NAME={tour.name('vdc')}\nNOTE=1", -1)
    for gid in gids:
        tour.one.vdc.addgroup(vdc, gid)
    return vdc


def _sees(user: User) -> tuple[list[int], list[int]]:
    """The datastores and networks in a user's lists."""
    return ids(user.one.datastorepool.info(), "datastore"), ids(user.one.vnpool.info(*ALL), "vn")


def _can_deploy(tour: Tour, east: _East, host: int) -> bool:
    """Whether ann may put a VM on a host, which is ended then."""
    vm = east.ann.one.vm.allocate(_SMALL, True)
    try:
        east.ann.one.vm.deploy(vm, host, False, east.system, "")
    except OneAuthorizationException:
        east.ann.one.vm.action("terminate", vm)
        return False
    tour.vm_in(vm, "RUNNING")
    assert tour.one.vm.info(vm).HISTORY_RECORDS.HISTORY[0].HID == host
    tour.end(vm)
    return True


def _can_connect(tour: Tour, east: _East) -> bool:
    """Whether ann may make a VM with an interface in the network, which is ended then."""
    template = f'CPU="0.1"\nMEMORY="16"\nNIC=[NETWORK_ID="{east.net}"]'
    try:
        vm = east.ann.one.vm.allocate(template, True)
    except OneAuthorizationException:
        return False
    east.ann.one.vm.action("terminate", vm)
    return True


def _members_one_by_one(tour: Tour, east: _East) -> None:
    one, (first, second) = tour.one, east.hosts
    assert _sees(east.ann) == ([], [])
    assert not _can_deploy(tour, east, first) and not _can_connect(tour, east)
    vdc = _vdc(tour, east.gid)
    one.vdc.addhost(vdc, 0, first)
    assert not _can_deploy(tour, east, first)  # the disks have to go somewhere
    one.vdc.adddatastore(vdc, 0, east.system)
    assert _can_deploy(tour, east, first) and not _can_deploy(tour, east, second)
    # A rule of a VDC lets place VMs on a host; looking at it is another right, which the stock rules keep.
    refused(OneAuthorizationException, east.ann.one.host.info, first)
    one.vdc.addvnet(vdc, 0, east.net)
    assert _sees(east.ann) == ([east.system], [east.net]) and _can_connect(tour, east)
    seen = one.vdc.info(vdc)
    assert seen.GROUPS.ID == [east.gid] and seen.TEMPLATE["NOTE"] == "1"
    assert [(member.ZONE_ID, member.HOST_ID) for member in seen.HOSTS.HOST] == [(0, first)]
    assert [member.DATASTORE_ID for member in seen.DATASTORES.DATASTORE] == [east.system]
    assert [member.VNET_ID for member in seen.VNETS.VNET] == [east.net]
    # Each member that goes takes its rule with it.
    one.vdc.delvnet(vdc, 0, east.net)
    assert _sees(east.ann) == ([east.system], []) and not _can_connect(tour, east)
    one.vdc.delhost(vdc, 0, first)
    assert not _can_deploy(tour, east, first)
    one.vdc.addhost(vdc, 0, first)
    one.vdc.delgroup(vdc, east.gid)
    assert _sees(east.ann) == ([], []) and not _can_deploy(tour, east, first)
    one.vdc.addgroup(vdc, east.gid)
    assert _can_deploy(tour, east, first)
    one.vdc.delete(vdc)
    assert _sees(east.ann) == ([], []) and not _can_deploy(tour, east, first)


def _a_cluster(tour: Tour, east: _East) -> None:
    one = tour.one
    vdc = _vdc(tour, east.gid)
    one.vdc.addcluster(vdc, 0, east.cluster)
    assert _sees(east.ann) == (sorted([east.system, east.images]), [east.net])
    assert all(_can_deploy(tour, east, host) for host in east.hosts) and _can_connect(tour, east)
    # What leaves the cluster leaves the VDC, and comes back with it.
    one.cluster.addhost(0, east.hosts[1])
    one.cluster.adddatastore(0, east.system)
    one.cluster.delvnet(east.cluster, east.net)
    assert _sees(east.ann)[1] == []
    assert not _can_deploy(tour, east, east.hosts[1]) and _can_deploy(tour, east, east.hosts[0])
    one.cluster.addvnet(east.cluster, east.net)
    one.cluster.deldatastore(0, east.system)
    one.cluster.addhost(east.cluster, east.hosts[1])
    assert _sees(east.ann)[1] == [east.net] and _can_deploy(tour, east, east.hosts[1])
    one.vdc.delcluster(vdc, 0, east.cluster)
    assert _sees(east.ann) == ([], []) and not _can_deploy(tour, east, east.hosts[0])
    one.vdc.delete(vdc)


def _everything_of_a_zone(tour: Tour, east: _East) -> None:
    """-10 stands for all; members of that kind go when it comes. The default VDC has all clusters."""
    one = tour.one
    vdc = _vdc(tour, east.gid)
    one.vdc.addhost(vdc, 0, east.hosts[0])
    one.vdc.addhost(vdc, 0, _ALL_OF_A_ZONE)
    assert [member.HOST_ID for member in one.vdc.info(vdc).HOSTS.HOST] == [_ALL_OF_A_ZONE]
    one.vdc.adddatastore(vdc, 0, _ALL_OF_A_ZONE)
    one.vdc.addvnet(vdc, 0, _ALL_OF_A_ZONE)
    assert {east.system, east.images} <= set(_sees(east.ann)[0]) and east.net in _sees(east.ann)[1]
    assert all(_can_deploy(tour, east, host) for host in east.hosts)
    one.vdc.delhost(vdc, 0, _ALL_OF_A_ZONE)
    assert not _can_deploy(tour, east, east.hosts[0])
    one.vdc.delete(vdc)
    one.vdc.addgroup(0, east.gid)
    assert _can_connect(tour, east) and _can_deploy(tour, east, east.hosts[1])
    one.vdc.delgroup(0, east.gid)
    assert not _can_connect(tour, east)


def _two_vdcs(tour: Tour, east: _East) -> None:
    """What two VDCs give stays until both are gone, and a second group has its own VDCs only."""
    one = tour.one
    other = tour.group("others", in_default_vdc=False)
    bob = tour.user("bob", other)
    first, second = _vdc(tour, east.gid, other), _vdc(tour, east.gid)
    for vdc in (first, second):
        one.vdc.addcluster(vdc, 0, east.cluster)
    assert _sees(bob) == _sees(east.ann) != ([], [])
    one.vdc.delete(first)
    assert _sees(bob) == ([], []) and east.net in _sees(east.ann)[1]
    one.vdc.delete(second)
    assert _sees(east.ann) == ([], [])
    # A secondary group counts as much as the primary one.
    third = _vdc(tour, other)
    one.vdc.addvnet(third, 0, east.net)
    one.user.addgroup(east.ann.uid, other)
    assert _can_connect(tour, east)
    one.user.delgroup(east.ann.uid, other)
    assert not _can_connect(tour, east)
    tour.remove([bob], [other])
    assert not one.vdc.info(third).GROUPS.ID
    one.vdc.delete(third)


def _placement(tour: Tour, east: _East) -> None:
    """The scheduler keeps to it: a VM waits, with a reason, until a VDC has a host for its owner."""
    one = tour.one
    vdc = _vdc(tour, east.gid)
    one.vdc.adddatastore(vdc, 0, east.system)
    vms = [east.ann.one.vm.allocate(_SMALL, False) for _ in range(3)]
    tour.until(lambda: "SCHED_MESSAGE" in one.vm.info(vms[0]).USER_TEMPLATE, "a reason for waiting")
    assert "not authorized" in one.vm.info(vms[0]).USER_TEMPLATE["SCHED_MESSAGE"]
    one.vdc.addhost(vdc, 0, east.hosts[1])
    for vm in vms:
        tour.vm_in(vm, "RUNNING")
        assert one.vm.info(vm).HISTORY_RECORDS.HISTORY[0].HID == east.hosts[1]
    tour.end(*vms)
    one.vdc.delete(vdc)


def _refusals(tour: Tour, east: _East) -> None:
    one, host = tour.one, east.hosts[0]
    vdc = _vdc(tour, east.gid)
    for args in ((99999, 0, host), (vdc, 77, host), (vdc, 0, 99999)):
        refused(OneNoExistsException, one.vdc.addhost, *args)
    refused(OneNoExistsException, one.vdc.addgroup, vdc, 99999)
    one.vdc.addhost(vdc, 0, host)
    refused(OneInternalException, one.vdc.addhost, vdc, 0, host)
    refused(OneInternalException, one.vdc.addgroup, vdc, east.gid)
    refused(OneInternalException, one.vdc.delhost, vdc, 0, east.hosts[1])
    refused(OneInternalException, one.vdc.delcluster, vdc, 0, east.cluster)
    refused(OneInternalException, one.vdc.allocate, f"NAME={one.vdc.info(vdc).NAME}", -1)
    refused(OneActionException, one.vdc.delete, 0)
    mine: tuple[tuple[Any, tuple[Any, ...]], ...] = (
        (east.ann.one.vdc.allocate, ("NAME=mine", -1)),
        (east.ann.one.vdc.info, (vdc,)),
        (east.ann.one.vdc.addhost, (vdc, 0, east.hosts[1])),
        (east.ann.one.vdc.addgroup, (vdc, 1)),
        (east.ann.one.vdc.rename, (vdc, "mine")),
        (east.ann.one.vdc.delete, (vdc,)),
    )
    for method, values in mine:
        refused(OneAuthorizationException, method, *values)
    one.vdc.rename(vdc, tour.name("renamed"))
    one.vdc.update(vdc, "NOTE=2", 0)
    assert dict(one.vdc.info(vdc).TEMPLATE) == {"NOTE": "2"}
    # A host that is deleted leaves its VDCs.
    doomed = one.host.allocate(tour.name("doomed"), "dummy", "dummy", 0)
    one.vdc.addhost(vdc, 0, doomed)
    one.host.delete(doomed)
    assert [member.HOST_ID for member in one.vdc.info(vdc).HOSTS.HOST] == [host]
    one.vdc.delete(vdc)
