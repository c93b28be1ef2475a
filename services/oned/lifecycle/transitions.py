"""The life-cycle of a VM as a table: from, event, to, effects.

This list is the truth: ``fire`` looks rows up, the reference page and its diagram are generated from it, and
a pair without a row is a refusal. Conditions are words of ``states.state_name``. Effects are names of
functions in ``effects``, run in the order given, after the new state is entered, or before and after it where
``enter`` stands; ``job:OPERATION`` hands work to a driver. An event may have variants (``tm_ok/anew``), of
which ``variants`` chooses by the VM's document.

Source: lifecycle.csv and vm_actions.csv of release 6.0.
"""

from __future__ import annotations

from services.oned.lifecycle.rows import deploy, hotplug, migrate, monitor, recovery, running
from services.oned.lifecycle.rows.base import Row as Row

# Conditions that a VM stays in until somebody asks for something; all others are on their way or have failed.
STABLE = frozenset(
    {
        "INIT",
        "PENDING",
        "HOLD",
        "RUNNING",
        "UNKNOWN",
        "POWEROFF",
        "SUSPENDED",
        "STOPPED",
        "UNDEPLOYED",
        "DONE",
    }
)
# Conditions in which a VM waits for an image that is being made, not for a driver of its own.
WAITS_FOR_IMAGE = frozenset(
    {
        "CLONING",
        "HOTPLUG_SAVEAS",
        "HOTPLUG_SAVEAS_POWEROFF",
        "HOTPLUG_SAVEAS_SUSPENDED",
        "HOTPLUG_SAVEAS_UNDEPLOYED",
        "HOTPLUG_SAVEAS_STOPPED",
    }
)


def _table() -> dict[tuple[str, str], Row]:
    rows = [*deploy.ROWS, *running.ROWS, *migrate.ROWS, *hotplug.ROWS, *monitor.ROWS]
    table: dict[tuple[str, str], Row] = {}
    for row in (*rows, *recovery.derived(rows)):
        if (row.origin, row.event) in table:
            raise ValueError(f"two rows for {row.origin} / {row.event}")
        table[row.origin, row.event] = row
    return table


TABLE: dict[tuple[str, str], Row] = _table()


def allowed_conditions(event: str) -> list[str]:
    """The conditions in which an event has a row, for messages."""
    return sorted({origin for origin, name in TABLE if name.partition("/")[0] == event})
