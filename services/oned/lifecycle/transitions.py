"""The life-cycle of a VM as a table: from, event, to, effects.

This list is the truth: ``fire`` looks rows up, the reference page and its diagram are generated from it, and
a pair without a row is a refusal. Effects are names of functions in ``effects``, run in the order given;
``job:OPERATION`` hands work to a driver. Conditions are words of ``states.state_name``.

Source: lifecycle.csv and vm_actions.csv of release 6.0 (rows for migration, hot-plugging, disk snapshots
and images are not here yet).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One edge. ``origin`` and ``target`` are conditions; the target ``=`` means unchanged."""

    origin: str
    event: str
    target: str
    effects: tuple[str, ...] = ()


def _row(origin: str, event: str, target: str, effects: str = "") -> Row:
    return Row(origin, event, target, tuple(effects.split()))


# A VM that holds no host: nothing to stop, nothing to clean.
_IDLE = ("PENDING", "HOLD")

_ROWS: list[Row] = [
    _row("INIT", "create", "PENDING"),
    _row("INIT", "create_on_hold", "HOLD"),
    _row("PENDING", "hold", "HOLD"),
    _row("HOLD", "release", "PENDING"),
    *(_row(idle, "terminate", "DONE", "finish") for idle in _IDLE),
    *(_row(idle, "terminate_hard", "DONE", "finish") for idle in _IDLE),
    # deployment
    *(
        _row(idle, "deploy", "PROLOG", "reserve_host open_history prolog_begins clear_error job:tm.PROLOG")
        for idle in _IDLE
    ),
    _row(
        "PENDING",
        "deploy_stopped",
        "PROLOG_RESUME",
        "reserve_host open_history prolog_begins clear_error job:tm.PROLOG_RESUME",
    ),
    _row(
        "PENDING",
        "deploy_undeployed",
        "PROLOG_UNDEPLOY",
        "reserve_host open_history prolog_begins clear_error job:tm.PROLOG_RESUME",
    ),
    _row(
        "STOPPED",
        "deploy_stopped",
        "PROLOG_RESUME",
        "reserve_host open_history prolog_begins clear_error job:tm.PROLOG_RESUME",
    ),
    _row(
        "UNDEPLOYED",
        "deploy_undeployed",
        "PROLOG_UNDEPLOY",
        "reserve_host open_history prolog_begins clear_error job:tm.PROLOG_RESUME",
    ),
    _row("PROLOG", "tm_ok", "BOOT", "prolog_ends running_begins job:vmm.DEPLOY"),
    _row("PROLOG", "tm_failed", "PROLOG_FAILURE", "prolog_ends set_error"),
    _row("PROLOG_RESUME", "tm_ok", "BOOT_STOPPED", "prolog_ends running_begins job:vmm.RESTORE"),
    _row("PROLOG_RESUME", "tm_failed", "PROLOG_RESUME_FAILURE", "prolog_ends set_error"),
    _row("PROLOG_UNDEPLOY", "tm_ok", "BOOT_UNDEPLOY", "prolog_ends running_begins job:vmm.DEPLOY"),
    _row("PROLOG_UNDEPLOY", "tm_failed", "PROLOG_UNDEPLOY_FAILURE", "prolog_ends set_error"),
    _row("BOOT", "deploy_ok", "RUNNING", "set_deploy_id clear_error"),
    _row("BOOT", "deploy_failed", "BOOT_FAILURE", "running_ends set_error"),
    _row("BOOT_UNDEPLOY", "deploy_ok", "RUNNING", "set_deploy_id clear_error"),
    _row("BOOT_UNDEPLOY", "deploy_failed", "BOOT_UNDEPLOY_FAILURE", "running_ends set_error"),
    _row("BOOT_POWEROFF", "deploy_ok", "RUNNING", "set_deploy_id clear_error"),
    _row("BOOT_POWEROFF", "deploy_failed", "POWEROFF", "running_ends set_error"),
    _row("BOOT_UNKNOWN", "deploy_ok", "RUNNING", "set_deploy_id clear_error"),
    _row("BOOT_UNKNOWN", "deploy_failed", "UNKNOWN", "set_error"),
    _row("BOOT_SUSPENDED", "restore_ok", "RUNNING", "set_deploy_id clear_error"),
    _row("BOOT_SUSPENDED", "restore_failed", "SUSPENDED", "running_ends set_error"),
    _row("BOOT_STOPPED", "restore_ok", "RUNNING", "set_deploy_id clear_error"),
    _row("BOOT_STOPPED", "restore_failed", "BOOT_STOPPED_FAILURE", "running_ends set_error"),
    # running
    _row("RUNNING", "reboot", "=", "job:vmm.REBOOT"),
    _row("RUNNING", "reboot_hard", "=", "job:vmm.RESET"),
    _row("RUNNING", "reboot_ok", "="),
    _row("RUNNING", "reboot_failed", "=", "set_error"),
    *(_row(on, "resched", "=", "mark_resched") for on in ("RUNNING", "UNKNOWN", "POWEROFF")),
    *(_row(on, "unresched", "=", "clear_resched") for on in ("RUNNING", "UNKNOWN", "POWEROFF")),
    # power off, suspend, stop, undeploy: each ends the running period
    *(
        row
        for on in ("RUNNING", "UNKNOWN")
        for row in (
            _row(on, "poweroff", "SHUTDOWN_POWEROFF", "set_action clear_resched job:vmm.SHUTDOWN"),
            _row(on, "poweroff_hard", "SHUTDOWN_POWEROFF", "set_action clear_resched job:vmm.CANCEL"),
            _row(on, "undeploy", "SHUTDOWN_UNDEPLOY", "set_action clear_resched job:vmm.SHUTDOWN"),
            _row(on, "undeploy_hard", "SHUTDOWN_UNDEPLOY", "set_action clear_resched job:vmm.CANCEL"),
            _row(on, "terminate", "SHUTDOWN", "set_action clear_resched job:vmm.SHUTDOWN"),
            _row(on, "terminate_hard", "SHUTDOWN", "set_action clear_resched job:vmm.CANCEL"),
        )
    ),
    _row("SHUTDOWN", "terminate_hard", "=", "set_action cancel_jobs job:vmm.CANCEL"),
    _row("SHUTDOWN_POWEROFF", "poweroff_hard", "=", "set_action cancel_jobs job:vmm.CANCEL"),
    _row("SHUTDOWN_UNDEPLOY", "undeploy_hard", "=", "set_action cancel_jobs job:vmm.CANCEL"),
    _row("SHUTDOWN_POWEROFF", "shutdown_ok", "POWEROFF", "running_ends"),
    _row("SHUTDOWN_POWEROFF", "shutdown_failed", "RUNNING", "unset_action set_error"),
    _row(
        "SHUTDOWN_UNDEPLOY", "shutdown_ok", "EPILOG_UNDEPLOY", "running_ends epilog_begins job:tm.EPILOG_STOP"
    ),
    _row("SHUTDOWN_UNDEPLOY", "shutdown_failed", "RUNNING", "unset_action set_error"),
    _row("SHUTDOWN", "shutdown_ok", "EPILOG", "running_ends epilog_begins job:tm.EPILOG"),
    _row("SHUTDOWN", "shutdown_failed", "RUNNING", "unset_action set_error"),
    _row("RUNNING", "suspend", "SAVE_SUSPEND", "set_action clear_resched job:vmm.SAVE"),
    _row("SAVE_SUSPEND", "save_ok", "SUSPENDED", "running_ends"),
    _row("SAVE_SUSPEND", "save_failed", "RUNNING", "unset_action set_error"),
    _row("RUNNING", "stop", "SAVE_STOP", "set_action clear_resched job:vmm.SAVE"),
    _row("SUSPENDED", "stop", "EPILOG_STOP", "set_action epilog_begins job:tm.EPILOG_STOP"),
    _row("SAVE_STOP", "save_ok", "EPILOG_STOP", "running_ends epilog_begins job:tm.EPILOG_STOP"),
    _row("SAVE_STOP", "save_failed", "RUNNING", "unset_action set_error"),
    *(
        _row("POWEROFF", event, "EPILOG_UNDEPLOY", "set_action epilog_begins job:tm.EPILOG_STOP")
        for event in ("undeploy", "undeploy_hard")
    ),
    _row("POWEROFF", "resume", "BOOT_POWEROFF", "renew_history running_begins job:vmm.DEPLOY"),
    _row("UNKNOWN", "resume", "BOOT_UNKNOWN", "renew_history running_begins job:vmm.DEPLOY"),
    _row("SUSPENDED", "resume", "BOOT_SUSPENDED", "renew_history running_begins job:vmm.RESTORE"),
    _row("STOPPED", "resume", "PENDING"),
    _row("UNDEPLOYED", "resume", "PENDING"),
    # the end
    *(
        _row(off, event, "EPILOG", "set_action epilog_begins job:tm.EPILOG")
        for off in ("POWEROFF", "SUSPENDED")
        for event in ("terminate", "terminate_hard")
    ),
    *(
        _row(off, event, "EPILOG", "set_action epilog_begins job:tm.EPILOG_LOCAL")
        for off in ("STOPPED", "UNDEPLOYED")
        for event in ("terminate", "terminate_hard")
    ),
    _row("EPILOG", "tm_ok", "DONE", "epilog_ends finish"),
    _row("EPILOG", "tm_failed", "EPILOG_FAILURE", "set_error"),
    _row("EPILOG_STOP", "tm_ok", "STOPPED", "epilog_ends close_history release_host clear_deploy_id"),
    _row("EPILOG_STOP", "tm_failed", "EPILOG_STOP_FAILURE", "set_error"),
    _row("EPILOG_UNDEPLOY", "tm_ok", "UNDEPLOYED", "epilog_ends close_history release_host clear_deploy_id"),
    _row("EPILOG_UNDEPLOY", "tm_failed", "EPILOG_UNDEPLOY_FAILURE", "set_error"),
    # cleaning up takes what it can: a step that fails is logged, the VM goes on
    _row("CLEANUP_DELETE", "cleanup_done", "DONE", "finish"),
    _row("CLEANUP_RESUBMIT", "cleanup_done", "PENDING", "close_history release_host clear_deploy_id"),
]

# What a recovery of a failed step means: (condition, event that success stands for, condition and
# effects of a retry).
_FAILURES: list[tuple[str, str, str]] = [
    ("PROLOG_FAILURE", "PROLOG", "prolog_begins clear_error job:tm.PROLOG"),
    ("PROLOG_RESUME_FAILURE", "PROLOG_RESUME", "prolog_begins clear_error job:tm.PROLOG_RESUME"),
    ("PROLOG_UNDEPLOY_FAILURE", "PROLOG_UNDEPLOY", "prolog_begins clear_error job:tm.PROLOG_RESUME"),
    ("BOOT_FAILURE", "BOOT", "running_begins clear_error job:vmm.DEPLOY"),
    ("BOOT_UNDEPLOY_FAILURE", "BOOT_UNDEPLOY", "running_begins clear_error job:vmm.DEPLOY"),
    ("BOOT_STOPPED_FAILURE", "BOOT_STOPPED", "running_begins clear_error job:vmm.RESTORE"),
    ("EPILOG_FAILURE", "EPILOG", "clear_error job:tm.EPILOG_AGAIN"),
    ("EPILOG_STOP_FAILURE", "EPILOG_STOP", "clear_error job:tm.EPILOG_STOP"),
    ("EPILOG_UNDEPLOY_FAILURE", "EPILOG_UNDEPLOY", "clear_error job:tm.EPILOG_STOP"),
]

# Work that a retry in a transient condition starts again.
_RETRIES = {
    "PROLOG": "job:tm.PROLOG",
    "PROLOG_RESUME": "job:tm.PROLOG_RESUME",
    "PROLOG_UNDEPLOY": "job:tm.PROLOG_RESUME",
    "BOOT": "job:vmm.DEPLOY",
    "BOOT_POWEROFF": "job:vmm.DEPLOY",
    "BOOT_UNKNOWN": "job:vmm.DEPLOY",
    "BOOT_UNDEPLOY": "job:vmm.DEPLOY",
    "BOOT_SUSPENDED": "job:vmm.RESTORE",
    "BOOT_STOPPED": "job:vmm.RESTORE",
    "SAVE_SUSPEND": "job:vmm.SAVE",
    "SAVE_STOP": "job:vmm.SAVE",
    "SHUTDOWN": "job:vmm.SHUTDOWN_AGAIN",
    "SHUTDOWN_POWEROFF": "job:vmm.SHUTDOWN_AGAIN",
    "SHUTDOWN_UNDEPLOY": "job:vmm.SHUTDOWN_AGAIN",
    "EPILOG": "job:tm.EPILOG_AGAIN",
    "EPILOG_STOP": "job:tm.EPILOG_STOP",
    "EPILOG_UNDEPLOY": "job:tm.EPILOG_STOP",
}

_OK = ("tm_ok", "deploy_ok", "restore_ok", "shutdown_ok", "save_ok", "cleanup_done")
_FAILED = ("tm_failed", "deploy_failed", "restore_failed", "shutdown_failed", "save_failed")


def _recoveries(rows: list[Row]) -> list[Row]:
    """Rows of the recover call, derived from what the drivers' own results would have done."""
    made: list[Row] = []
    for row in rows:
        if row.event in _OK:
            made.append(Row(row.origin, "recover_success", row.target, ("cancel_jobs", *row.effects)))
        elif row.event in _FAILED:
            made.append(Row(row.origin, "recover_failure", row.target, ("cancel_jobs", *row.effects)))
    done = {row.origin: row for row in rows if row.event in _OK}
    for failure, step, again in _FAILURES:
        made.append(Row(failure, "recover_success", done[step].target, ("clear_error", *done[step].effects)))
        made.append(_row(failure, "recover_failure", "="))
        made.append(_row(failure, "recover_retry", step, again))
        work = "tm.EPILOG_DELETE" if failure.startswith(("PROLOG", "EPILOG")) else "vmm.CLEANUP"
        for event in ("terminate", "terminate_hard"):
            made.append(_row(failure, event, "CLEANUP_DELETE", f"set_action cancel_jobs job:{work}"))
    made.extend(_row(on, "recover_retry", "=", f"cancel_jobs {job}") for on, job in _RETRIES.items())
    made.extend(_row(on, "recover_success", "RUNNING") for on in ("RUNNING", "UNKNOWN"))
    made.extend(_row(on, "recover_failure", "RUNNING") for on in ("RUNNING", "UNKNOWN"))
    made.extend(
        _row(on, "recover_retry", "=") for on in ("RUNNING", "UNKNOWN", "CLEANUP_DELETE", "CLEANUP_RESUBMIT")
    )
    made.append(_row("CLEANUP_DELETE", "recover_failure", "DONE", "cancel_jobs finish"))
    made.append(
        _row(
            "CLEANUP_RESUBMIT",
            "recover_failure",
            "PENDING",
            "cancel_jobs close_history release_host clear_deploy_id",
        )
    )
    return made


def _deletions(rows: list[Row]) -> list[Row]:
    """Rows of recover delete, recreate and delete-db for every condition that can be reached."""
    conditions = sorted({row.origin for row in rows} | {row.target for row in rows} - {"="})
    made: list[Row] = []
    for condition in conditions:
        if condition in ("INIT", "DONE"):
            continue
        made.append(_row(condition, "recover_delete_db", "DONE", "cancel_jobs set_action finish"))
        if condition in ("CLEANUP_DELETE", *_IDLE):
            made.append(_row(condition, "recover_delete", "DONE", "cancel_jobs set_action finish"))
        elif condition in ("POWEROFF", "SUSPENDED", "STOPPED", "UNDEPLOYED"):
            made.append(
                _row(
                    condition,
                    "recover_delete",
                    "CLEANUP_DELETE",
                    "set_action cancel_jobs job:tm.EPILOG_DELETE",
                )
            )
        else:
            at_rest = condition.startswith(("PROLOG", "EPILOG"))
            work = "tm.EPILOG_DELETE" if at_rest else "vmm.CLEANUP"
            made.append(
                _row(condition, "recover_delete", "CLEANUP_DELETE", f"set_action cancel_jobs job:{work}")
            )
            if condition != "CLEANUP_RESUBMIT":
                made.append(
                    _row(
                        condition,
                        "recover_recreate",
                        "CLEANUP_RESUBMIT",
                        f"set_action cancel_jobs job:{work}",
                    )
                )
    made.append(
        _row(
            "CLEANUP_RESUBMIT",
            "recover_recreate",
            "PENDING",
            "cancel_jobs close_history release_host clear_deploy_id",
        )
    )
    made.append(_row("HOLD", "recover_recreate", "PENDING"))
    made.append(_row("PENDING", "recover_recreate", "="))
    made.append(_row("CLEANUP_DELETE", "recover_recreate", "="))
    return made


def _table() -> dict[tuple[str, str], Row]:
    rows = [*_ROWS, *_recoveries(_ROWS)]
    rows.extend(_deletions(rows))
    table: dict[tuple[str, str], Row] = {}
    for row in rows:
        if (row.origin, row.event) in table:
            raise ValueError(f"two rows for {row.origin} / {row.event}")
        table[row.origin, row.event] = row
    return table


TABLE: dict[tuple[str, str], Row] = _table()

# Conditions that a VM stays in until somebody asks for something; all others are on their way.
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


def allowed_conditions(event: str) -> list[str]:
    """The conditions in which an event has a row, for messages."""
    return sorted(origin for origin, name in TABLE if name == event)
