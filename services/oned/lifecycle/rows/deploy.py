"""From creation to a running machine, and again after the VM was stopped, undeployed or powered off."""

from __future__ import annotations

from services.oned.lifecycle.rows.base import Row, row

# A VM that waits for a host: nothing to stop, nothing to clean.
IDLE = ("PENDING", "HOLD")
# Its images are still being made.
CLONING = ("CLONING", "CLONING_FAILURE")

_PLACED = "open_record enter reserve_host prolog_begins clear_sched_message"
_IMPORTED = "open_record enter reserve_host prolog_begins prolog_ends running_begins"
_BOOTED = "set_deploy_id runs_on"

ROWS: list[Row] = [
    row("INIT", "create", "PENDING"),
    row("INIT", "create_on_hold", "HOLD"),
    row("INIT", "create_cloning", "CLONING"),
    *(
        line
        for waits in CLONING
        for line in (
            row(waits, "disks_ready", "PENDING"),
            row(waits, "disks_ready_on_hold", "HOLD"),
            row(waits, "disks_failed", "CLONING_FAILURE"),
            row(waits, "disks_waiting", "CLONING"),
        )
    ),
    row("PENDING", "hold", "HOLD"),
    row("HOLD", "release", "PENDING"),
    # a host is found
    *(
        row(waits, "deploy", "PROLOG", f"{_PLACED} job:tm.PROLOG")
        for waits in (*IDLE, "STOPPED", "UNDEPLOYED")
    ),
    *(
        row(waits, "deploy_stopped", "PROLOG_RESUME", f"{_PLACED} job:tm.PROLOG_RESUME")
        for waits in (*IDLE, "STOPPED")
    ),
    *(
        row(waits, "deploy_undeployed", "PROLOG_UNDEPLOY", f"{_PLACED} job:tm.PROLOG_RESUME")
        for waits in (*IDLE, "UNDEPLOYED")
    ),
    # a machine that was there before OpenNebula
    *(
        line
        for waits in IDLE
        for line in (
            row(waits, "import", "RUNNING", _IMPORTED),
            row(waits, "import_off", "POWEROFF", _IMPORTED),
        )
    ),
    # disks, then the machine
    row("PROLOG", "tm_ok", "BOOT", "prolog_ends running_begins job:vmm.DEPLOY"),
    row("PROLOG", "tm_failed", "PROLOG_FAILURE", "set_error"),
    row("PROLOG_RESUME", "tm_ok", "BOOT_STOPPED", "prolog_ends running_begins job:vmm.RESTORE"),
    row("PROLOG_RESUME", "tm_failed", "PROLOG_RESUME_FAILURE", "set_error"),
    row("PROLOG_UNDEPLOY", "tm_ok", "BOOT_UNDEPLOY", "prolog_ends running_begins job:vmm.DEPLOY"),
    row("PROLOG_UNDEPLOY", "tm_failed", "PROLOG_UNDEPLOY_FAILURE", "set_error"),
    row("BOOT", "deploy_ok", "RUNNING", _BOOTED),
    row("BOOT", "deploy_failed", "BOOT_FAILURE", "running_ends set_error"),
    row("BOOT_UNDEPLOY", "deploy_ok", "RUNNING", _BOOTED),
    row("BOOT_UNDEPLOY", "deploy_failed", "BOOT_UNDEPLOY_FAILURE", "end_record running_ends set_error"),
    row("BOOT_POWEROFF", "deploy_ok", "RUNNING", _BOOTED),
    row("BOOT_POWEROFF", "deploy_failed", "POWEROFF", "running_ends set_error"),
    row("BOOT_UNKNOWN", "deploy_ok", "RUNNING", _BOOTED),
    row("BOOT_UNKNOWN", "deploy_failed", "UNKNOWN", "running_ends set_error"),
    row("BOOT_SUSPENDED", "restore_ok", "RUNNING", _BOOTED),
    row("BOOT_SUSPENDED", "restore_failed", "SUSPENDED", "running_ends set_error"),
    row("BOOT_STOPPED", "restore_ok", "RUNNING", _BOOTED),
    row("BOOT_STOPPED", "restore_failed", "BOOT_STOPPED_FAILURE", "end_record running_ends set_error"),
    # back to work
    row("POWEROFF", "resume", "BOOT_POWEROFF", "follow_record note_action job:vmm.DEPLOY"),
    row("SUSPENDED", "resume", "BOOT_SUSPENDED", "follow_record note_action job:vmm.RESTORE"),
    row("UNKNOWN", "resume", "BOOT_UNKNOWN", "job:vmm.DEPLOY"),
    row("STOPPED", "resume", "PENDING"),
    row("UNDEPLOYED", "resume", "PENDING"),
]
