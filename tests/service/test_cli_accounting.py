"""oneacct and oneshowback with the records of machines that ran."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from xml.etree import ElementTree

import pytest

from tests.support.shell import Shell, at_a_new_front_end

pytestmark = pytest.mark.timeout(120)
HEADER = (
    " VID HOSTNAME        ACTION               START_TIME       END_TIME MEMORY CPU  NETRX  NETTX   DISK\n"
)
WHEN = r"\d\d/\d\d \d\d:\d\d:\d\d"
ROW = rf" {{vm}} {{host:<15}} {{action:<16}} {WHEN} +(?:-|{WHEN}) +{{mem}} +{{cpu}} +0K +0K +{{disk}}\n"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A zone where oneadmin's machine 0 ended on h0, and alice's machine 1 runs on h1."""
    folder = tmp_path_factory.mktemp("accounting")
    with at_a_new_front_end(folder, "opennebula", "opennebula-engine") as found:
        for name in ("h0", "h1"):
            found.created(f"onehost create {name} -i dummy -v dummy")
        found.created("oneuser create alice pw")
        found.created("onegroup create devs")
        found.created("onevm create", 'NAME="first"\nCPU=1\nMEMORY=64\nDISK=[TYPE="swap",SIZE=10]')
        found.created("onevm create --name second --cpu 0.5 --memory 2g")
        found.ok("onevm chown 1 alice devs")
        for host in (0, 1):
            until(partial(is_on, found, str(host)))
        found.ok("onevm deploy 0 h0")
        found.ok("onevm deploy 1 h1")
        for machine in (0, 1):
            found.ok(f"onevm wait {machine} --timeout 60")
        until(lambda: has_costs(found))
        found.ok("onevm terminate 0")
        found.ok("onevm wait 0 --state DONE --timeout 60")
        yield found


def until(done: Callable[[], bool]) -> None:
    """Return when it is so; fail after a minute."""
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_on(shell: Shell, host: str) -> bool:
    """Whether a host is monitored."""
    return shell.cells("onehost", host, "STAT") == ["on"]


def has_costs(shell: Shell) -> bool:
    """Whether both machines have run long enough to cost something."""
    shell.ok("oneshowback calculate")
    return shell.ok("oneshowback list --csv -l VM_ID") == "VM_ID\n0\n1\n"


def user(number: int) -> str:
    return f"# User {number}".ljust(80) + "\n\n"


FIRST = ROW.format(vm="  0", host="h0", action="terminate", mem="64M", cpu="1", disk="10M")
SECOND = ROW.format(vm="  1", host="h1", action="none", mem="2G", cpu="0.5", disk="0K")


def test_tables_of_records(shell: Shell) -> None:
    """A table for each user; --split gives each machine one; filters choose records."""
    both = f"{user(0)}{HEADER}{FIRST}\n{user(2)}{HEADER}{SECOND}\n"
    for line in ("oneacct", "oneacct --split", "oneacct -H h0 -g devs", "oneacct --xpath 'HISTORY[HID>=0]'"):
        assert re.fullmatch(both, shell.ok(line)), line
    for line in (
        "oneacct -u alice",
        "oneacct --group devs",
        "oneacct --host h1",
        "oneacct --xpath HISTORY[ETIME=0]",
    ):
        assert re.fullmatch(f"{user(2)}{HEADER}{SECOND}\n", shell.ok(line)), line
    shown = shell.ok("oneacct -s 2021-05-01 -e 05/2030 -l vid,SEQ,ACTION")
    assert shown.startswith(
        "Showing active history records from 2021-05-01 00:00:00 +0000 to 2030-05-02 00:00:00 +0000\n\n"
    )
    assert "\n VID SEQ ACTION          \n   0   0 terminate\n" in shown
    assert shell.ok("oneacct --start 05/2099").startswith(
        "Showing active history records from 2038-01-19 03:14:07"
    )


def test_records_for_programs(shell: Shell) -> None:
    lines = shell.ok("oneacct --csv").splitlines()
    assert lines[0] == "UID,VID,HOSTNAME,ACTION,START_TIME,END_TIME,MEMORY,CPU,NETRX,NETTX,DISK"
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ["0", "0", "h0", "terminate"],
        ["2", "1", "h1", "none"],
    ]
    assert shell.ok("oneacct --csv -l VID,CPU -u alice") == "VID,CPU\n1,0.5\n"
    tree = ElementTree.fromstring(shell.ok("oneacct -x -H h1"))
    assert [record.findtext("OID") for record in tree] == ["1"]
    found = json.loads(shell.ok("oneacct -j -u alice"))["HISTORY_RECORDS"]["HISTORY"]
    assert [record["VM"]["NAME"] for record in found] == ["second"]
    assert shell.ok("oneacct -y").startswith("---\nHISTORY_RECORDS:\n  HISTORY:\n  - ")
    assert "expected HISTORY[PATH=VALUE" in shell.refused("oneacct --xpath NOPE[1]")
    assert "is not understood" in shell.refused("oneacct --xpath 'HISTORY[count(VM)]'")
    assert "expected a date" in shell.refused("oneacct -s soon")


def test_costs(shell: Shell) -> None:
    month, year = time.strftime("%-m", time.gmtime()), time.strftime("%Y", time.gmtime())
    shown = shell.ok("oneshowback list")
    assert shown.startswith(f"# Showback for {month}/{year}".ljust(80) + "\n\n")
    assert "USER_NAM GROUP_NA  VM_ID VM_NAME         MONTH  YEAR  HOURS            COST\n" in shown
    assert re.search(
        rf"^alice    devs          1 second          +{month}  {year} +\d+\.\d\d +0$", shown, re.M
    )
    assert "oneadmin" not in shell.ok("oneshowback list -u alice")
    assert "oneadmin" not in shell.ok("oneshowback list -g devs -s 01/2021 -e 12/2030")
    assert (
        shell.ok("oneshowback list --csv -l VM_ID,MONTH,YEAR -g devs")
        == f"VM_ID,MONTH,YEAR\n1,{month},{year}\n"
    )
    tree = ElementTree.fromstring(shell.ok("oneshowback list -x -g devs"))
    assert [record.findtext("VMNAME") for record in tree] == ["second"]
    assert [
        r["VMID"] for r in json.loads(shell.ok("oneshowback list -j"))["SHOWBACK_RECORDS"]["SHOWBACK"]
    ] == ["0", "1"]
    assert shell.ok("oneshowback list --describe").startswith("Columns (* = shown by default):\n  UID ")
    assert shell.ok("oneshowback list -s 01/2031") == ""
    assert shell.ok(f"oneshowback calculate -s {month}/{year} -e {month}/{year}") == "\n"
