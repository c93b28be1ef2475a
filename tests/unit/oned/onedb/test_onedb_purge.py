"""onedb purge-done and purge-history."""

from __future__ import annotations

import time

import pytest

from services.common import xmldoc
from services.oned.fsck import repair
from services.oned.model import acl
from services.oned.onedb import times
from services.oned.onedb.errors import OnedbError
from tests.support.core import Core
from tests.support.onedb import Onedb, content

VM, OFF, ENDED = 1, 2, 3


def clean(core: Core) -> None:
    assert repair.look(core.store).unrepaired == []
    core.zone.close()


def test_vms_that_have_ended(core: Core, onedb: Onedb) -> None:
    onedb.change(
        "INSERT INTO acl VALUES (50, ?, ?, 1, ?)", acl.ALL, acl.kinds("VM") | acl.INDIVIDUAL | ENDED, acl.ALL
    )
    onedb.change("INSERT INTO vm_monitoring VALUES (?, 5, '<MONITORING/>')", ENDED)
    assert onedb.done("purge-done") == "Virtual machines purged: 1\n"
    assert [row[0] for row in onedb.rows("SELECT oid FROM vm_pool ORDER BY oid")] == [0, VM, OFF]
    for table, key in (("history", "vid"), ("vm_monitoring", "vmid")):
        assert onedb.rows(f"SELECT * FROM {table} WHERE {key} = ?", ENDED) == []
    assert onedb.rows("SELECT * FROM acl WHERE oid = 50") == []
    assert onedb.done("purge-done") == "Virtual machines purged: 0\n"
    clean(core)


def test_many(core: Core, onedb: Onedb) -> None:
    for oid in range(10, 30):
        onedb.change(
            "INSERT INTO vm_pool SELECT ?, name, REPLACE(body, '<VM><ID>3<', ?), uid, gid, state, lcm_state, "
            "owner_u, group_u, other_u, short_body, search_token FROM vm_pool WHERE oid = 3",
            oid,
            f"<VM><ID>{oid}<",
        )
    shown = onedb.done("purge-done", "--pages", "8", "-v")
    assert shown.splitlines()[-1] == "Virtual machines purged: 21" and shown.count("purged, up to") == 3


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("--end", "2016/01"), 0),
        (("-e", "2016/01/31"), 0),
        (("--start", "2016"), 1),
        (("-s", "2016-01-01 10:00", "-e", "2099"), 1),
        (("--start", "2099"), 0),
    ],
)
def test_a_period(onedb: Onedb, words: tuple[str, ...], count: int) -> None:
    assert onedb.done("purge-done", *words) == f"Virtual machines purged: {count}\n"


def test_a_period_that_is_none(onedb: Onedb) -> None:
    assert "invalid time 'yesterday'" in onedb.refused("purge-done", "--end", "yesterday")


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("2023", (2023, 1, 1, 0, 0, 0)),
        ("2023/06", (2023, 6, 1, 0, 0, 0)),
        (" 2023-06-14 ", (2023, 6, 14, 0, 0, 0)),
        ("2023/06/14 08:30", (2023, 6, 14, 8, 30, 0)),
        ("2023-06-14T08:30:59", (2023, 6, 14, 8, 30, 59)),
    ],
)
def test_times(text: str, local: tuple[int, ...]) -> None:
    assert time.localtime(times.epoch_s(text))[:6] == local


@pytest.mark.parametrize("text", ["", "2023/13", "14.6.2023", "12:00", "2023/06/31"])
def test_no_times(text: str) -> None:
    with pytest.raises(OnedbError):
        times.epoch_s(text)


# -- history -----------------------------------------------------------------------------------------------
def lengthen(core: Core, count: int) -> None:
    """Power a VM off and on, which begins a record each time."""
    from services.oned.drivers.execute import Result
    from services.oned.engine import results
    from services.oned.store import Tx, jobs

    def end(tx: Tx) -> None:
        tx.run("DELETE FROM onebox_job WHERE operation LIKE '%MONITOR'")
        (job,) = jobs.claim(tx, 1, 1)
        assert results.apply(tx, 1, Result(job, True, "", "one-x"))

    for _ in range(count):
        for action in ("poweroff", "resume"):
            core.call("vm.action", action, OFF)
            core.store.run(end)
    core.zone.close()


def records(onedb: Onedb) -> list[tuple[int, str | None]]:
    rows = onedb.rows("SELECT seq, body FROM history WHERE vid = ? ORDER BY seq", OFF)
    return [(seq, xmldoc.parse(body).findtext("SEQ")) for seq, body in rows]


def test_old_records(core: Core, onedb: Onedb) -> None:
    lengthen(core, 3)
    before = onedb.rows("SELECT stime, etime FROM history WHERE vid = ? ORDER BY seq", OFF)
    assert len(before) > 3
    assert onedb.done("purge-history", "--end", "2016") == "History records purged: 0\n"
    assert onedb.done("purge-history", "--id", str(VM)) == "History records purged: 0\n"
    assert onedb.done("purge-history") == f"History records purged: {len(before) - 2}\n"
    assert records(onedb) == [(0, "0"), (1, "1")]
    assert onedb.rows("SELECT stime, etime FROM history WHERE vid = ? ORDER BY seq", OFF) == before[-2:]
    assert core.info("vm.info", OFF).findtext("HISTORY_RECORDS/HISTORY[2]/SEQ") == "1"
    assert len(onedb.rows("SELECT * FROM history WHERE vid = ?", ENDED)) == 1
    clean(core)
    # Life goes on with the numbers that follow.
    lengthen(core, 1)
    assert [seq for seq, _ in records(onedb)] == list(range(len(records(onedb))))
    clean(core)


def test_a_machine_that_a_driver_works_on_waits(core: Core, onedb: Onedb) -> None:
    lengthen(core, 2)
    core.call("vm.action", "poweroff", OFF)
    before = content(core.store)
    core.zone.close()
    shown = onedb.done("purge-history")
    assert "History records purged: 0" in shown and "drivers work on them: 1 virtual machines" in shown
    assert content(core.store) == before
