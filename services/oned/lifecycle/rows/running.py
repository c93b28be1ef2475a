"""A running machine is asked to stop in one way or another, and the VM's end."""

from __future__ import annotations

from services.oned.lifecycle.rows.base import Row, row
from services.oned.lifecycle.rows.deploy import CLONING, IDLE

_ENDING = ("terminate", "terminate_hard")
_STAYS = "forget_action set_error"
_SHUT = "lose_snapshots epilog_begins running_ends"

ROWS: list[Row] = [
    row("RUNNING", "reboot", "=", "clear_resched job:vmm.REBOOT"),
    row("RUNNING", "reboot_hard", "=", "clear_resched job:vmm.RESET"),
    row("RUNNING", "reboot_ok", "="),
    row("RUNNING", "reboot_failed", "=", "set_error"),
    *(row(on, "resched", "=", "mark_resched") for on in ("RUNNING", "UNKNOWN", "POWEROFF")),
    *(row(on, "unresched", "=", "clear_resched") for on in ("RUNNING", "UNKNOWN", "POWEROFF")),
    # shut down: power off, undeploy, terminate
    *(
        line
        for on in ("RUNNING", "UNKNOWN")
        for line in (
            row(on, "poweroff", "SHUTDOWN_POWEROFF", "note_action clear_resched job:vmm.SHUTDOWN"),
            row(on, "poweroff_hard", "SHUTDOWN_POWEROFF", "note_action clear_resched job:vmm.CANCEL"),
            row(on, "undeploy", "SHUTDOWN_UNDEPLOY", "note_action clear_resched job:vmm.SHUTDOWN"),
            row(on, "undeploy_hard", "SHUTDOWN_UNDEPLOY", "note_action clear_resched job:vmm.CANCEL"),
            row(on, "terminate", "SHUTDOWN", "note_terminate clear_resched job:vmm.SHUTDOWN"),
            row(on, "terminate_hard", "SHUTDOWN", "note_terminate clear_resched job:vmm.CANCEL"),
        )
    ),
    row("SHUTDOWN", "terminate_hard", "=", "note_terminate clear_resched cancel_jobs job:vmm.CANCEL"),
    row("SHUTDOWN_POWEROFF", "poweroff_hard", "=", "note_action clear_resched cancel_jobs job:vmm.CANCEL"),
    row("SHUTDOWN_UNDEPLOY", "undeploy_hard", "=", "note_action clear_resched cancel_jobs job:vmm.CANCEL"),
    row("SHUTDOWN_POWEROFF", "shutdown_ok", "POWEROFF", "lose_snapshots running_ends"),
    row("SHUTDOWN_POWEROFF", "shutdown_failed", "RUNNING", _STAYS),
    row("SHUTDOWN_UNDEPLOY", "shutdown_ok", "EPILOG_UNDEPLOY", f"{_SHUT} job:tm.EPILOG_STOP"),
    row("SHUTDOWN_UNDEPLOY", "shutdown_failed", "RUNNING", _STAYS),
    row("SHUTDOWN", "shutdown_ok", "EPILOG", f"{_SHUT} job:tm.EPILOG"),
    row("SHUTDOWN", "shutdown_failed", "RUNNING", _STAYS),
    # save: suspend, stop
    row("RUNNING", "suspend", "SAVE_SUSPEND", "note_action clear_resched job:vmm.SAVE"),
    row("SAVE_SUSPEND", "save_ok", "SUSPENDED", "lose_snapshots running_ends"),
    row("SAVE_SUSPEND", "save_failed", "RUNNING", _STAYS),
    row("RUNNING", "stop", "SAVE_STOP", "note_action clear_resched job:vmm.SAVE"),
    row("SUSPENDED", "stop", "EPILOG_STOP", "note_action epilog_begins job:tm.EPILOG_STOP"),
    row("SAVE_STOP", "save_ok", "EPILOG_STOP", f"{_SHUT} job:tm.EPILOG_STOP"),
    row("SAVE_STOP", "save_failed", "RUNNING", _STAYS),
    *(
        row("POWEROFF", event, "EPILOG_UNDEPLOY", "note_undeploy epilog_begins job:tm.EPILOG_STOP")
        for event in ("undeploy", "undeploy_hard")
    ),
    # the end
    *(row(waits, event, "DONE", "finish enter") for waits in (*IDLE, *CLONING) for event in _ENDING),
    # what a stopped VM left on the front-end is kept or removed like that of one that was not resumed
    *(
        row(waits, f"{event}/left", "EPILOG", "note_terminate_soft epilog_begins job:tm.EPILOG")
        for waits in IDLE
        for event in _ENDING
    ),
    *(
        row(off, event, "EPILOG", "note_terminate_soft epilog_begins job:tm.EPILOG")
        for off in ("POWEROFF", "SUSPENDED", "STOPPED", "UNDEPLOYED")
        for event in _ENDING
    ),
    row("EPILOG", "tm_ok", "DONE", "epilog_ends end_record finish enter"),
    row("EPILOG", "tm_failed", "EPILOG_FAILURE", "set_error"),
    row("EPILOG_STOP", "tm_ok", "STOPPED", "epilog_ends end_record stopped_record release_host enter"),
    row("EPILOG_STOP", "tm_failed", "EPILOG_STOP_FAILURE", "set_error"),
    row(
        "EPILOG_UNDEPLOY",
        "tm_ok",
        "UNDEPLOYED",
        "epilog_ends end_record undeployed_record free_port release_host enter",
    ),
    row("EPILOG_UNDEPLOY", "tm_failed", "EPILOG_UNDEPLOY_FAILURE", "set_error"),
    # cleaning up takes what it can: a step that fails is logged, the VM goes on
    row("CLEANUP_DELETE", "cleanup_done", "DONE", "finish enter"),
    row("CLEANUP_RESUBMIT", "cleanup_done", "PENDING", "wish_port release_host clear_deploy_id enter"),
]
