"""Accounting: which history records a call lists, to whom, and what is inside; monitoring samples."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.core import Core
from tests.support.played import Played
from tests.support.schemas import Schemas


@pytest.fixture
def cloud(core: Core) -> Played:
    """alice (2) and bob (3) have a VM each (0, 1), with records that the tests add."""
    cloud = Played(core)
    for name in ("alice", "bob"):
        core.add_user(name)
        cloud.vm(user=name, hold=True)
    return cloud


def record(vm_id: int, seq: int, stime: int, etime: int, copy: str = "") -> tuple[object, ...]:
    times = f"<STIME>{stime}</STIME><ETIME>{etime}</ETIME>"
    body = f"<HISTORY><OID>{vm_id}</OID><SEQ>{seq}</SEQ>{times}{copy}</HISTORY>"
    return vm_id, seq, body, stime, etime


def add(cloud: Played, *records: tuple[object, ...]) -> None:
    for row in records:
        cloud.core.change("INSERT INTO history VALUES (?, ?, ?, ?, ?)", *row)


def listed(cloud: Played, *args: int, user: str = "oneadmin") -> list[tuple[str | None, str | None]]:
    found = cloud.info("vmpool.accounting", *args, user=user)
    assert found.tag == "HISTORY_RECORDS"
    return [(each.findtext("OID"), each.findtext("SEQ")) for each in found]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (-1, -1, ["00", "01", "02", "10"]),
        (200, -1, ["01", "02", "10"]),
        (199, -1, ["00", "01", "02", "10"]),
        (-1, 300, ["00", "01", "10"]),
        (-1, 301, ["00", "01", "02", "10"]),
        (250, 290, ["01", "10"]),
        (1000, -1, ["02", "10"]),
        (-1, 100, []),
    ],
)
def test_the_time_that_is_asked(cloud: Played, start: int, end: int, expected: list[str]) -> None:
    # Open records have the end 0.
    add(cloud, record(1, 0, 250, 0), record(0, 0, 100, 200), record(0, 2, 300, 0), record(0, 1, 200, 300))
    assert ["".join(map(str, found)) for found in listed(cloud, -2, start, end)] == expected


@pytest.mark.parametrize(
    ("flag", "user", "expected"),
    [
        (-2, "oneadmin", ["0", "1"]),
        (2, "oneadmin", ["0"]),
        (-3, "oneadmin", []),
        (-2, "alice", ["0"]),
        (-3, "bob", ["1"]),
        (-1, "bob", ["1"]),
        (-4, "bob", ["0", "1"]),
        (2, "bob", []),
    ],
)
def test_whose_records(cloud: Played, flag: int, user: str, expected: list[str]) -> None:
    add(cloud, record(0, 0, 1, 2), record(1, 0, 1, 2))
    assert [oid for oid, _ in listed(cloud, flag, -1, -1, user=user)] == expected


def test_a_vm_that_has_ended_is_listed_one_that_is_gone_is_not(cloud: Played) -> None:
    add(cloud, record(0, 0, 1, 2), record(77, 0, 1, 2))
    cloud.call("vm.action", "terminate", 0)
    assert [oid for oid, _ in listed(cloud, -2, -1, -1)] == ["0"]


@pytest.mark.parametrize("method", ["vmpool.accounting", "vmpool.showback", "vmpool.monitoring"])
def test_a_wrong_filter(cloud: Played, method: str) -> None:
    rest = {"vmpool.accounting": (-1, -1), "vmpool.showback": (-1, -1, -1, -1), "vmpool.monitoring": ()}
    assert cloud.refused(method, -5, *rest[method]).code == 0x1000


def test_a_record_keeps_its_own_copy_or_shows_the_present_vm(cloud: Played) -> None:
    add(cloud, record(0, 0, 1, 2, "<VM><ID>0</ID><NAME>then</NAME></VM>"), record(0, 1, 2, 0))
    cloud.call("vm.rename", 0, "now")
    names = [each.findtext("VM/NAME") for each in cloud.info("vmpool.accounting", -2, -1, -1)]
    assert names == ["then", "now"]
    assert cloud.info("vmpool.accounting", -2, -1, -1)[1].find("VM/HISTORY_RECORDS") is not None


def test_the_records_of_a_life_fit_the_schema(cloud: Played, shared_folder: Path) -> None:
    schemas = Schemas(shared_folder / "spec/xsd")
    vm_id = cloud.running()
    assert schemas.problem(cloud.call("vmpool.accounting", -2, -1, -1)) is None
    cloud.act("stop", vm_id)
    cloud.act("resume", vm_id)
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    cloud.work()
    cloud.act("terminate", vm_id)
    assert schemas.problem(cloud.call("vmpool.accounting", -2, -1, -1)) is None
    records = cloud.info("vmpool.accounting", -2, -1, -1)
    assert [each.findtext("SEQ") for each in records] == ["0", "1"]
    assert all(int(each.findtext("ETIME") or 0) > 0 and each.findtext("VM/ID") == "2" for each in records)


# -- monitoring --------------------------------------------------------------------------------------------
def sample(cloud: Played, vm_id: int, time_s: int, cpu: int) -> None:
    body = f"<MONITORING><CPU>{cpu}</CPU><ID>{vm_id}</ID><TIMESTAMP>{time_s}</TIMESTAMP></MONITORING>"
    cloud.core.change("INSERT INTO vm_monitoring VALUES (?, ?, ?)", vm_id, time_s, body)


def samples(cloud: Played, method: str, *args: int, user: str = "oneadmin") -> list[str]:
    found = cloud.info(method, *args, user=user)
    assert found.tag == "MONITORING_DATA"
    return [f"{each.findtext('ID')}:{each.findtext('CPU')}" for each in found]


@pytest.fixture
def sampled(cloud: Played) -> Played:
    now = int(time.time())
    for vm_id, ago_s, cpu in ((1, 5000, 10), (0, 100, 3), (0, 9000, 1), (0, 5000, 2), (9, 1, 9)):
        sample(cloud, vm_id, now - ago_s, cpu)
    return cloud


@pytest.mark.parametrize(
    ("args", "user", "expected"),
    [
        ((-2,), "oneadmin", ["0:1", "0:2", "0:3", "1:10"]),
        ((-2, -1), "oneadmin", ["0:1", "0:2", "0:3", "1:10"]),
        ((-2, 0), "oneadmin", ["0:3", "1:10"]),
        ((-2, 6000), "oneadmin", ["0:2", "0:3", "1:10"]),
        ((-2, 10), "oneadmin", []),
        ((3, 0), "oneadmin", ["1:10"]),
        ((-2, 6000), "alice", ["0:2", "0:3"]),
        ((-3, 0), "bob", ["1:10"]),
    ],
)
def test_samples_of_many(sampled: Played, args: tuple[int, ...], user: str, expected: list[str]) -> None:
    assert samples(sampled, "vmpool.monitoring", *args, user=user) == expected


def test_samples_of_one(sampled: Played, shared_folder: Path) -> None:
    assert samples(sampled, "vm.monitoring", 0, user="alice") == ["0:1", "0:2", "0:3"]
    assert Schemas(shared_folder / "spec/xsd").problem(sampled.call("vm.monitoring", 0)) is None
    assert sampled.refused("vm.monitoring", 0, user="bob").code == 0x200
    assert sampled.refused("vm.monitoring", 55).code == 0x400


def test_samples_of_hosts(cloud: Played) -> None:
    other = cloud.call("host.allocate", "second", "dummy", "dummy", 0)
    now = int(time.time())
    for host, ago_s, cpu in ((other, 1, 7), (cloud.host, 1, 2), (cloud.host, 5000, 1)):
        body = f"<MONITORING><ID>{host}</ID><CPU>{cpu}</CPU></MONITORING>"
        cloud.core.change("INSERT INTO host_monitoring VALUES (?, ?, ?)", host, now - ago_s, body)
    assert samples(cloud, "hostpool.monitoring") == ["0:1", "0:2", "1:7"]
    assert samples(cloud, "hostpool.monitoring", 0) == ["0:2", "1:7"]
    assert samples(cloud, "hostpool.monitoring", 60) == ["0:2", "1:7"]
    assert samples(cloud, "host.monitoring", 0) == ["0:1", "0:2"]
    assert samples(cloud, "hostpool.monitoring", user="alice") == []
    assert cloud.refused("host.monitoring", 0, user="alice").code == 0x200
    assert cloud.refused("host.monitoring", 55).code == 0x400


def test_records_of_work_on_devices(cloud: Played) -> None:
    """What adds is recorded with the VM in its new condition, what takes away with the old one."""

    def conditions(vm_id: int) -> list[str]:
        records = cloud.info("vmpool.accounting", -2, -1, -1).findall("HISTORY")
        found = (record for record in records if record.findtext("OID") == str(vm_id))
        return [f"{record.findtext('VM/STATE')}/{record.findtext('VM/LCM_STATE')}" for record in found]

    vm_id = cloud.running()
    cloud.call("vm.attach", vm_id, "DISK=[TYPE=fs,SIZE=5]")
    cloud.work()
    assert conditions(vm_id) == ["3/17", "3/17"]  # HOTPLUG
    cloud.call("vm.detach", vm_id, 0)
    cloud.work()
    assert conditions(vm_id) == ["3/17", "3/3", "3/3"]
