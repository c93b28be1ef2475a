"""What monitoring finds: the machine runs, is off, is suspended, has failed, or its host has.

The pairs that are not here are no news: what a driver is at, its own result says.
"""

from __future__ import annotations

from services.oned.lifecycle.rows.base import Row, row

_BOOTS = (
    *(
        "BOOT",
        "BOOT_POWEROFF",
        "BOOT_UNKNOWN",
        "BOOT_SUSPENDED",
        "BOOT_STOPPED",
        "BOOT_UNDEPLOY",
        "BOOT_MIGRATE",
    ),
    *("BOOT_FAILURE", "BOOT_MIGRATE_FAILURE", "BOOT_STOPPED_FAILURE", "BOOT_UNDEPLOY_FAILURE"),
)
_OFF = "lose_snapshots clear_resched note_monitor running_ends"
_SHUT = "cancel_jobs lose_snapshots epilog_begins running_ends"

ROWS: list[Row] = [
    *(row(off, "monitor_running", "RUNNING", "follow_record") for off in ("POWEROFF", "SUSPENDED")),
    row("UNKNOWN", "monitor_running", "RUNNING"),
    *(row(boots, "monitor_running", "RUNNING", "cancel_jobs set_deploy_id runs_on") for boots in _BOOTS),
    *(row(on, "monitor_suspend", "SUSPENDED", _OFF) for on in ("RUNNING", "UNKNOWN")),
    *(row(on, "monitor_poweroff", "POWEROFF", _OFF) for on in ("RUNNING", "UNKNOWN")),
    row("SHUTDOWN", "monitor_poweroff", "EPILOG", f"{_SHUT} job:tm.EPILOG"),
    row("SHUTDOWN_POWEROFF", "monitor_poweroff", "POWEROFF", "cancel_jobs lose_snapshots running_ends"),
    row("SHUTDOWN_UNDEPLOY", "monitor_poweroff", "EPILOG_UNDEPLOY", f"{_SHUT} job:tm.EPILOG_STOP"),
    row("RUNNING", "monitor_gone", "UNKNOWN", "clear_resched"),
]
