"""History records against the virtual machines that they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.lifecycle.states import VmState
from services.oned.model import history
from services.oned.model.history import HistoryRecord
from services.oned.model.vm import VM
from services.oned.store import Tx, consistency

# While it moves, a VM has the records of both hosts open.
_MOVING = frozenset({"MIGRATE", "SAVE_MIGRATE", "PROLOG_MIGRATE", "PROLOG_MIGRATE_FAILURE"})
_PERIODS = (("pstime", "petime"), ("rstime", "retime"), ("estime", "eetime"))


def check(zone: Zone) -> Iterator[Finding]:
    """The newest record is that of the VM's document; only it is open, and none of a VM that has ended."""
    alive = {vm.oid: vm for vm in zone.vms}
    rows = consistency.newest_records(zone.tx)
    for vm in alive.values():
        yield from _newest(vm, rows.get(vm.oid))
    for record in consistency.open_records(zone.tx):
        name = f"virtual machine {record.vid}: history record {record.seq}"
        if record.has_ended and record.seq == record.newest:
            fix = partial(_close_last, vm_id=record.vid, seq=record.seq)
            yield Finding(f"{name} is open, but the machine has ended", fix)
        elif record.seq != record.newest and (record.has_ended or _is_past(alive.get(record.vid), record)):
            fix = partial(_close, vm_id=record.vid, seq=record.seq)
            yield Finding(f"{name} is open, but there is a newer one", fix)


def _newest(vm: VM, row: tuple[int, int, int] | None) -> Iterator[Finding]:
    """What the table says of a VM's newest record: (SEQ, STIME, ETIME)."""
    said = vm.history
    if said is None:
        if row is not None:
            yield Finding(f"virtual machine {vm.oid}: has history records, but its document has none")
        return
    if row is None or row[0] < said.seq:
        text = f"virtual machine {vm.oid}: history record {said.seq} is in its document only"
        yield Finding(text, partial(_write, vm_id=vm.oid, seq=said.seq))
    elif row[0] > said.seq:
        text = f"virtual machine {vm.oid}: the newest history record is {row[0]}, its document has {said.seq}"
        yield Finding(text, partial(_take_over, vm_id=vm.oid, seq=row[0]))
    elif row[1:] != (said.stime, said.etime):
        text = (
            f"virtual machine {vm.oid}: history record {said.seq} lasts from {row[1]} to {row[2]}, "
            f"in its document from {said.stime} to {said.etime} (0: open)"
        )
        yield Finding(text, partial(_write, vm_id=vm.oid, seq=said.seq))


def _is_past(vm: VM | None, record: consistency.OpenRecord) -> bool:
    # Rows of VMs that do not exist are another check's business.
    moves = vm is not None and vm.condition in _MOVING and record.seq == record.newest - 1
    return vm is not None and not moves


# -- repairs -----------------------------------------------------------------------------------------------
def _write(tx: Tx, vm_id: int, seq: int) -> None:
    """Write the row of the record that the document has; the copy of the VM that it holds stays."""
    vm = VM.load(tx, vm_id)
    if vm.history is not None and vm.history.seq == seq:
        if consistency.record_body(tx, vm_id, seq) is None:
            vm.history.vm_xml = vm.to_xml(history=False)
            vm.history.store(tx)
        else:
            _store(tx, vm.history)


def _take_over(tx: Tx, vm_id: int, seq: int) -> None:
    """Make the newest row the record of the document."""
    vm = VM.load(tx, vm_id)
    vm.history = history.load(tx, vm_id, seq)
    vm.save(tx)


def _close_last(tx: Tx, vm_id: int, seq: int) -> None:
    """End the last record of a VM when the VM ended."""
    vm = VM.load(tx, vm_id)
    record = history.load(tx, vm_id, seq)
    if record is None or vm.state is not VmState.DONE:
        return
    _end(tx, record, vm.etime or record.stime)
    if vm.history is not None and vm.history.seq == seq:
        vm.history = record
        vm.save(tx)


def _close(tx: Tx, vm_id: int, seq: int) -> None:
    """End a record where the next one begins: what happened in between was not recorded."""
    VM.find(tx, vm_id)  # holds the VM, so that nobody else writes its records
    record, following = history.load(tx, vm_id, seq), history.load(tx, vm_id, seq + 1)
    if record is not None and following is not None:
        _end(tx, record, following.stime)


def _end(tx: Tx, record: HistoryRecord, end_s: int) -> None:
    """End a record at an epoch second, unless its document knows better."""
    record.etime = record.etime or end_s
    for began, ended in _PERIODS:
        if getattr(record, began) and not getattr(record, ended):
            setattr(record, ended, record.etime)
    _store(tx, record)


def _store(tx: Tx, record: HistoryRecord) -> None:
    """Write a record's row, even if its document stays the same; the copy of the VM in it stays."""
    record.vm_xml = history.vm_copy(consistency.record_body(tx, record.oid, record.seq) or "")
    record.store(tx)
