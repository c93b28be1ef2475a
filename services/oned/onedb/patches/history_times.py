"""Edit the times of a history record, which accounting and showback count with.

For a record that was never closed although its machine has left the host long ago. Asks for everything it
needs: the VM, the record's number, and for each time a new value in UTC.
"""

from __future__ import annotations

import calendar
import time

from services.common import xmldoc
from services.oned.errors import RequestError
from services.oned.model.history import HistoryRecord, vm_copy
from services.oned.model.vm import VM
from services.oned.store import Tx, consistency

_TIMES = (
    ("stime", "Start time"),
    ("pstime", "Prolog start time"),
    ("petime", "Prolog end time"),
    ("rstime", "Running start time"),
    ("retime", "Running end time"),
    ("estime", "Epilog start time"),
    ("eetime", "Epilog end time"),
    ("etime", "End time"),
)
_WHICH = ("VM ID", "History sequence number")
_FORM = "%Y-%m-%d %H:%M:%S"


def ask(tx: Tx, arguments: list[str]) -> list[str]:
    """VM, number of the record and its times; asks for those that are not given."""
    given = arguments[:2] + [input(f"{label}: ").strip() for label in _WHICH[len(arguments[:2]) :]]
    record, _ = _record(tx, given)
    if len(arguments) < 2 + len(_TIMES):
        _show(record)
        print(
            "\nNew values: empty keeps the present one, YYYY-MM-DD HH:MM:SS is UTC, 0 leaves the time unset."
        )
        given += [str(_time(label, getattr(record, name))) for name, label in _TIMES]
        _show(_changed(record, given))
        if input("Confirm to write to the database [Y/n]: ").strip().lower() not in ("", "y", "yes"):
            raise RequestError("canceled")
        return given
    return arguments


def patch(tx: Tx, arguments: list[str]) -> bool:
    """Write one record. arguments: VM, number of the record, and its times as epoch seconds."""
    record, body = _record(tx, arguments)
    _changed(record, arguments)
    document = record.to_xml(vm_copy(body))
    consistency.write_record(tx, record.oid, record.seq, document, record.stime, record.etime)
    vm = VM.find(tx, record.oid)
    if vm is not None and vm.history is not None and vm.history.seq == record.seq:
        vm.history = record
        vm.save(tx)
    return True


def _record(tx: Tx, arguments: list[str]) -> tuple[HistoryRecord, str]:
    vm_id, seq = (_whole(label, text) for label, text in zip(_WHICH, arguments, strict=False))
    body = consistency.record_body(tx, vm_id, seq)
    if body is None:
        raise RequestError(f"virtual machine {vm_id} has no history record {seq}")
    return HistoryRecord.from_element(xmldoc.parse(body)), body


def _changed(record: HistoryRecord, arguments: list[str]) -> HistoryRecord:
    for (name, label), text in zip(_TIMES, arguments[2:], strict=True):
        setattr(record, name, _whole(label, text))
    return record


def _whole(label: str, text: str) -> int:
    if not text.isdecimal():
        raise RequestError(f"{label} must be a number, found {text!r}")
    return int(text)


def _show(record: HistoryRecord) -> None:
    for name, label in _TIMES:
        print(f"{name.upper():<7} {label:<20}: {_text(getattr(record, name))}")


def _text(epoch_s: int) -> str:
    return time.strftime(f"{_FORM} UTC", time.gmtime(epoch_s)) if epoch_s else "0 (unset)"


def _time(label: str, present: int) -> int:
    while True:
        text = input(f"{label:<20} [{_text(present)}]: ").strip()
        if text in ("", "0"):
            return present if not text else 0
        try:
            return calendar.timegm(time.strptime(text, _FORM))
        except ValueError:
            print("expected YYYY-MM-DD HH:MM:SS in UTC, 0, or nothing")
