"""VMs go where their owners may: by rules, clusters, groups and permission bits."""

from __future__ import annotations

import dataclasses

import pytest

from services.scheduler import rights
from services.scheduler.plan import plan
from services.scheduler.records import VM, AutoNic, Datastore
from services.scheduler.snapshot import parse_datastores

from .clouds import CONF, cloud, hosts, networks, stores, vm, where

USER, GROUP, ALL, CLUSTER = 0x100000000, 0x200000000, 0x400000000, 0x800000000
HOST, NET, DATASTORE = 0x2000000000, 0x4000000000, 0x100000000000
USE, MANAGE = 1, 2
ANN, TENANTS = 7, 101
EVERYONE_USES_STORES = (ALL, DATASTORE | ALL, USE, ALL)


class FrontEnd:
    """Answers what rights ask for."""

    def __init__(self, *rules: tuple[int, int, int, int]) -> None:
        self.calls: list[str] = []
        self._rules = rules

    def call(self, method: str, *_args: object) -> object:
        self.calls.append(method)
        if method == "grouppool.info":
            return (
                f"<GROUP_POOL><GROUP><ID>{TENANTS}</ID><USERS><ID>{ANN}</ID><ID>8</ID></USERS></GROUP>"
                "<GROUP><ID>1</ID><USERS><ID>9</ID></USERS></GROUP></GROUP_POOL>"
            )
        texts = (
            "<ACL><ID>{}</ID><USER>{:x}</USER><RESOURCE>{:x}</RESOURCE><RIGHTS>{:x}</RIGHTS>"
            "<ZONE>{:x}</ZONE></ACL>".format(number, *rule)
            for number, rule in enumerate(self._rules)
        )
        return f"<ACL_POOL>{''.join(texts)}</ACL_POOL>"


def owned(vm_id: int, uid: int = ANN, gid: int = TENANTS) -> VM:
    return dataclasses.replace(vm(vm_id), uid=uid, gid=gid)


def placed(*rules: tuple[int, int, int, int], datastores: list[Datastore] | None = None) -> int | None:
    """The host of one VM of ann's: of host 0 in cluster 0, hosts 1 and 2 in cluster 5."""
    found = hosts({"cluster": 0}, {"cluster": 5}, {"cluster": 5})
    snapshot = cloud([owned(0)], found, datastores or stores({"clusters": [0, 5]}))
    rights.limit(FrontEnd(*rules), snapshot, lambda: 0)
    return where(plan(snapshot, CONF, seed=1)).get(0)


@pytest.mark.parametrize("subject", [ALL, USER | ANN, GROUP | TENANTS])
@pytest.mark.parametrize("zone", [ALL, USER | 0])
def test_a_rule_about_a_host(subject: int, zone: int) -> None:
    assert placed(EVERYONE_USES_STORES, (subject, HOST | USER | 2, MANAGE, zone)) == 2


@pytest.mark.parametrize(
    "rule",
    [
        (USER | 8, HOST | USER | 2, MANAGE, ALL),  # somebody else
        (GROUP | 1, HOST | USER | 2, MANAGE, ALL),  # another group
        (USER | ANN, HOST | USER | 2, USE, ALL),  # another right
        (USER | ANN, NET | USER | 2, MANAGE, ALL),  # another kind
        (USER | ANN, HOST | USER | 2, MANAGE, USER | 3),  # another zone
        (USER | ANN, HOST | USER | 22, MANAGE, ALL),  # another host
    ],
)
def test_rules_that_do_not_help(rule: tuple[int, int, int, int]) -> None:
    assert placed(EVERYONE_USES_STORES, rule) is None


def test_a_cluster_and_all() -> None:
    assert placed(EVERYONE_USES_STORES, (GROUP | TENANTS, HOST | CLUSTER | 5, MANAGE, ALL)) in (1, 2)
    assert placed(EVERYONE_USES_STORES, (GROUP | TENANTS, HOST | CLUSTER | 0, MANAGE, ALL)) == 0
    assert placed(EVERYONE_USES_STORES, (GROUP | TENANTS, HOST | ALL, MANAGE, ALL)) is not None


def store(uid: int, gid: int, bits: str) -> list[Datastore]:
    """A system datastore in both clusters; bits: use of owner, group and others."""
    owner, group, other = list(bits)
    return parse_datastores(
        f"<DATASTORE_POOL><DATASTORE><ID>0</ID><UID>{uid}</UID><GID>{gid}</GID><NAME>sys</NAME><PERMISSIONS>"
        f"<OWNER_U>{owner}</OWNER_U><GROUP_U>{group}</GROUP_U><OTHER_U>{other}</OTHER_U></PERMISSIONS>"
        "<TYPE>1</TYPE><STATE>0</STATE><CLUSTERS><ID>0</ID><ID>5</ID></CLUSTERS><TEMPLATE/>"
        "</DATASTORE></DATASTORE_POOL>"
    )


@pytest.mark.parametrize(
    ("found", "usable"),
    [
        (store(0, 0, "111"), True),
        (store(0, 0, "110"), False),
        (store(ANN, 0, "100"), True),
        (store(ANN, 0, "000"), False),
        (store(0, TENANTS, "010"), True),
        (store(0, TENANTS, "100"), False),
    ],
)
def test_permission_bits_of_datastores(found: list[Datastore], usable: bool) -> None:
    chosen = placed((ALL, HOST | USER | 1, MANAGE, ALL), datastores=found)
    assert chosen == (1 if usable else None)


@pytest.mark.parametrize("resource", [USER | 0, CLUSTER | 5, GROUP | 33, ALL])
def test_rules_about_datastores(resource: int) -> None:
    rule = (GROUP | TENANTS, DATASTORE | resource, USE, ALL)
    assert placed((ALL, HOST | USER | 1, MANAGE, ALL), rule, datastores=store(0, 33, "100")) == 1


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (None, None),
        ((USER | ANN, NET | USER | 1, USE, ALL), 1),
        ((GROUP | TENANTS, NET | CLUSTER | 0, USE, ALL), 0),
        ((USER | ANN, NET | USER | 1, MANAGE, ALL), None),
        ((USER | 8, NET | ALL, USE, ALL), None),
    ],
)
def test_networks_that_the_owner_may_use(
    rule: tuple[int, int, int, int] | None, expected: int | None
) -> None:
    waits = dataclasses.replace(owned(0), nics=(AutoNic(0),))
    nets = networks({"template": "<BW>9</BW>"}, {"clusters": [0, 1]})
    snapshot = cloud([waits], hosts({}), nets=nets)
    rules = [EVERYONE_USES_STORES, (ALL, HOST | ALL, MANAGE, ALL), *([rule] if rule else [])]
    rights.limit(FrontEnd(*rules), snapshot, lambda: 0)
    made = plan(snapshot, dataclasses.replace(CONF, network_rank="BW"), seed=1)
    assert [one.networks[0][1] for one in made.dispatches] == ([] if expected is None else [expected])


def test_oneadmins_vms_go_anywhere_and_nothing_is_asked() -> None:
    snapshot = cloud([owned(0, uid=0), owned(1, gid=0)], hosts({}))
    front_end = FrontEnd()
    rights.limit(front_end, snapshot, lambda: 0)
    assert where(plan(snapshot, CONF, seed=1)) == {0: 0, 1: 0} and not front_end.calls


def test_the_reason_says_who_may_not() -> None:
    snapshot = cloud([owned(0), owned(1, uid=9, gid=1)], hosts({}, {"state": 3}), store(0, 0, "111"))
    rights.limit(FrontEnd((GROUP | 1, HOST | ALL, MANAGE, ALL)), snapshot, lambda: 0)
    made = plan(snapshot, CONF, seed=1)
    assert where(made) == {1: 0}
    assert made.refusals[0].text() == (
        "Cannot be placed on any of 2 hosts: 1 not monitored, 1 not authorized for its owner. "
        "Its owner needs the right to manage a host, by an ACL rule or a VDC"
    )
