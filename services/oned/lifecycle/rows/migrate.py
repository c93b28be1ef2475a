"""Migration: two records and two hosts until it is decided where the VM stays.

A live one moves the running machine. A cold one saves it (or shuts it down), moves the disks, and restores it
(or starts it) on the new host; a VM that does not run has its disks moved only.
"""

from __future__ import annotations

from services.oned.lifecycle.rows.base import Row, row

_PLACED = "open_second_record enter reserve_host clear_resched"
_SAVED = "lose_snapshots end_previous prolog_begins leave_previous_host job:tm.PROLOG_MIGRATE"
_FAILED = "stay_on_previous_host end_failed_move set_error"
_OFF = (
    f"{_PLACED} lose_snapshots end_previous note_migrate prolog_begins leave_previous_host "
    "job:tm.PROLOG_MIGRATE"
)
_BACK = "return_to_previous_host turn_back_record"

# Where a migration of disks alone goes on, and what that takes: (under way, then, effects)
_MOVES: list[tuple[str, str, str]] = [
    ("PROLOG_MIGRATE", "BOOT_MIGRATE", "prolog_ends running_begins job:vmm.RESTORE"),
    ("PROLOG_MIGRATE_UNKNOWN", "BOOT", "prolog_ends running_begins job:vmm.DEPLOY"),
    ("PROLOG_MIGRATE_POWEROFF", "POWEROFF", "lose_snapshots prolog_ends running_ends"),
    ("PROLOG_MIGRATE_SUSPEND", "SUSPENDED", "lose_snapshots prolog_ends running_ends"),
]
# A machine that was shut down for it is started, not restored.
_ANEW = ("BOOT", "prolog_ends running_begins job:vmm.DEPLOY")
_KINDS = {"migrate": "SAVE", "migrate_poweroff": "SHUTDOWN", "migrate_poweroff_hard": "CANCEL"}

ROWS: list[Row] = [
    row("RUNNING", "migrate_live", "MIGRATE", f"{_PLACED} note_on_previous job:vmm.MIGRATE"),
    row(
        "MIGRATE",
        "migrate_ok",
        "RUNNING",
        "running_begins end_previous leave_previous_host enter lose_snapshots",
    ),
    row("MIGRATE", "migrate_failed", "RUNNING", _FAILED),
    *(
        row("RUNNING", event, "SAVE_MIGRATE", f"{_PLACED} note_action note_on_previous job:vmm.{operation}")
        for event, operation in _KINDS.items()
    ),
    *(row("SAVE_MIGRATE", event, "PROLOG_MIGRATE", _SAVED) for event in ("save_ok", "shutdown_ok")),
    *(row("SAVE_MIGRATE", event, "RUNNING", _FAILED) for event in ("save_failed", "shutdown_failed")),
    *(
        line
        for event in _KINDS
        for line in (
            row("POWEROFF", event, "PROLOG_MIGRATE_POWEROFF", _OFF),
            row("SUSPENDED", event, "PROLOG_MIGRATE_SUSPEND", _OFF),
            row(
                "UNKNOWN",
                event,
                "PROLOG_MIGRATE_UNKNOWN",
                _OFF.replace("note_migrate", "note_migrate note_migrate_on_previous"),
            ),
        )
    ),
    *(row(moving, "tm_ok", then, effects) for moving, then, effects in _MOVES),
    row("PROLOG_MIGRATE", "tm_ok/anew", *_ANEW),
    *(row(moving, "tm_failed", f"{moving}_FAILURE", "set_error") for moving, _, _ in _MOVES),
    row("BOOT_MIGRATE", "restore_ok", "RUNNING", "set_deploy_id runs_on"),
    row("BOOT_MIGRATE", "restore_failed", "BOOT_MIGRATE_FAILURE", "running_ends set_error"),
    # the disks are still on the old host: a recovery goes back to them
    *(
        row(f"{moving}_FAILURE", "recover_failure", then, f"{_BACK} {effects}")
        for moving, then, effects in _MOVES
    ),
    row("PROLOG_MIGRATE_FAILURE", "recover_failure/anew", _ANEW[0], f"{_BACK} {_ANEW[1]}"),
]
