"""What the rights are for: ordinary users' images, networks, templates and machines, and what they cost."""

# ruff: noqa: SIM300 - fields of pyone's objects have capital letters, as constants have.
from __future__ import annotations

import time
from typing import Any

import pyone
from pyone import OneActionException, OneAuthorizationException, OneNoExistsException

from tests.tours.tour import ALL, VISIBLE, Tour, User, accepted_empty, ids, refused

_SAME = (-1,) * 9


class _Zone:
    """Two hosts, datastores, a network; ann and bob of one group, cid of another."""

    def __init__(self, tour: Tour) -> None:
        one = tour.one
        self.hosts = [one.host.allocate(tour.name("node"), "dummy", "dummy", 0) for _ in range(2)]
        store = {"NAME": tour.name("img"), "DS_MAD": "dummy", "TM_MAD": "dummy"}
        self.store = one.datastore.allocate(store, 0)
        self.system = one.datastore.allocate(
            {"NAME": tour.name("sys"), "TYPE": "SYSTEM_DS", "TM_MAD": "dummy"}, 0
        )
        self.net = one.vn.allocate(
            f"NAME={tour.name('lan')}\nVN_MAD=dummy\nBRIDGE=br0\nAR=[TYPE=IP4,IP=10.3.0.1,SIZE=50]", 0
        )
        self.red, self.blue = tour.group("red"), tour.group("blue")
        self.ann, self.bob = tour.user("ann", self.red), tour.user("bob", self.red)
        self.cid = tour.user("cid", self.blue)
        tour.until(lambda: all(one.host.info(host).STATE == 2 for host in self.hosts), "hosts monitored")
        tour.until(lambda: one.datastore.info(self.store).TOTAL_MB > 0, "datastore monitored")

    def remove(self, tour: Tour) -> None:
        """Delete everything."""
        one = tour.one
        tour.remove([self.ann, self.bob, self.cid], [self.red, self.blue])
        one.vn.delete(self.net)
        for store in (self.store, self.system):
            one.datastore.delete(store)
        for host in self.hosts:
            one.host.delete(host)


def run(tour: Tour) -> None:
    """The whole part."""
    zone = _Zone(tour)
    image = _image(tour, zone.ann, zone, "os", "OS")
    _an_image_of_the_group(tour, zone, image)
    template = _template(tour, zone, image)
    vm = _a_machine(tour, zone, template, image)
    _what_it_cost(tour, zone, vm)
    _groups_of_machines_and_rules_of_networks(tour, zone)
    _documents(tour, zone)
    zone.ann.one.template.delete(template)
    zone.ann.one.image.delete(image)
    tour.until(lambda: _is_gone(tour, image), f"image {image} gone")
    zone.remove(tour)


def _image(tour: Tour, owner: User, zone: _Zone, what: str, kind: str) -> int:
    text = f'NAME="{tour.name(what)}"\nTYPE="{kind}"\nSIZE="10"\nPATH="/{what}"'
    made: int = owner.one.image.allocate(text, zone.store, False)
    tour.until(lambda: owner.one.image.info(made).STATE == pyone.IMAGE_STATES.READY, f"image {made} ready")
    return made


def _is_gone(tour: Tour, image: int) -> bool:
    try:
        tour.one.image.info(image)
    except OneNoExistsException:
        return True
    return False


def _an_image_of_the_group(tour: Tour, zone: _Zone, image: int) -> None:
    """Private at first, then the group's, and never another group's."""
    disk = f'CPU="0.1"\nMEMORY="16"\nDISK=[IMAGE_ID="{image}"]'
    for user in (zone.bob, zone.cid):
        refused(OneAuthorizationException, user.one.vm.allocate, disk, True)
    zone.ann.one.image.chmod(image, *_SAME[:3], 1, *_SAME[:5])
    assert ids(zone.bob.one.imagepool.info(*ALL), "image") == [image]
    vm = zone.bob.one.vm.allocate(disk, True)
    seen = zone.ann.one.image.info(image)
    assert (seen.RUNNING_VMS, seen.VMS.ID) == (1, [vm]) and seen.STATE == pyone.IMAGE_STATES.USED
    refused(OneActionException, zone.ann.one.image.delete, image)
    refused(OneAuthorizationException, zone.bob.one.image.delete, image)
    refused(OneAuthorizationException, zone.bob.one.image.persistent, image, True)
    refused(OneAuthorizationException, zone.cid.one.vm.allocate, disk, True)
    refused(OneAuthorizationException, zone.ann.one.vm.info, vm)  # bob's machine is bob's
    zone.bob.one.vm.action("terminate", vm)
    assert zone.ann.one.image.info(image).RUNNING_VMS == 0


def _template(tour: Tour, zone: _Zone, image: int) -> int:
    """A template that the group may use; what it names must be open to who instantiates it."""
    text = (
        f'NAME="{tour.name("web")}"\nCPU="0.5"\nMEMORY="128"\n'
        f'DISK=[IMAGE_ID="{image}"]\nNIC=[NETWORK_ID="{zone.net}"]\nCONTEXT=[NETWORK="YES",WHO="$NAME"]'
    )
    refused(OneAuthorizationException, zone.ann.one.template.allocate, f'{text}\nCPU_COST="0"')
    made: int = zone.ann.one.template.allocate(text)
    tour.one.template.update(made, 'CPU_COST="2000"\nMEMORY_COST="50"', 1)  # restricted to administrators
    refused(OneAuthorizationException, zone.bob.one.template.instantiate, made, "", True, "", False)
    zone.ann.one.template.chmod(made, *_SAME[:3], 1, *_SAME[:5], False)
    refused(OneAuthorizationException, zone.cid.one.template.instantiate, made, "", True, "", False)
    copy = zone.bob.one.template.clone(made, tour.name("copy"), False)
    assert zone.bob.one.template.info(copy).UID == zone.bob.uid
    zone.bob.one.template.delete(copy)
    return made


def _a_machine(tour: Tour, zone: _Zone, template: int, image: int) -> int:
    """bob's machine from ann's template, through its whole life; it is left running."""
    one, bob = tour.one, zone.bob.one
    vm: int = bob.template.instantiate(template, "shop", False, 'NOTE="first"', False)
    tour.vm_in(vm, "RUNNING")
    seen = bob.vm.info(vm)
    assert (seen.NAME, seen.UID, seen.GID) == ("shop", zone.bob.uid, zone.red)
    assert seen.USER_TEMPLATE["NOTE"] == "first" and seen.TEMPLATE["CONTEXT"]["WHO"] == "shop"
    nic, disk = seen.TEMPLATE["NIC"], seen.TEMPLATE["DISK"]
    assert nic["NETWORK_ID"] == str(zone.net) and nic["IP"].startswith("10.3.0.")
    assert disk["IMAGE_ID"] == str(image) and disk["DATASTORE_ID"] == str(zone.store)
    # Others do not see it; in the lists it is the owner's, and oneadmin's.
    for other in (zone.ann, zone.cid):
        refused(OneAuthorizationException, other.one.vm.info, vm)
        refused(OneAuthorizationException, other.one.vm.action, "poweroff", vm)
        assert ids(other.one.vmpool.info(VISIBLE, -1, -1, -1), "vm") == []
    assert ids(bob.vmpool.info(-3, -1, -1, 3), "vm") == [vm]
    assert vm in ids(one.vmpool.info(VISIBLE, -1, -1, -1), "vm")
    assert ids(one.vmpool.info(zone.bob.uid, -1, -1, -1), "vm") == [vm]
    assert bob.vmpool.infoextended(-3, -1, -1, -1, "NAME=shop").VM[0].TEMPLATE["VMID"] == str(vm)
    # What the owner may do, and what only administrators may.
    bob.vm.rename(vm, tour.name("renamed"))
    bob.vm.update(vm, 'NOTE="second"', 1)
    bob.vm.attachnic(vm, f'NIC=[NETWORK_ID="{zone.net}"]')
    tour.vm_in(vm, "RUNNING")
    bob.vm.attach(vm, 'DISK=[TYPE="fs",SIZE="5"]')
    tour.vm_in(vm, "RUNNING")
    bob.vm.snapshotcreate(vm, "before")
    tour.vm_in(vm, "RUNNING")
    seen = bob.vm.info(vm)
    assert len(seen.TEMPLATE["NIC"]) == 2 and seen.USER_TEMPLATE["NOTE"] == "second"
    assert {one.vn.info(zone.net).USED_LEASES, len(seen.TEMPLATE["DISK"])} == {2}
    other_host = next(host for host in zone.hosts if host != seen.HISTORY_RECORDS.HISTORY[-1].HID)
    refused(OneAuthorizationException, bob.vm.migrate, vm, other_host, True, False, -1, 0)
    refused(OneAuthorizationException, bob.vm.recover, vm, 3)
    refused(OneAuthorizationException, bob.vm.chown, vm, zone.ann.uid, -1)
    bob.vm.lock(vm, 2, False)
    refused(OneAuthorizationException, bob.vm.action, "poweroff", vm)
    refused(OneAuthorizationException, one.vm.action, "poweroff", vm)
    bob.vm.unlock(vm)
    bob.vm.chmod(vm, *_SAME[:3], 1, 1, *_SAME[:4])
    zone.ann.one.vm.action("suspend", vm)
    tour.vm_in(vm, "SUSPENDED")
    bob.vm.action("resume", vm)
    tour.vm_in(vm, "RUNNING")
    one.vm.migrate(vm, other_host, True, False, -1, 0)
    tour.vm_in(vm, "RUNNING")
    assert [record.HID for record in bob.vm.info(vm).HISTORY_RECORDS.HISTORY][-1] == other_host
    # The image that is taken from the machine is the machine's owner's.
    bob.vm.action("poweroff-hard", vm)
    tour.vm_in(vm, "POWEROFF")
    saved = bob.vm.disksaveas(vm, 0, tour.name("saved"), "", -1)
    tour.until(lambda: bob.image.info(saved).STATE == pyone.IMAGE_STATES.READY, f"image {saved} ready")
    assert bob.image.info(saved).UNAME == zone.bob.name
    tour.vm_in(vm, "POWEROFF")
    bob.image.delete(saved)
    tour.until(lambda: _is_gone(tour, saved), f"image {saved} gone")
    bob.vm.action("resume", vm)
    tour.vm_in(vm, "RUNNING")
    return vm


def _what_it_cost(tour: Tour, zone: _Zone, vm: int) -> None:
    """History records and monthly costs: each user's own, all of them for oneadmin."""
    one, bob = tour.one, zone.bob.one
    time.sleep(1.1)  # costs are counted in seconds
    tour.one.vm.action("terminate", vm)
    tour.vm_in(vm, "DONE")
    assert one.vn.info(zone.net).USED_LEASES == 0
    records = bob.vmpool.accounting(VISIBLE, -1, -1).HISTORY
    assert {record.OID for record in records} == {vm} and [r.SEQ for r in records] == list(
        range(len(records))
    )
    assert all(record.ETIME >= record.STIME > 0 for record in records)
    assert records[-1].VM.UNAME == zone.bob.name and records[-1].VM.TEMPLATE["CPU"] == "0.5"
    assert not zone.cid.one.vmpool.accounting(VISIBLE, -1, -1).HISTORY
    assert vm in {record.OID for record in one.vmpool.accounting(zone.bob.uid, -1, -1).HISTORY}
    refused(OneAuthorizationException, bob.vmpool.calculateshowback, -1, -1, -1, -1)
    accepted_empty(one.vmpool.calculateshowback, -1, -1, -1, -1)
    (cost,) = bob.vmpool.showback(VISIBLE, -1, -1, -1, -1).SHOWBACK
    assert (cost.VMID, cost.UID, cost.UNAME, cost.GNAME) == (
        vm,
        zone.bob.uid,
        zone.bob.name,
        one.group.info(zone.red).NAME,
    )
    assert cost.CPU_COST > 0 and cost.MEMORY_COST > 0
    assert float(cost.TOTAL_COST) >= float(cost.CPU_COST)
    assert not zone.cid.one.vmpool.showback(VISIBLE, -1, -1, -1, -1).SHOWBACK


def _groups_of_machines_and_rules_of_networks(tour: Tour, zone: _Zone) -> None:
    ann, cid = zone.ann.one, zone.cid.one
    roles = ann.vmgroup.allocate(f'NAME="{tour.name("tier")}"\nROLE=[NAME="db"]\nROLE=[NAME="web"]')
    ann.vmgroup.chmod(roles, *_SAME[:3], 1, *_SAME[:5])
    text = f'CPU="0.1"\nMEMORY="16"\nVMGROUP=[VMGROUP_ID="{roles}",ROLE="db"]'
    vm = zone.bob.one.vm.allocate(text, True)
    assert zone.bob.one.vm.info(vm).TEMPLATE["VMGROUP"]["ROLE"] == "db"
    assert [role.NAME for role in ann.vmgroup.info(roles).ROLES.ROLE] == ["db", "web"]
    refused(OneAuthorizationException, cid.vm.allocate, text, True)
    tour.end(vm)
    ann.vmgroup.delete(roles)
    rules = ann.secgroup.allocate(
        f'NAME="{tour.name("open")}"\nRULE=[PROTOCOL="TCP",RULE_TYPE="inbound",RANGE="22"]'
    )
    nic = f'CPU="0.1"\nMEMORY="16"\nNIC=[NETWORK_ID="{zone.net}",SECURITY_GROUPS="{rules}"]'
    refused(OneAuthorizationException, cid.vm.allocate, nic, True)
    vm = ann.vm.allocate(nic, True)
    assert str(rules) in ann.vm.info(vm).TEMPLATE["NIC"]["SECURITY_GROUPS"].split(",")
    refused(OneActionException, ann.secgroup.delete, rules)
    tour.end(vm)
    ann.secgroup.delete(rules)


def _documents(tour: Tour, zone: _Zone) -> None:
    """What other services keep: typed, owned and shared as everything else."""
    ann = zone.ann.one
    paper = ann.document.allocate(f'NAME="{tour.name("paper")}"\nBODY="{{}}"', 100)
    ann.document.chmod(paper, *_SAME[:3], 1, *_SAME[:5])

    def seen(user: User, kind: int) -> list[int]:
        return ids(user.one.documentpool.info(*ALL, kind), "document")

    assert seen(zone.bob, 100) == [paper] and seen(zone.bob, 101) == [] and seen(zone.cid, 100) == []
    refused(OneAuthorizationException, zone.bob.one.document.update, paper, "BODY=x", 1)
    copy = zone.bob.one.document.clone(paper, tour.name("copy"))
    assert _body(zone.bob.one.document.info(copy)) == "{}"
    tour.one.document.chown(copy, zone.cid.uid, zone.blue)
    assert seen(zone.cid, 100) == [copy]
    for doomed in (paper, copy):
        tour.one.document.delete(doomed)


def _body(document: Any) -> str:
    return str(document.TEMPLATE["BODY"])
