"""The life of an image as a table: from, event, to, effects.

This list is the truth: ``image_fire.fire`` looks rows up, and a pair without a row is a refusal. Effects are
names of functions in ``image_fire``. The target ``=`` means unchanged.

LOCKED: a driver works on it. USED, USED_PERS: VMs have it as a disk (copies of a non-persistent one may be in
the making too). LOCKED_USED, LOCKED_USED_PERS: VMs wait for the driver. CLONE: a persistent one is copied.

Source: image states reference and states.csv of release 6.0.
"""

from __future__ import annotations

from services.oned.lifecycle.rows.base import Row


def _row(origin: str, event: str, target: str, effects: str = "") -> Row:
    return Row(origin, event, target, tuple(effects.split()))


_ROWS: list[Row] = [
    _row("INIT", "create", "LOCKED"),
    # what a driver was asked for is done, or has failed
    _row("LOCKED", "done", "READY"),
    _row("LOCKED_USED", "done", "USED", "tell_vms"),
    _row("LOCKED_USED_PERS", "done", "USED_PERS", "tell_vms"),
    _row("LOCKED", "failed", "ERROR"),
    _row("LOCKED_USED", "failed", "ERROR", "tell_vms"),
    _row("LOCKED_USED_PERS", "failed", "ERROR", "tell_vms"),
    _row("USED_PERS", "failed", "ERROR"),
    # VMs take it, the last one gives it back; use_shared is for persistent images that allow it
    _row("READY", "use", "USED"),
    _row("READY", "use_pers", "USED_PERS"),
    _row("READY", "use_shared", "USED_PERS"),
    _row("LOCKED", "use", "LOCKED_USED"),
    _row("LOCKED", "use_pers", "LOCKED_USED_PERS"),
    _row("LOCKED", "use_shared", "LOCKED_USED_PERS"),
    *(
        _row(state, event, "=")
        for state in ("USED", "LOCKED_USED")
        for event in ("use", "use_pers", "use_shared")
    ),
    _row("USED_PERS", "use_shared", "="),
    _row("LOCKED_USED_PERS", "use_shared", "="),
    _row("USED", "unused", "READY"),
    _row("USED_PERS", "unused", "READY"),
    _row("LOCKED_USED", "unused", "LOCKED"),
    _row("LOCKED_USED_PERS", "unused", "LOCKED"),
    # copies begin, the last one ends
    _row("READY", "copy", "USED"),
    _row("READY", "copy_pers", "CLONE"),
    *(_row(state, event, "=") for state in ("USED", "CLONE") for event in ("copy", "copy_pers")),
    _row("USED", "copied", "READY"),
    _row("CLONE", "copied", "READY"),
    # administration
    _row("DISABLED", "enable", "READY"),
    _row("READY", "enable", "="),
    _row("ERROR", "enable", "READY"),
    _row("ERROR", "enable_used", "USED", "tell_vms"),
    _row("ERROR", "enable_used_pers", "USED_PERS", "tell_vms"),
    _row("READY", "disable", "DISABLED"),
    _row("ERROR", "disable", "DISABLED"),
    _row("DISABLED", "disable", "="),
    _row("READY", "snapshot", "LOCKED"),
    *(
        _row(state, "delete", "DELETE")
        for state in ("INIT", "READY", "DISABLED", "LOCKED", "ERROR", "DELETE")
    ),
]

TABLE: dict[tuple[str, str], Row] = {(row.origin, row.event): row for row in _ROWS}
assert len(TABLE) == len(_ROWS), "two rows for one pair"


def rows() -> list[Row]:
    """Every row, in the order of the list."""
    return list(_ROWS)


def allowed_states(event: str) -> list[str]:
    """The states that an event has a row for."""
    return [row.origin for row in _ROWS if row.event == event]
