"""Searching VMs, accounting, showback and samples give the same answers on each database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import paths
from tests.service.conftest import mysql_section
from tests.support.zone import Zone

HELD = "CPU=1\nMEMORY=64\nCPU_COST=1\n"


@pytest.fixture(params=["sqlite", "mysql"])
def zone(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zone]:
    """Four VMs, on each database in turn."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    paths.log().mkdir(exist_ok=True)
    section = ""
    if request.param == "mysql":
        section = mysql_section(request.getfixturevalue("mariadb"), "one_vm_records")
    made = Zone(tmp_path, section)
    for name, extra in (
        ("web-0", "TIER=front"),
        ("Web-1", "TIER=front"),
        ("db.example", 'TIER=back\nNOTE="50% (half) [x] ^a.b$ c:d"'),
        ("x", 'NOTE="two words\nand a second line"'),
    ):
        made.value("one.vm.allocate", f'NAME="{name}"\n{HELD}{extra}', True)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NAME=web-0", ["web-0"]),
        ("name=WEB_0", ["web-0"]),
        ("NAME=web", []),
        ("AME=web-0", []),
        ("TIER=front", ["Web-1", "web-0"]),
        ("NAME=x", ["x"]),
        ("NOTE=two", ["x"]),
        ("NOTE=two words", ["x"]),
        ("NOTE=words", []),
        ("NOTE=50%", ["db.example"]),
        ("NOTE=50% (half) [x] ^a.b$ c:d", ["db.example"]),
        ("NOTE=5", []),
        ("NOTE=50_", []),
        ("NOTE=*", []),
        ("NOTE=.*", []),
        ("NOTE=?wo", []),
        ("web", ["Web-1", "web-0"]),
        ("front web-1", ["Web-1"]),
        ("second line", ["x"]),
        ("%", ["db.example"]),
        ("\\", []),
        ("NAME=\\Qweb", []),
        ("'; DROP TABLE vm_pool --", []),
    ],
)
def test_search(zone: Zone, text: str, expected: list[str]) -> None:
    answer = zone.value("one.vmpool.info", -2, -1, -1, -1, text)
    assert re.findall(r"<NAME>([^<]*)</NAME>", answer) == expected


def change(zone: Zone, sql: str, *params: object) -> None:
    zone.store.run(lambda tx: tx.run(sql, *params))


def test_records(zone: Zone) -> None:
    hour = 3600
    rows = [(0, 0, 10 * hour, 12 * hour), (0, 1, 12 * hour, 0), (3, 0, 11 * hour, 12 * hour)]
    for vm_id, seq, start, end in rows:
        body = (
            f"<HISTORY><OID>{vm_id}</OID><SEQ>{seq}</SEQ><STIME>{start}</STIME><ETIME>{end}</ETIME></HISTORY>"
        )
        change(zone, "INSERT INTO history VALUES (?, ?, ?, ?, ?)", vm_id, seq, body, start, end)
    for vm_id, moment in ((0, 5), (0, 9), (3, 7)):
        body = f"<MONITORING><ID>{vm_id}</ID><TIMESTAMP>{moment}</TIMESTAMP></MONITORING>"
        change(zone, "INSERT INTO vm_monitoring VALUES (?, ?, ?)", vm_id, moment, body)
    accounting = zone.value("one.vmpool.accounting", -2, 11 * hour, -1)
    assert re.findall(r"<OID>(\d)</OID><SEQ>(\d)", accounting) == [("0", "0"), ("0", "1"), ("3", "0")]
    assert re.findall(r"<NAME>([^<]*)</NAME>", accounting) == ["web-0", "web-0", "x"]
    assert "<OID>" not in zone.value("one.vmpool.accounting", -2, -1, 10 * hour)
    zone.value("one.vmpool.calculateshowback", 1, 1970, 1, 1970)
    zone.value("one.vmpool.calculateshowback", 1, 1970, 1, 1970)
    showback = zone.value("one.vmpool.showback", -2, 1, 1970, 1, 1970)
    assert re.findall(r"<VMID>(\d)</VMID>", showback) == ["0", "3"]
    assert re.findall(r"<HOURS>([\d.]+)</HOURS>", showback)[1] == "1"
    for seconds, found in ((-1, ["5", "9", "7"]), (0, ["9", "7"]), (60, [])):
        samples = zone.value("one.vmpool.monitoring", -2, seconds)
        assert re.findall(r"<TIMESTAMP>(\d+)", samples) == found
