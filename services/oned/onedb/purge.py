"""``purge-done`` and ``purge-history``: remove what is past, while the front-end works or not."""

from __future__ import annotations

import time
from argparse import Namespace
from functools import partial

from services.common import xmldoc
from services.oned.model import acl
from services.oned.model.base import number
from services.oned.model.history import HistoryRecord, load, vm_copy
from services.oned.model.vm import VM
from services.oned.onedb import times, version
from services.oned.onedb.target import Target
from services.oned.store import Store, Tx, consistency, jobs, purge

_PAGE = 500
_KEPT_RECORDS = 2


def purge_done(target: Target, options: Namespace) -> int:
    """Remove the virtual machines that ended between two points in time, with their history."""
    start_s, end_s = _period(options)
    size = options.pages or _PAGE
    store = target.store()
    version.read(target, store)
    purged, last = 0, -1
    while True:
        with store.read() as tx:
            page = purge.ended_vms(tx, last, size)
        if not page:
            break
        last = page[-1][0]
        wanted = [vm_id for vm_id, body in page if start_s <= _ended(body) < end_s]
        purged += _purge(store, wanted)
        if options.verbose:
            print(f"{purged} purged, up to virtual machine {last}")
    print(f"Virtual machines purged: {purged}")
    return 0


def _purge(store: Store, vm_ids: list[int]) -> int:
    def run(tx: Tx) -> int:
        removed = 0
        for vm_id in vm_ids:
            if purge.remove_vm(tx, vm_id):
                acl.delete_for_object(tx, VM, vm_id)
                removed += 1
        return removed

    return store.run(run) if vm_ids else 0


def _ended(body: str) -> int:
    return number(xmldoc.parse(body, VM.KIND), "ETIME")


def purge_history(target: Target, options: Namespace) -> int:
    """Remove all but the last two history records of machines that were created between two points in time.

    The two are numbered 0 and 1 then. A machine that a driver works on is left for the next time.
    """
    start_s, end_s = _period(options)
    store = target.store()
    version.read(target, store)
    with store.read() as tx:
        vm_ids = purge.vms_with_records(tx, _KEPT_RECORDS + 1)
    removed = busy = 0
    for vm_id in vm_ids:
        if options.id is not None and vm_id != options.id:
            continue
        count = store.run(partial(_shorten, vm_id=vm_id, start_s=start_s, end_s=end_s))
        removed += max(count, 0)
        busy += count < 0
    print(f"History records purged: {removed}")
    if busy:
        print(f"Left alone because drivers work on them: {busy} virtual machines")
    return 0


def _shorten(tx: Tx, vm_id: int, start_s: int, end_s: int) -> int:
    """How many records of a VM were removed; -1 when that had to wait."""
    vm = VM.find(tx, vm_id)
    if vm is None or vm.history is None or not start_s <= vm.stime < end_s:
        return 0
    if jobs.has(tx, VM.KIND, vm_id):
        return -1
    first = vm.history.seq - (_KEPT_RECORDS - 1)
    if first <= 0:
        return 0
    removed = purge.remove_records(tx, vm_id, first)
    for new_seq in range(_KEPT_RECORDS):
        record, body = load(tx, vm_id, first + new_seq), consistency.record_body(tx, vm_id, first + new_seq)
        if record is not None and body is not None:
            record.seq = new_seq
            purge.renumber_record(tx, vm_id, first + new_seq, new_seq, record.to_xml(vm_copy(body)))
    vm.history = _renumbered(vm.history)
    vm.save(tx)
    return removed


def _renumbered(newest: HistoryRecord) -> HistoryRecord:
    newest.seq = _KEPT_RECORDS - 1
    return newest


def _period(options: Namespace) -> tuple[int, int]:
    """Start (default: ever) and end (default: now), epoch seconds. Raises OnedbError."""
    start_s = times.epoch_s(options.start) if options.start else 0
    return start_s, times.epoch_s(options.end) if options.end else int(time.time()) + 1
