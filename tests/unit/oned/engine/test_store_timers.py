"""When datastores and marketplaces are asked for their sizes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import paths
from services.oned.drivers.execute import Result
from services.oned.engine import results
from services.oned.engine.cycle import LEASE
from services.oned.engine.store_timers import StoreTimers
from services.oned.store import Tx, jobs, leases
from tests.support.core import Core

MORE = "MONITORING_INTERVAL_DATASTORE = 100\nMONITORING_INTERVAL_MARKET = 1000\nDS_MONITOR_VM_DISK = 2"

STOCK = ("one", "linuxcontainers", "turnkeylinux", "dockerhub")  # of the four marketplaces of a fresh zone


@pytest.fixture
def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    made = Core(tmp_path, MORE)
    made.call("datastore.allocate", 'NAME="sys" TYPE="SYSTEM_DS" TM_MAD="shared"', 0)
    clear(made)
    for driver in STOCK:
        add_driver(driver)
    yield made
    made.zone.close()


@pytest.fixture
def timers(core: Core) -> StoreTimers:
    token = core.store.run(lambda tx: leases.acquire(tx, LEASE, "test", 60.0, lambda holder: True))
    assert token is not None
    return StoreTimers(core.store, core.zone.conf, token)


def waiting(core: Core) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in core.rows("SELECT operation, oid FROM onebox_job ORDER BY id")]


def add_driver(name: str) -> Path:
    action = paths.remotes() / "market" / name / "monitor"
    action.parent.mkdir(parents=True)
    action.write_text("#!/bin/sh\n")
    return action


def clear(core: Core) -> None:
    core.store.run(lambda tx: tx.run("DELETE FROM onebox_job"))


def test_a_new_datastore_is_asked_at_once(core: Core) -> None:
    made = core.call("datastore.allocate", 'NAME="img" DS_MAD="dummy" TM_MAD="dummy"', 0)
    assert waiting(core) == [("ds.MONITOR", made)]


def test_everything_is_asked_at_once_and_then_in_its_interval(core: Core, timers: StoreTimers) -> None:
    stores = [("ds.MONITOR", oid) for oid in (1, 2, 100)]  # 0 is not shared: its hosts report it
    markets = [("market.MONITOR", oid) for oid in range(4)]
    assert timers.run(5.0) == 7 and waiting(core) == [*stores, *markets]
    assert timers.run(50.0) == 0
    assert timers.run(106.0) == 0, "each waits already"
    clear(core)
    assert timers.run(107.0) == 0 and timers.run(207.0) == 3
    assert waiting(core) == stores
    clear(core)
    assert timers.run(1006.0) == 7


def test_disks_of_vms_are_looked_at_in_some_rounds_only(core: Core, timers: StoreTimers) -> None:
    seen = []
    for number in range(4):
        timers.run(number * 101.0)
        spec = core.rows("SELECT spec FROM onebox_job WHERE oid = 100 AND operation = 'ds.MONITOR'")
        seen.append(json.loads(spec[0][0]))
        clear(core)
    assert seen == [{"vm_disks": 1}, {"vm_disks": 0}, {"vm_disks": 1}, {"vm_disks": 0}]


def test_marketplaces_of_other_zones_are_left_to_them(core: Core, timers: StoreTimers) -> None:
    text = core.call("market.info", 0)
    core.call("market.updatedb", 0, text.replace("<ZONE_ID><![CDATA[0]]>", "<ZONE_ID><![CDATA[3]]>"))
    timers.run(5.0)
    assert ("market.MONITOR", 0) not in waiting(core) and ("market.MONITOR", 1) in waiting(core)


def test_marketplaces_without_a_driver_are_left_alone_in_one_line(
    core: Core, timers: StoreTimers, caplog: pytest.LogCaptureFixture
) -> None:
    actions = {name: paths.remotes() / "market" / name / "monitor" for name in STOCK}
    for action in actions.values():
        action.unlink()

    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "MKP"]

    with caplog.at_level(logging.INFO):
        timers.run(5.0)
        assert not [row for row in waiting(core) if row[0] == "market.MONITOR"]
        assert said() == [
            "marketplaces 0, 1, 2, 3 are not monitored: there is no driver dockerhub, linuxcontainers, one, "
            f"turnkeylinux in {paths.remotes()}/market"
        ]
        timers.run(1006.0)
        assert len(said()) == 1, "said once"
        actions["turnkeylinux"].write_text("#!/bin/sh\n")
        timers.run(2007.0)
        assert ("market.MONITOR", 2) in waiting(core) and len(said()) == 1, "a driver was added"
        actions["turnkeylinux"].unlink()
        clear(core)
        timers.run(3008.0)
        assert len(said()) == 2, "and is gone again"


def test_another_engine_takes_over(core: Core, timers: StoreTimers) -> None:
    core.store.run(lambda tx: leases.acquire(tx, LEASE, "other", 60.0, lambda holder: True))
    with pytest.raises(leases.LeaseLost):
        timers.run(5.0)
    assert waiting(core) == []


@pytest.mark.parametrize(
    ("ok", "said", "sizes"),
    [
        (True, "TOTAL_MB=10\nFREE_MB=4.9\nUSED_MB=6", ["10", "4", "6"]),
        (True, 'USED_MB="1" TOTAL_MB="2" FREE_MB="1" VM=[ID="4"]', ["2", "1", "1"]),
        (True, "TOTAL_MB=ten", ["7", "7", "7"]),
        (True, "nothing to read", ["7", "7", "7"]),
        (False, "", ["7", "7", "7"]),
    ],
)
def test_what_a_report_changes(
    core: Core, timers: StoreTimers, ok: bool, said: str, sizes: list[str]
) -> None:
    before = "".join(f"<{name}_MB>7</{name}_MB>" for name in ("TOTAL", "FREE", "USED"))
    empty = before.replace("7", "0")

    def prepare(tx: Tx) -> None:
        tx.run("UPDATE datastore_pool SET body = REPLACE(body, ?, ?) WHERE oid = 100", empty, before)

    core.store.run(prepare)
    timers.run(5.0)

    def end(tx: Tx) -> None:
        for job in jobs.claim(tx, 9, 50):
            if job.oid == 100:
                results.apply(tx, 9, Result(job, ok, "failed", said))

    core.store.run(end)
    store = core.info("datastore.info", 100)
    assert [store.findtext(f"{name}_MB") for name in ("TOTAL", "FREE", "USED")] == sizes
