"""Firing any row of the life-cycle table, or any pair without one, on a real VM of a zone in this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.common import paths, xmldoc
from services.oned.errors import ActionError
from services.oned.lifecycle.effects import Firing, Placement
from services.oned.lifecycle.fire import fire
from services.oned.lifecycle.operations import OPERATIONS
from services.oned.lifecycle.rows.base import Row
from services.oned.lifecycle.states import LcmState, VmState
from services.oned.lifecycle.transitions import TABLE
from services.oned.lifecycle.variants import lookup
from services.oned.model.history import HistoryRecord
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Tx, jobs
from tests.support.cloud import Cloud
from tests.support.core import Core

# Work that shares a condition: the job that says which it is.
WORK = {
    "attach_disk": "vmm.ATTACH_DISK",
    "detach_disk": "vmm.DETACH_DISK",
    "updateconf": "vmm.UPDATE_CONF",
    "attach_nic": "vmm.ATTACH_NIC",
    "detach_nic": "vmm.DETACH_NIC",
}
ACTIONS = {"anew": 48, "left": 9}
# On no host while they wait or lie on the front-end.
AWAY = {"INIT", "PENDING", "HOLD", "CLONING", "CLONING_FAILURE", "STOPPED", "UNDEPLOYED"}


class Rolledback(Exception):
    """Nothing of this transaction is kept."""


@contextmanager
def furnished(folder: Path, db_section: str = "") -> Iterator[Cloud]:
    """A zone in which VM 0 has everything and has been migrated; with ``db_section`` not on SQLite."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ONE_LOCATION", str(folder))
        paths.log().mkdir(exist_ok=True)
        made = Cloud(Core(folder, db_section=db_section))
        image = made.images.ready("NAME=os SIZE=10 TYPE=OS")
        made.running(f'DISK=[IMAGE_ID={image}]\nGRAPHICS=[TYPE="vnc"]\nNIC=[NETWORK_ID={made.lan()}]')
        made.call("vm.migrate", 0, made.other, True, False, -1, 0)
        made.end("vmm.MIGRATE")
        yield made
        made.core.zone.close()


def _in(tx: Tx, condition: str, event: str) -> VM:
    """The VM, as it is in a condition when that event (with its variant) comes."""
    vm = VM.load(tx, 0)
    assert vm.history is not None
    is_state = condition in VmState.__members__
    vm.state = VmState[condition] if is_state else VmState.ACTIVE
    vm.lcm_state = LcmState.LCM_INIT if is_state else LcmState[condition]
    if condition in ("MIGRATE", "SAVE_MIGRATE", "PROLOG_MIGRATE") or condition.startswith("PROLOG_MIGRATE_"):
        vm.template.vectors("GRAPHICS")[0]["PREVIOUS_PORT"] = "5900"
    if condition in AWAY:
        host = Host.load(tx, vm.history.hid)
        host.remove_vm(vm.oid, 50, 65536)
        host.save(tx)
    snapshot = {"SNAPSHOT_ID": "0", "NAME": "s", "HYPERVISOR_ID": "", "TIME": "1"}
    for part in event.split("/")[1:]:
        if part in WORK:
            jobs.add(tx, kind="VM", oid=0, operation=WORK[part], driver="dummy", host="x")
        if part.startswith("snapshot_"):
            snapshot |= {"ACTIVE": "YES", "ACTION": part.removeprefix("snapshot_").upper()}
        if part in ACTIONS:
            vm.history.action = ACTIONS[part]
        if part == "off":
            vm.history.retime = 1
    vm.template.add("SNAPSHOT", snapshot)
    vm.save(tx)
    vm.history.store(tx)
    return VM.load(tx, 0)


def _firing(cloud: Cloud) -> Firing:
    place = Placement(cloud.host, "node1", 0, "dummy", "dummy", cloud.system)
    return Firing(uid=0, gid=0, request_id=1, placement=place, message="m", output="out")


def require_target(cloud: Cloud, row: Row) -> None:
    """Fire a row: the VM comes to its target, with its records and jobs. Nothing of it is kept."""

    def attempt(tx: Tx) -> None:
        vm = _in(tx, row.origin, row.event)
        assert vm.history is not None
        jobs_before = {job[0] for job in tx.all("SELECT id FROM onebox_job")}
        event = row.event.partition("/")[0]
        assert lookup(tx, vm, event) == row
        records = vm.history.seq
        is_new = row.origin == "INIT"
        if is_new:
            tx.run("DELETE FROM vm_pool WHERE oid = 0")
        fire(tx, vm, event, _firing(cloud), new=is_new)
        stored = VM.load(tx, 0)
        assert stored.condition == (row.origin if row.target == "=" else row.target)
        assert (stored.prev_state, stored.prev_lcm_state) == (stored.state, stored.lcm_state)
        assert stored.history is not None and stored.history.seq >= records
        _require_records(tx, stored)
        added = [
            op for number, op in tx.all("SELECT id, operation FROM onebox_job") if number not in jobs_before
        ]
        assert len(added) == sum(name.startswith("job:") for name in row.effects)
        if stored.state is VmState.DONE:
            assert stored.etime and stored.history.etime
        raise Rolledback

    with pytest.raises(Rolledback):
        cloud.core.store.run(attempt)


def _require_records(tx: Tx, vm: VM) -> None:
    """The newest record is in both places, every record has a copy of the VM, and none is missing."""
    rows = tx.all("SELECT seq, body FROM history WHERE vid = 0 ORDER BY seq")
    assert vm.history is not None
    assert [row[0] for row in rows] == list(range(vm.history.seq + 1))
    for _, body in rows:
        assert xmldoc.parse(body).findtext("VM/ID") == "0"
    newest = HistoryRecord.from_element(xmldoc.parse(rows[-1][1]))
    assert newest.to_xml() == vm.history.to_xml()


def require_refusals(cloud: Cloud, condition: str) -> None:
    """Fire every event that has no row in a condition: it is refused, and changes nothing."""

    def attempt(tx: Tx) -> None:
        vm = _in(tx, condition, "")
        before = tx.all("SELECT body FROM vm_pool"), tx.all("SELECT body FROM history")
        refused = 0
        for operation in OPERATIONS:
            for event in operation.events:
                if any(origin == condition and name.partition("/")[0] == event for origin, name in TABLE):
                    continue
                with pytest.raises(ActionError) as refusal:
                    fire(tx, vm, event, _firing(cloud))
                assert re.search(
                    rf"virtual machine 0 is in state {condition}, .* available for \w", refusal.value.message
                )
                refused += 1
        assert refused > 0
        assert before == (tx.all("SELECT body FROM vm_pool"), tx.all("SELECT body FROM history"))
        raise Rolledback

    with pytest.raises(Rolledback):
        cloud.core.store.run(attempt)
