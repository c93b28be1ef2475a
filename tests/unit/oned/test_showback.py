"""Showback: what VMs cost in each month."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.template import Template
from services.common.xmldoc import parse
from services.oned.model.showback import Showback
from tests.support.core import Core, Refused
from tests.support.schemas import Schemas

COSTS = "CPU_COST=2\nMEMORY_COST=0.01\nDISK_COST=0.001"
VM = f"CPU=0.5\nMEMORY=100\n{COSTS}\nDISK=[SIZE=1000,DISK_SNAPSHOT_TOTAL_SIZE=500]\nDISK=[TYPE=swap,SIZE=500]"
SHOWN = ("YEAR", "MONTH", "CPU_COST", "MEMORY_COST", "DISK_COST", "TOTAL_COST", "HOURS")


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Months are those of the local time zone."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M"))


def record(
    stime: int, etime: int, template: str = VM, oid: int = 0, seq: int = 0, rstime: int = 0, retime: int = 0
) -> str:
    return (
        f"<HISTORY><OID>{oid}</OID><SEQ>{seq}</SEQ><STIME>{stime}</STIME><ETIME>{etime}</ETIME>"
        f"<RSTIME>{rstime}</RSTIME><RETIME>{retime}</RETIME><VM><ID>{oid}</ID><UID>2</UID><GID>1</GID>"
        f"<UNAME>al</UNAME><GNAME>users</GNAME><NAME>a&amp;b</NAME>{Template.parse(template).to_xml()}</VM></HISTORY>"
    )


def computed(first: int, last: int, *records: str, settings: str = "") -> list[tuple[str, ...]]:
    made = Showback(Template.parse(settings), first, last)
    for each in records:
        made.add(each)
    return [tuple(parse(body).findtext(name) or "" for name in SHOWN) for *_, body in made.records()]


def test_an_hour() -> None:
    start = at("2021-03-05 10:00")
    assert computed(start, start + 9999, record(start, start + 3600)) == [
        ("2021", "3", "1", "1", "2", "4", "1"),
    ]


def test_months_are_cut_and_records_added() -> None:
    first, last = at("2020-11-30 22:00"), at("2021-02-10 00:00")
    found = computed(
        first,
        last,
        record(first, at("2020-12-01 01:30"), "CPU=1\nCPU_COST=1"),
        record(at("2020-12-31 23:00"), at("2021-01-01 02:00"), "CPU=1\nCPU_COST=1", seq=1),
        record(at("2021-02-09 23:00"), 0, "CPU=3\nCPU_COST=0.1", seq=2),
    )
    assert [(year, month, hours, total) for year, month, *_, total, hours in found] == [
        ("2020", "11", "2", "2"),
        ("2020", "12", "2.50", "2.50"),
        ("2021", "1", "2", "2"),
        ("2021", "2", "1", "0.30"),
    ]


def test_only_the_time_that_is_asked_for() -> None:
    start, end = at("2021-01-15 00:00"), at("2021-03-15 00:00")
    found = computed(at("2021-02-01 00:00"), at("2021-03-01 00:00"), record(start, end, "CPU=1"))
    assert [(row[1], row[-1]) for row in found] == [("2", "672")]


def test_costs_of_the_configuration_hold_for_vms_without_their_own() -> None:
    start = at("2021-03-05 10:00")
    settings = "DEFAULT_COST=[CPU_COST=10,MEMORY_COST=1,DISK_COST=0.5]"
    template = "CPU=2\nMEMORY=4\nMEMORY_COST=0\nDISK=[SIZE=6]\nDISK=[IMAGE_ID=1]"
    found = computed(start, start + 9999, record(start, start + 1800, template), settings=settings)
    assert [row[2:] for row in found] == [("10", "0", "1.50", "11.50", "0.50")]


def test_only_running_time_costs_cpu_and_memory_when_asked() -> None:
    start = at("2021-03-05 10:00")
    ran = record(start, start + 7200, rstime=start + 1800, retime=start + 5400)
    never = record(start, start + 7200, oid=1)
    settings = 'SHOWBACK_ONLY_RUNNING="yes"'
    found = computed(start, start + 99999, ran, never, settings=settings)
    assert [row[2:] for row in found] == [("1", "1", "4", "6", "2"), ("0", "0", "4", "4", "2")]


# -- methods -----------------------------------------------------------------------------------------------
@pytest.fixture
def zone(core: Core, monkeypatch: pytest.MonkeyPatch) -> Core:
    """VMs of alice (0) and bob (1), two hours each in January 2021; 1 also an hour in December 2020."""
    for name in ("alice", "bob"):
        core.add_user(name)
        core.call("vm.allocate", "CPU=1\nMEMORY=1", True, user=name)
    january = at("2021-01-10 00:00")
    for oid, seq, start, hours in ((0, 0, january, 2), (1, 0, at("2020-12-31 23:00"), 1), (1, 1, january, 2)):
        end = start + hours * 3600
        body = record(start, end, oid=oid, seq=seq)
        core.change("INSERT INTO history VALUES (?, ?, ?, ?, ?)", oid, seq, body, start, end)
    return core


def shown(zone: Core, *args: int, user: str = "oneadmin") -> list[str]:
    found = zone.info("vmpool.showback", *args, user=user)
    assert found.tag == "SHOWBACK_RECORDS"
    return [f"{each.findtext('VMID')}@{each.findtext('YEAR')}-{each.findtext('MONTH')}" for each in found]


def test_computing_and_showing(zone: Core, shared_folder: Path) -> None:
    assert shown(zone, -2, -1, -1, -1, -1) == []
    assert zone.call("vmpool.calculateshowback", -1, -1, -1, -1) == ""
    assert shown(zone, -2, -1, -1, -1, -1) == ["1@2020-12", "0@2021-1", "1@2021-1"]
    text = zone.call("vmpool.showback", -2, -1, -1, -1, -1)
    assert Schemas(shared_folder / "spec/xsd").problem(text) is None
    assert text.endswith(
        "<SHOWBACK><VMID>1</VMID><VMNAME>a&amp;b</VMNAME><UID>2</UID><GID>1</GID><UNAME>al</UNAME>"
        "<GNAME>users</GNAME><YEAR>2021</YEAR><MONTH>1</MONTH><CPU_COST>2</CPU_COST><MEMORY_COST>2</MEMORY_COST>"
        "<DISK_COST>4</DISK_COST><TOTAL_COST>8</TOTAL_COST><HOURS>2</HOURS></SHOWBACK></SHOWBACK_RECORDS>"
    )
    zone.call("vmpool.calculateshowback", -1, -1, -1, -1)
    assert zone.call("vmpool.showback", -2, -1, -1, -1, -1) == text, "computing again changes nothing"


@pytest.mark.parametrize(
    ("months", "expected"),
    [
        ((12, 2020, 12, 2020), ["1@2020-12"]),
        ((1, 2021, -1, -1), ["0@2021-1", "1@2021-1"]),
        ((-1, -1, 12, 2020), ["1@2020-12"]),
        ((2, 2021, -1, -1), []),
        ((-1, 2021, -1, -1), ["1@2020-12", "0@2021-1", "1@2021-1"]),
        ((1, 1, 1, 3000), ["1@2020-12", "0@2021-1", "1@2021-1"]),
        ((1, -2147483648, 1, 2147483647), ["1@2020-12", "0@2021-1", "1@2021-1"]),
        ((1, 3000, 12, 3000), []),
    ],
)
def test_months(zone: Core, months: tuple[int, ...], expected: list[str]) -> None:
    assert zone.call("vmpool.calculateshowback", *months) == ""
    assert shown(zone, -2, -1, -1, -1, -1) == expected
    zone.call("vmpool.calculateshowback", -1, -1, -1, -1)
    assert shown(zone, -2, *months) == expected


def test_whose(zone: Core) -> None:
    zone.call("vmpool.calculateshowback", -1, -1, -1, -1)
    assert shown(zone, -3, -1, -1, -1, -1, user="alice") == ["0@2021-1"]
    assert shown(zone, -2, -1, -1, -1, -1, user="bob") == ["1@2020-12", "1@2021-1"]


def test_only_the_oneadmin_group_computes(zone: Core) -> None:
    zone.add_user("member", 1, 0)
    for user in ("alice", "member"):
        with pytest.raises(Refused) as refusal:
            zone.call("vmpool.calculateshowback", -1, -1, -1, -1, user=user)
        assert refusal.value.code == 0x200
    zone.add_user("helper", 0)
    assert zone.call("vmpool.calculateshowback", -1, -1, -1, -1, user="helper") == ""


def test_nothing_to_compute(core: Core) -> None:
    assert core.call("vmpool.calculateshowback", 1, 2020, 2, 2020) == ""
    assert core.call("vmpool.showback", -2, -1, -1, -1, -1) == "<SHOWBACK_RECORDS></SHOWBACK_RECORDS>"
