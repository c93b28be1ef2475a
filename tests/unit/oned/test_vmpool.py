"""Lists of VMs: by state, owner, range, page and text; on the core in this process, SQLite."""

from __future__ import annotations

import re

import pytest

from tests.support.core import Core, Refused
from tests.support.played import Played


@pytest.fixture
def pool(core: Core) -> Core:
    """Five held VMs: web-0, web-1 (owner attribute TIER), db.example, x, and one that has ended."""
    for name, extra in (
        ("web-0", "TIER=front"),
        ("web-1", "TIER=front"),
        ("db.example", "TIER=back"),
        ("x", 'NOTE="two words"'),
    ):
        core.call("vm.allocate", f'NAME="{name}"\nCPU=1\nMEMORY=64\n{extra}', True)
    core.call("vm.action", "terminate", core.call("vm.allocate", 'NAME="gone"\nCPU=1\nMEMORY=64', True))
    return core


def names(pool: Core, *args: object, method: str = "vmpool.info") -> list[str]:
    return re.findall(r"<NAME>([^<]*)</NAME>", pool.call(method, *args))


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((-2, -1, -1, -1), ["x", "db.example", "web-1", "web-0"]),
        ((-2, -1, -1, -2), ["gone", "x", "db.example", "web-1", "web-0"]),
        ((-2, -1, -1, 6), ["gone"]),
        ((-2, -1, -1, 2), ["x", "db.example", "web-1", "web-0"]),
        ((-2, -1, -1, 3), []),
        ((-2, 1, 2, -1), ["db.example", "web-1"]),
        ((-2, 2, -1, -1), ["x", "db.example"]),
        ((-2, 0, -2, -1), ["x", "db.example"]),
        ((-2, 2, -2, -1), ["web-1", "web-0"]),
        ((-3, -1, -1, -1), ["x", "db.example", "web-1", "web-0"]),
        ((7, -1, -1, -1), []),
        ((-2, -1, -1, -1, "web"), ["web-1", "web-0"]),
        ((-2, -1, -1, -1, "NAME=web-0"), ["web-0"]),
        ((-2, -1, -1, -1, "NAME=web"), []),
        ((-2, -1, -1, -1, "name=WEB-0"), ["web-0"]),
        ((-2, -1, -1, -1, "NAME=web-?"), []),
        ((-2, -1, -1, -1, "NAME=[x]"), []),
        ((-2, -1, -1, -1, "AME=web-0"), []),
        ((-2, -1, -1, -1, "NOTE=two"), ["x"]),
        ((-2, -1, -1, -1, "NOTE=two words"), ["x"]),
        ((-2, -1, -1, -1, "NOTE=words"), []),
        ((-2, -1, -1, 7), []),
        ((-2, -1, -1, 11), []),
        ((-2, -1, 2, -1), ["x", "db.example", "web-1", "web-0"]),
        ((-2, -1, -2, -1), ["x", "db.example"]),
        ((-4, -1, -1, -1), ["x", "db.example", "web-1", "web-0"]),
        ((-1, -1, -1, -1), ["x", "db.example", "web-1", "web-0"]),
        ((0, -1, -1, -1), ["x", "db.example", "web-1", "web-0"]),
        ((-2, -1, -1, -1, "TIER=front"), ["web-1", "web-0"]),
        ((-2, -1, -1, -1, "db.example"), ["db.example"]),
        ((-2, -1, -1, -1, "front web"), ["web-1", "web-0"]),
        ((-2, -1, -1, -1, "%"), []),
    ],
)
@pytest.mark.parametrize("method", ["vmpool.info", "vmpool.infoextended"])
def test_filters(pool: Core, method: str, args: tuple[object, ...], expected: list[str]) -> None:
    assert names(pool, *args, method=method) == expected


def test_a_set_of_ids(pool: Core) -> None:
    assert names(pool, "0,2, 99", False, method="vmpool.infoset") == ["db.example", "web-0"]
    assert "<PERMISSIONS>" in pool.call("vmpool.infoset", "0", True)
    assert names(pool, "4", False, method="vmpool.infoset") == ["gone"]
    assert names(pool, "x,,1y,-", False, method="vmpool.infoset") == ["web-1"]
    assert names(pool, "", False, method="vmpool.infoset") == []


def test_the_wished_order(pool: Core) -> None:
    pool.call("group.update", 0, 'OPENNEBULA=[API_LIST_ORDER="asc"]', 1)
    assert names(pool, -2, -1, -1, -1)[0] == "web-0"
    pool.call("user.update", 0, 'OPENNEBULA=[API_LIST_ORDER="desc"]', 1)
    assert names(pool, -2, -1, -1, -1)[0] == "x"


@pytest.mark.parametrize("args", [(-5, -1, -1, -1), (-2, -1, -1, 12), (-2, -1, -1, -3)])
def test_refusals(pool: Core, args: tuple[int, ...]) -> None:
    with pytest.raises(Refused) as refusal:
        pool.call("vmpool.info", *args)
    assert refusal.value.code == 0x1000


def test_what_the_short_form_shows_of_the_users_attributes(core: Core) -> None:
    core.call(
        "vm.allocate",
        'CPU=1\nMEMORY=1\nLABELS="a,b"\nSCHED_RANK=FREE_CPU\nTIER=front\nUSER_PRIORITY=3\n'
        'SCHED_ACTION=[ACTION=terminate,TIME=99999999999]\nSCHED_REQUIREMENTS="ID = 1"',
        True,
    )
    shown = core.info("vmpool.info", -2, -1, -1, -1).find("VM/USER_TEMPLATE")
    assert shown is not None
    assert [child.tag for child in shown] == [
        "LABELS",
        "SCHED_RANK",
        "SCHED_REQUIREMENTS",
        "USER_PRIORITY",
        "SCHED_ACTION",
    ]
    assert shown.findtext("SCHED_ACTION/ACTION") == "terminate"


def test_search_finds_where_a_vm_is(core: Core) -> None:
    cloud = Played(core)
    running, waiting = cloud.running(), cloud.vm()
    for text, expected in (
        ("HOSTNAME=node", [running]),
        ("HID=0", [running]),
        ("HOSTNAME=nod", []),
        ("CPU=0.5", [waiting, running]),
        ("UNAME=oneadmin", [waiting, running]),
    ):
        found = core.info("vmpool.info", -2, -1, -1, -1, text)
        assert [int(vm.findtext("ID") or -1) for vm in found] == expected, text
