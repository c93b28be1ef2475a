"""``change-history``, ``update-history`` and ``show-history``: history records of virtual machines."""

from __future__ import annotations

from argparse import Namespace

from services.common import xmldoc
from services.oned.model.history import HistoryRecord
from services.oned.model.vm import VM
from services.oned.onedb import edit, version
from services.oned.onedb.bodies import compact
from services.oned.onedb.errors import OnedbError
from services.oned.onedb.target import Target
from services.oned.store import Store, Tx, consistency


def change_history(target: Target, options: Namespace) -> int:
    """Set elements of a history record; --dry prints the record instead."""
    vm_id, seq = _place(options)
    store = _open(target)

    def apply(tx: Tx) -> str:
        VM.find(tx, vm_id)  # holds the VM, so that nobody else writes its records
        root = edit.parse(_body(tx, vm_id, seq))
        edit.change(root, options.xpath_of_change, options.value)
        if not options.dry:
            _write(tx, vm_id, seq, edit.text(root))
        return edit.shown(root)

    if options.dry:
        with store.read() as tx:
            print(apply(tx))
    else:
        store.run(apply)
    return 0


def update_history(target: Target, options: Namespace) -> int:
    """Let a person edit a history record."""
    vm_id, seq = _place(options)
    store = _open(target)
    with store.read() as tx:
        before = _body(tx, vm_id, seq)
    document = edit.text(compact(edit.with_editor(edit.shown(edit.parse(before)))))

    def apply(tx: Tx) -> None:
        VM.find(tx, vm_id)
        if _body(tx, vm_id, seq) != before:
            raise OnedbError(f"history record {seq} of VM {vm_id} was changed meanwhile; nothing was written")
        _write(tx, vm_id, seq, document)

    store.run(apply)
    return 0


def show_history(target: Target, options: Namespace) -> int:
    """Print a history record."""
    vm_id, seq = _place(options)
    with _open(target).read() as tx:
        print(edit.shown(edit.parse(_body(tx, vm_id, seq))))
    return 0


def _write(tx: Tx, vm_id: int, seq: int, document: str) -> None:
    """Store a record with its columns; the newest one in the VM's document, too."""
    try:
        record = HistoryRecord.from_element(xmldoc.parse(document))
    except ValueError as error:
        raise OnedbError(f"this is no history record: {error}") from None
    if not document.startswith("<HISTORY>") or (record.oid, record.seq) != (vm_id, seq):
        raise OnedbError(f"this is not history record {seq} of VM {vm_id}")
    consistency.write_record(tx, vm_id, seq, document, record.stime, record.etime)
    vm = VM.find(tx, vm_id)
    if vm is not None and vm.history is not None and vm.history.seq == seq:
        vm.history = record
        vm.save(tx)


def _body(tx: Tx, vm_id: int, seq: int) -> str:
    body = consistency.record_body(tx, vm_id, seq)
    if body is None:
        raise OnedbError(f"Error getting history record {seq} for VM {vm_id}: there is none")
    return body


def _place(options: Namespace) -> tuple[int, int]:
    if options.id is None or options.seq is None:
        raise OnedbError("Missing VM ID or SEQ number")
    return options.id, options.seq


def _open(target: Target) -> Store:
    store = target.store()
    version.read(target, store)
    return store
