"""Permission rules in every form: who they are for, what they open, which right they give, and where."""

# ruff: noqa: SIM300 - fields of pyone's objects have capital letters, as constants have.
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyone import OneAuthorizationException, OneInternalException

from tests.tours.tour import ALL, PASSWORD, Tour, User, ids, refused


class _Zone:
    """Objects that nobody but oneadmin may use without a rule."""

    def __init__(self, tour: Tour) -> None:
        one = tour.one
        self.red, self.blue = (tour.group(name, in_default_vdc=False) for name in ("red", "blue"))
        self.ann, self.cid = tour.user("ann", self.red), tour.user("cid", self.blue)
        self.template = one.template.allocate({"NAME": tour.name("t"), "CPU": 1, "MEMORY": 1})
        one.template.chown(self.template, -1, self.blue)
        self.cluster = one.cluster.allocate(tour.name("cluster"))
        self.host = one.host.allocate(tour.name("host"), "dummy", "dummy", self.cluster)
        store = {"NAME": tour.name("store"), "DS_MAD": "dummy", "TM_MAD": "dummy"}
        self.store = one.datastore.allocate(store, self.cluster)
        one.datastore.chmod(self.store, 1, 1, 0, 0, 0, 0, 0, 0, 0)
        net = {"NAME": tour.name("net"), "VN_MAD": "dummy", "BRIDGE": "br0"}
        self.net = one.vn.allocate(net, self.cluster)

    def remove(self, tour: Tour) -> None:
        """Delete everything."""
        one = tour.one
        one.vn.delete(self.net)
        one.datastore.delete(self.store)
        one.host.delete(self.host)
        one.cluster.delete(self.cluster)
        one.template.delete(self.template)
        tour.remove([self.ann, self.cid], [self.red, self.blue])


def run(tour: Tour) -> None:
    """The whole part."""
    zone = _Zone(tour)
    _subjects(tour, zone)
    _resources(tour, zone)
    _rights(tour, zone)
    _zones(tour, zone)
    _lists(tour, zone)
    _who_may_change_rules(tour, zone)
    _malformed(tour, zone)
    _gone_with_their_objects(tour)
    zone.remove(tour)


def _while(tour: Tour, rule: tuple[str, ...], holds: Callable[[], bool]) -> None:
    """Something that is so while a rule is there, and neither before nor after."""
    assert not holds(), f"without {rule}"
    added = tour.allow(*rule)
    shown = [found.STRING for found in tour.one.acl.info().ACL if found.ID == added]
    assert shown[0].split()[:3] == list(rule[:3])
    assert holds(), f"with {rule}"
    tour.one.acl.delrule(added)
    assert not holds(), f"after {rule}"


def _may(method: Callable[..., object], *args: object) -> bool:
    try:
        method(*args)
    except OneAuthorizationException:
        return False
    return True


def _subjects(tour: Tour, zone: _Zone) -> None:
    """A user, a group, everybody."""
    resource = f"TEMPLATE/#{zone.template}"
    for subject, ann, stranger in (
        (f"#{zone.ann.uid}", True, False),
        (f"@{zone.red}", True, False),
        ("*", True, True),
    ):
        dora = tour.user("dora", zone.red if subject.startswith("@") else 1)
        expected = ann if subject.startswith("@") else stranger
        _while(tour, (subject, resource, "USE"), lambda: _may(zone.ann.one.template.info, zone.template))
        rule = tour.allow(subject, resource, "USE")
        assert _may(dora.one.template.info, zone.template) is expected
        tour.one.acl.delrule(rule)
        tour.remove([dora])


def _resources(tour: Tour, zone: _Zone) -> None:
    """An object, a group's objects, a cluster's, all of a kind; several kinds in one rule."""
    ann = f"#{zone.ann.uid}"
    one = zone.ann.one
    _while(tour, (ann, f"TEMPLATE/@{zone.blue}", "USE"), lambda: _may(one.template.info, zone.template))
    _while(tour, (ann, "TEMPLATE/*", "USE"), lambda: _may(one.template.info, zone.template))
    for kind, info, oid in (
        ("HOST", one.host.info, zone.host),
        ("DATASTORE", one.datastore.info, zone.store),
        ("NET", one.vn.info, zone.net),
    ):
        for resource in (f"{kind}/#{oid}", f"{kind}/%{zone.cluster}", f"{kind}/*"):
            _while(tour, (ann, resource, "USE"), lambda info=info, oid=oid: _may(info, oid))  # type: ignore[misc]
        rule = tour.allow(ann, f"{kind}/%0", "USE")  # another cluster's objects
        assert not _may(info, oid)
        tour.one.acl.delrule(rule)
    rule = tour.allow(ann, f"HOST+DATASTORE+NET/%{zone.cluster}", "USE")
    assert _may(one.host.info, zone.host) and _may(one.vn.info, zone.net)
    tour.one.acl.delrule(rule)
    # Objects of other kinds: users, groups, clusters, VDCs.
    _while(tour, (ann, f"USER/@{zone.blue}", "USE"), lambda: _may(one.user.info, zone.cid.uid))
    _while(tour, (ann, f"GROUP/#{zone.blue}", "USE"), lambda: _may(one.group.info, zone.blue))
    _while(tour, (ann, f"CLUSTER/#{zone.cluster}", "USE"), lambda: _may(one.cluster.info, zone.cluster))
    _while(tour, (ann, "VDC/*", "USE"), lambda: _may(one.vdc.info, 0))


def _rights(tour: Tour, zone: _Zone) -> None:
    """Use, manage, admin, create: each is given by itself."""
    one, ann = zone.ann.one, f"#{zone.ann.uid}"
    resource = f"HOST/#{zone.host}"

    def rename() -> bool:
        return _may(one.host.rename, zone.host, tour.name("renamed"))

    _while(tour, (ann, resource, "ADMIN"), rename)
    for rights in ("USE", "MANAGE", "USE+MANAGE"):
        rule = tour.allow(ann, resource, rights)
        assert not rename() and _may(one.host.info, zone.host) is ("USE" in rights)
        tour.one.acl.delrule(rule)
    _while(
        tour,
        (ann, f"TEMPLATE/#{zone.template}", "MANAGE"),
        lambda: _may(one.template.rename, zone.template, tour.name("renamed")),
    )

    def create_user() -> bool:
        try:
            made = one.user.allocate(tour.name("made"), PASSWORD, "core", [])
        except OneAuthorizationException:
            return False
        tour.one.user.delete(made)
        return True

    _while(tour, (ann, "USER/*", "CREATE"), create_user)


def _zones(tour: Tour, zone: _Zone) -> None:
    """This zone, another one, all."""
    info = zone.ann.one.template.info
    for where in ("#0", "*"):
        rule = (f"#{zone.ann.uid}", f"TEMPLATE/@{zone.blue}", "USE", where)
        _while(tour, rule, lambda: _may(info, zone.template))
    elsewhere = tour.allow(f"#{zone.ann.uid}", "TEMPLATE/*", "USE", "#7")
    assert not _may(info, zone.template)
    tour.one.acl.delrule(elsewhere)


def _lists(tour: Tour, zone: _Zone) -> None:
    """What a rule lets use is in the lists, too; what it lets manage only is not."""
    ann, one = f"#{zone.ann.uid}", zone.ann.one
    views: tuple[tuple[str, Callable[[], Any], str, int], ...] = (
        ("HOST", one.hostpool.info, "host", zone.host),
        ("DATASTORE", one.datastorepool.info, "datastore", zone.store),
        ("NET", lambda: one.vnpool.info(*ALL), "vn", zone.net),
    )
    for kind, pool, name, oid in views:
        for resource in (f"{kind}/#{oid}", f"{kind}/%{zone.cluster}", f"{kind}/*"):
            _while(
                tour,
                (ann, resource, "USE"),
                lambda pool=pool, name=name, oid=oid: oid in ids(pool(), name),  # type: ignore[misc]
            )
    _while(
        tour,
        (ann, f"TEMPLATE/@{zone.blue}", "USE"),
        lambda: ids(one.templatepool.info(*ALL), "template") == [zone.template],
    )


def _who_may_change_rules(tour: Tour, zone: _Zone) -> None:
    parts = ("0x100000000", "0x1400000000", "0x1")
    refused(OneAuthorizationException, zone.ann.one.acl.addrule, *parts)
    refused(OneAuthorizationException, zone.ann.one.acl.delrule, 0)
    refused(OneAuthorizationException, zone.ann.one.acl.info)


def _malformed(tour: Tour, zone: _Zone) -> None:
    """Rules that mean nothing, and one that exists."""
    for subject, resource, rights, where in (
        ("#0", "TEMPLATE/%0", "USE", ""),  # templates lie in no cluster
        ("#0", "HOST/@1", "USE", ""),  # hosts belong to no group
        ("#0", "VM/#0", "USE", "*"),  # an id means something in one zone only
    ):
        refused(OneInternalException, tour.allow, subject, resource, rights, where)
    add = tour.one.acl.addrule
    refused(OneInternalException, add, "0x300000000", "0x1400000000", "0x1")  # a user and a group
    refused(OneInternalException, add, "0x100000000", "0x400000000", "0x1")  # of no kind
    refused(OneInternalException, add, "0x100000000", "0x1400000000", "0x0")  # no right
    refused(OneInternalException, add, "0x100000000", "0x1400000000", "0x10")  # an unknown one
    refused(OneInternalException, tour.one.acl.delrule, 99999)
    rule = tour.allow(f"#{zone.ann.uid}", "VM/*", "USE")
    refused(OneInternalException, tour.allow, f"#{zone.ann.uid}", "VM/*", "USE")
    tour.one.acl.delrule(rule)


def _gone_with_their_objects(tour: Tour) -> None:
    """Rules for, and on, what is deleted are deleted with it."""
    one, before = tour.one, len(tour.one.acl.info().ACL)
    gid = tour.group("gone")
    user: User = tour.user("gone", gid)
    cluster = one.cluster.allocate(tour.name("gone"))
    template = one.template.allocate({"NAME": tour.name("gone"), "CPU": 1, "MEMORY": 1})
    tour.allow(f"#{user.uid}", "VM/*", "USE")
    tour.allow(f"@{gid}", f"HOST/%{cluster}", "USE")
    tour.allow("#1", f"HOST/%{cluster}", "USE")
    tour.allow("#1", f"IMAGE/@{gid}", "USE")
    tour.allow("#1", f"TEMPLATE/#{template}", "USE")
    one.template.delete(template)
    one.cluster.delete(cluster)
    tour.remove([user], [gid])
    assert len(one.acl.info().ACL) == before
