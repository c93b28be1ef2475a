"""VM groups: the examples of the affinity guide, and what happens at their edges."""

from __future__ import annotations

from typing import Any

import pytest

from services.scheduler import groups
from services.scheduler.groups import VMGroup
from services.scheduler.plan import Plan, plan
from services.scheduler.records import VM, Host, Snapshot

from .clouds import cloud, conf, hosts, placed, stores, vm, where


def group(roles: dict[str, dict[str, Any]], *, oid: int = 0, affined: Any = (), apart: Any = ()) -> VMGroup:
    """A VM group read from its document. Role values: vms (ids) and attributes in lower case."""
    texts = []
    for number, (name, body) in enumerate(roles.items()):
        vms = ",".join(map(str, body.get("vms", ())))
        more = "".join(
            f"<{key.upper()}>{value}</{key.upper()}>" for key, value in body.items() if key != "vms"
        )
        texts.append(f"<ROLE><ID>{number}</ID><NAME>{name}</NAME>{more}<VMS>{vms}</VMS></ROLE>")
    rules = "".join(f"<AFFINED>{rule}</AFFINED>" for rule in affined)
    rules += "".join(f"<ANTI_AFFINED>{rule}</ANTI_AFFINED>" for rule in apart)
    (found,) = groups.parse(
        f"<VM_GROUP_POOL><VM_GROUP><ID>{oid}</ID><NAME>g{oid}</NAME><ROLES>{''.join(texts)}</ROLES>"
        f"<TEMPLATE>{rules}</TEMPLATE></VM_GROUP></VM_GROUP_POOL>"
    )
    return found


def grouped(vms: list[VM], found: list[Host], *given: VMGroup) -> Snapshot:
    """A snapshot with VM groups."""
    snapshot = cloud(vms, found)
    snapshot.vmgroups = list(given)
    return snapshot


def make(vms: list[VM], found: list[Host], *given: VMGroup, **settings: Any) -> Plan:
    return plan(grouped(vms, found, *given), conf(**settings), seed=1)


# -- the guide's examples ----------------------------------------------------------------------------------
def test_the_multi_tier_server() -> None:
    """Front-ends apart; databases and applications on one host, which is 2, 3 or 4."""
    tiers = group(
        {
            "front-end": {"policy": "ANTI_AFFINED", "vms": [0, 1, 2]},
            "apps": {"host_affined": "2,3,4", "vms": [3, 4]},
            "db": {"vms": [5, 6]},
        },
        affined=["db, apps"],
    )
    at = where(make([vm(i) for i in range(7)], hosts(*[{}] * 6), tiers))
    assert len(at) == 7
    assert len({at[0], at[1], at[2]}) == 3
    assert {at[3]} == {at[4]} == {at[5]} == {at[6]} and at[3] in (2, 3, 4)


def test_vms_of_a_role_on_named_hosts() -> None:
    databases = group({"database": {"host_affined": "1,2,3,4", "vms": range(12)}})
    made = make([vm(i) for i in range(12)], hosts(*[{}] * 8), databases, max_host=0)
    assert len(where(made)) == 12 and set(where(made).values()) <= {1, 2, 3, 4}


def test_workers_are_spread() -> None:
    workers = group({"workers": {"policy": "ANTI_AFFINED", "vms": range(6)}})
    made = make([vm(i) for i in range(6)], hosts(*[{}] * 5), workers, max_host=0, host_rank="RUNNING_VMS")
    assert sorted(where(made).values()) == [0, 1, 2, 3, 4]
    (reason,) = made.refusals.values()
    assert reason.counts == {"apart": 5}
    assert "5 hold VMs that it must be apart from" in reason.text()


def test_databases_and_backups() -> None:
    """Applications together on one host of 1-7, each backup on a host of its own but 3 and 4, never both."""
    both = group(
        {
            "apps": {"host_affined": "1,2,3,4,5,6,7", "policy": "AFFINED", "vms": [0, 1, 2]},
            "backup": {"host_anti_affined": "3,4", "policy": "ANTI_AFFINED", "vms": [3, 4, 5, 6, 7, 8, 9]},
        },
        apart=["apps, backup"],
    )
    made = make([vm(i) for i in range(10)], hosts(*[{}] * 8), both)
    at = where(made)
    assert at[0] == at[1] == at[2] != 0
    backups = [at[i] for i in range(3, 10) if i in at]
    assert len(set(backups)) == len(backups) and not {3, 4, at[0]} & set(backups)
    assert len(backups) == (6 if at[0] in (3, 4) else 5)


def test_no_host_for_the_whole_set_leaves_all_pending() -> None:
    """There is room for each of them, but not for all three on one host."""
    together = group({"a": {"policy": "AFFINED", "vms": [0, 1, 2]}})
    made = make([vm(i, cpu=150) for i in range(3)], hosts(*[{"cpu": 400}] * 5), together)
    assert not made.dispatches and set(made.refusals) == {0, 1, 2}
    assert "450% CPU" in made.refusals[0].text()
    assert "one of 3 VMs that must share a host" in made.refusals[0].text()


def test_a_new_member_goes_where_the_others_run() -> None:
    together = group({"a": {"policy": "AFFINED", "vms": [7, 8, 0, 1]}})
    found = hosts({}, {}, {"vms": [7, 8], "running": 30}, {})
    assert where(make([vm(0), vm(1)], found, together)) == {0: 2, 1: 2}


def test_a_member_that_was_migrated_opens_its_host_to_the_role() -> None:
    together = group({"a": {"policy": "AFFINED", "vms": [7, 8, 0, 1]}})
    found = hosts({}, {"vms": [7], "cpu_used": 1500}, {"vms": [8], "cpu_used": 1500}, {})
    assert sorted(where(make([vm(0), vm(1)], found, together)).values()) == [1, 2]


def test_rescheduling_keeps_the_rules() -> None:
    apart = group({"a": {"policy": "ANTI_AFFINED", "vms": [0, 1]}})
    found = hosts({"vms": [0], "running": 1}, {"vms": [1], "running": 0}, {"running": 9})
    assert where(make([vm(0, resched=True, host_id=0)], found, apart)) == {0: 2}
    together = group({"a": {"policy": "AFFINED", "vms": [0, 1]}})
    both = hosts({"vms": [0, 1]}, {}, {})
    made = make([vm(0, resched=True, host_id=0)], both, together)
    assert made.refusals[0].counts == {"affined": 2, "current": 1}
    alone = hosts({"vms": [0]}, {})
    assert where(make([vm(0, resched=True, host_id=0)], alone, together)) == {0: 1}
    followed = make([vm(0, resched=True, host_id=0), vm(1)], alone, together)
    assert where(followed) == {1: 0}, "its companion waits to join it where it runs"


# -- edges -------------------------------------------------------------------------------------------------
def test_rules_with_a_role_in_common_are_one() -> None:
    chain = group(
        {name: {"vms": [number]} for number, name in enumerate("abcd")}, affined=["a,b", "c,d", "b, c"]
    )
    at = where(make([vm(i) for i in range(4)], hosts(*[{}] * 5), chain))
    assert len(at) == 4 and len(set(at.values())) == 1


def test_members_keep_their_own_requirements_and_hosts() -> None:
    together = group({"a": {"policy": "AFFINED", "vms": [0, 1, 2]}})
    found = hosts({"template": "<A>1</A>"}, {"template": "<B>1</B>"}, {"template": "<A>1</A><B>1</B>"}, {})
    vms = [vm(0, requirements="A = 1"), vm(1, requirements="B = 1"), vm(2)]
    assert set(where(make(vms, found, together)).values()) == {2}
    made = plan(grouped(vms, found, together), conf(), seed=1, avoid={2: frozenset([2])})
    assert not made.dispatches and set(made.refusals) == {0, 1, 2}


def test_the_disks_of_a_set_may_lie_on_several_datastores() -> None:
    together = group({"a": {"policy": "AFFINED", "vms": [0, 1]}})
    snapshot = grouped([vm(0, disk_mb=800), vm(1, disk_mb=800)], hosts({}), together)
    snapshot.datastores = stores({"total": 1000, "free": 900}, {"total": 1000, "free": 900})
    made = plan(snapshot, conf(), seed=1)
    assert {one.ds_id for one in made.dispatches} == {0, 1}
    snapshot.datastores = stores({"total": 2000, "free": 900}, {"total": 1000, "free": 100})
    assert not plan(snapshot, conf(), seed=1).dispatches


def test_a_member_that_cannot_be_judged_holds_its_set() -> None:
    together = group({"a": {"policy": "AFFINED", "vms": [0, 1]}})
    made = make([vm(0), vm(1, requirements="("), vm(2)], hosts({}), together)
    assert where(made) == {2: 0}
    assert "VM 1, which must share its host: SCHED_REQUIREMENTS" in made.refusals[0].text()


@pytest.mark.parametrize(
    ("roles", "affined", "apart", "message"),
    [
        (
            {"a": {"policy": "anti_affined"}, "b": {}}, ["a,b"], [],
            "role a is in an AFFINED rule, but its POLICY is ANTI_AFFINED",
        ),
        ({"a": {}, "b": {}}, ["a,b"], ["b,a"], "roles a, b are to be together and apart"),
        (
            {"a": {"host_affined": "1"}, "b": {"host_affined": "0,2"}}, ["a,b"], [],
            "the host rules of roles a, b, which share a host, leave none that all may have",
        ),
        (
            {"a": {"host_affined": "1", "host_anti_affined": "1,2"}, "b": {}}, [], ["a,b"],
            "role a: HOST_ANTI_AFFINED excludes every host of HOST_AFFINED",
        ),
        (
            {"a": {"host_affined": "node1"}, "b": {}}, [], [],
            "role a: HOST_AFFINED must hold host ids, found 'node1'",
        ),
    ],
)  # fmt: skip
def test_contradictions_stop_their_roles_and_nobody_else(
    roles: dict[str, dict[str, Any]], affined: list[str], apart: list[str], message: str
) -> None:
    roles["a"]["vms"], roles["c"] = [0], {"vms": [1]}
    made = make([vm(0), vm(1), vm(2)], hosts({}, {}, {}), group(roles, affined=affined, apart=apart))
    assert set(where(made)) == {1, 2}
    assert (
        made.refusals[0].text()
        == f"Cannot be placed: VM group g0 (0){',' if 'role a: ' in message else ':'} {message}"
    )


def test_hosts_that_do_not_exist_are_named() -> None:
    only = group({"a": {"host_affined": "77, 78", "vms": [0]}})
    made = make([vm(0), vm(1)], hosts({}, {}), only)
    assert set(where(made)) == {1}
    assert made.refusals[0].counts == {"host_rules": 2}
    assert "HOST_AFFINED names hosts that are not there: 77, 78" in made.refusals[0].text()
    some = group({"a": {"host_affined": "1,78", "vms": [0]}})
    assert where(make([vm(0)], hosts({}, {}), some)) == {0: 1}


def test_a_group_that_was_deleted_binds_nobody() -> None:
    made = make([vm(0, in_vmgroup=True), vm(1, in_vmgroup=True)], hosts({"cpu": 100}, {"cpu": 100}))
    assert sorted(where(made).values()) == [0, 1]


def test_roles_that_rules_name_but_the_group_has_not_are_left_out() -> None:
    odd = group({"a": {"vms": [0]}, "b": {"vms": [1]}}, affined=["a, b, ghost"])
    at = where(make([vm(0), vm(1)], hosts({}, {}, {}), odd))
    assert at[0] == at[1]


def test_sets_count_once_for_max_host_and_once_each_for_max_dispatch() -> None:
    together = group({"a": {"policy": "AFFINED", "vms": [0, 1, 2]}})
    made = make([vm(i) for i in range(5)], hosts({}), together, max_host=1, max_dispatch=4)
    assert [(one.vm_id, one.round) for one in made.dispatches] == [(0, 1), (1, 1), (2, 1), (3, 2), (4, 3)]


def test_groups_do_not_disturb_each_other() -> None:
    first = group({"a": {"policy": "AFFINED", "vms": [0, 1]}})
    second = group({"a": {"policy": "ANTI_AFFINED", "vms": [2, 3]}}, oid=1)
    at = where(make([vm(i) for i in range(5)], hosts({}, {}), first, second))
    assert at[0] == at[1] and {at[2], at[3]} == {0, 1} and 4 in at
    assert placed(make([vm(9)], hosts({}), first)) == {0: [9]}
