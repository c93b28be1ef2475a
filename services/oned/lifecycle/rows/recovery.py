"""The recover call, and ending a VM that has failed: rows derived from those of the work itself.

Success and failure stand for what the driver could have said, a retry begins the work again, delete and
recreate clean up from wherever the VM is. Where a condition has more than one kind of work under way, the
event carries its name (``recover_success/detach_disk``); the bare event is then the kind that OpenNebula
takes in every case.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.oned.lifecycle.rows.base import Row, row
from services.oned.lifecycle.rows.deploy import CLONING, IDLE

# Where a VM keeps still between its times on a host; its disks are on the front-end in the last two.
_AT_REST = ("POWEROFF", "SUSPENDED", "STOPPED", "UNDEPLOYED")
_LEFT = ("STOPPED", "UNDEPLOYED")
_STEADY = ("RUNNING", "UNKNOWN")
# Its disks are on their way between a host and the front-end.
_BY_FRONT_END = ("PROLOG_RESUME", "PROLOG_UNDEPLOY", "EPILOG_STOP", "EPILOG_UNDEPLOY")
_CLEANUPS = ("CLEANUP_DELETE", "CLEANUP_RESUBMIT")

# Effects with which work is begun again, by the condition that it goes on in.
RETRIES: dict[str, str] = {
    "PROLOG": "prolog_begins job:tm.PROLOG",
    "PROLOG_RESUME": "prolog_begins job:tm.PROLOG_RESUME",
    "PROLOG_UNDEPLOY": "prolog_begins job:tm.PROLOG_RESUME",
    "PROLOG_MIGRATE": "prolog_begins job:tm.PROLOG_MIGRATE",
    "PROLOG_MIGRATE_POWEROFF": "prolog_begins job:tm.PROLOG_MIGRATE",
    "PROLOG_MIGRATE_SUSPEND": "prolog_begins job:tm.PROLOG_MIGRATE",
    "PROLOG_MIGRATE_UNKNOWN": "prolog_begins job:tm.PROLOG_MIGRATE",
    "BOOT": "running_begins job:vmm.DEPLOY",
    "BOOT_POWEROFF": "job:vmm.DEPLOY",
    "BOOT_UNKNOWN": "job:vmm.DEPLOY",
    "BOOT_UNDEPLOY": "running_begins job:vmm.DEPLOY",
    "BOOT_SUSPENDED": "job:vmm.RESTORE",
    "BOOT_STOPPED": "running_begins job:vmm.RESTORE",
    "BOOT_MIGRATE": "running_begins job:vmm.RESTORE",
    "MIGRATE": "job:vmm.MIGRATE",
    "SAVE_SUSPEND": "job:vmm.SAVE",
    "SAVE_STOP": "job:vmm.SAVE",
    "SAVE_MIGRATE": "job:vmm.SAVE_AGAIN",
    "SHUTDOWN": "job:vmm.SHUTDOWN_AGAIN",
    "SHUTDOWN_POWEROFF": "job:vmm.SHUTDOWN_AGAIN",
    "SHUTDOWN_UNDEPLOY": "job:vmm.SHUTDOWN_AGAIN",
    "EPILOG": "job:tm.EPILOG",
    "EPILOG_STOP": "job:tm.EPILOG_STOP",
    "EPILOG_UNDEPLOY": "job:tm.EPILOG_STOP",
}
_ENDS = {"ok": "recover_success", "failed": "recover_failure"}


def derived(rows: list[Row]) -> list[Row]:
    """Every row that follows from the given ones."""
    made = [*_outcomes(rows), *_of_failures(rows), *_settled()]
    have = {(line.origin, line.event) for line in (*rows, *made)}
    made += [line for line in _no_retry(rows) if (line.origin, line.event) not in have]
    conditions = sorted({line.origin for line in (*rows, *made)} - {"INIT", "DONE"})
    for condition in conditions:
        made += _deletions(condition)
    return made


# -- success, failure, retry -------------------------------------------------------------------------------
def _outcomes(rows: Iterable[Row]) -> list[Row]:
    """What a driver would have said, said by somebody else."""
    kinds: dict[tuple[str, str, str], list[Row]] = {}
    for line in rows:
        stem, _, variant = line.event.partition("/")
        end = stem.rpartition("_")[2]
        if end in _ENDS and line.target != "=" and line.origin not in CLONING:
            kinds.setdefault((line.origin, _ENDS[end], variant), []).append(line)
        elif stem == "cleanup_done":
            for event in _ENDS.values():
                kinds.setdefault((line.origin, event, variant), []).append(line)
    made: list[Row] = []
    for (origin, event, variant), lines in kinds.items():
        tail = f"/{variant}" if variant else ""
        made.append(_instead(lines[0], origin, f"{event}{tail}"))
        if origin == "HOTPLUG_SNAPSHOT" or len({(line.target, line.effects) for line in lines}) > 1:
            made += [_instead(line, origin, f"{event}/{_work(line)}{tail}") for line in lines]
    return made


def _work(line: Row) -> str:
    return line.event.partition("/")[0].rpartition("_")[0]


def _instead(line: Row, origin: str, event: str) -> Row:
    return Row(origin, event, line.target, ("cancel_jobs", *_unsaid(line)))


def _unsaid(line: Row) -> tuple[str, ...]:
    """The effects of a row when no driver has said anything: no message to show, no name of a machine."""
    return tuple(name for name in line.effects if name not in ("set_error", "set_deploy_id"))


def _of_failures(rows: list[Row]) -> list[Row]:
    """A step that has failed: take it as done, leave it so, or begin it again."""
    made: list[Row] = []
    written = {(line.origin, line.event) for line in rows}
    for step, again in RETRIES.items():
        failure = f"{step}_FAILURE"
        if not any(line.target == failure for line in rows):
            continue
        for line in rows:
            stem, _, variant = line.event.partition("/")
            if line.origin == step and stem.endswith("_ok"):
                event = f"recover_success/{variant}" if variant else "recover_success"
                made.append(Row(failure, event, line.target, _unsaid(line)))
        if (failure, "recover_failure") not in written:
            made.append(row(failure, "recover_failure", "="))
        made.append(row(failure, "recover_retry", step, f"{again}/again"))
        made += [
            row(failure, event, "CLEANUP_DELETE", _cleaning(failure, "note_delete"))
            for event in ("terminate", "terminate_hard")
        ]
    made += [
        row(step, "recover_retry", "=", f"cancel_jobs {_job(again)}/again") for step, again in RETRIES.items()
    ]
    return made


def _job(effects: str) -> str:
    return effects.split()[-1]


def _settled() -> list[Row]:
    """Where nothing is under way a recovery says at most that the machine runs."""
    made = [row("UNKNOWN", event, "RUNNING") for event in _ENDS.values()]
    made += [row("RUNNING", event, "=") for event in _ENDS.values()]
    return made


def _no_retry(rows: Iterable[Row]) -> list[Row]:
    """Work that cannot be begun again: asking for it is allowed and changes nothing."""
    under_way = {line.origin for line in rows if line.event.partition("/")[0].endswith(("_ok", "_done"))}
    return [row(condition, "recover_retry", "=") for condition in sorted(under_way | set(_STEADY))]


# -- delete and recreate -----------------------------------------------------------------------------------
def _deletions(condition: str) -> list[Row]:
    leaves = "end_previous leave_previous_host " if condition in ("MIGRATE", "SAVE_MIGRATE") else ""
    made = [row(condition, "recover_delete_db", "DONE", f"cancel_jobs {leaves}finish_unclean enter")]
    if condition in (*IDLE, *CLONING, "CLEANUP_DELETE"):
        made.append(row(condition, "recover_delete", "DONE", "cancel_jobs finish enter"))
        is_held = condition == "HOLD"
        made.append(
            row(
                condition, "recover_recreate", "PENDING" if is_held else "=", "note_action" if is_held else ""
            )
        )
        if condition in IDLE:
            made.append(row(condition, "recover_delete/left", "CLEANUP_DELETE", "job:tm.EPILOG_DELETE"))
    elif condition in _AT_REST:
        made.append(row(condition, "recover_delete", "CLEANUP_DELETE", "clear_resched job:tm.EPILOG_DELETE"))
        if condition in _LEFT:
            effects = "wish_port note_action lose_disk_snapshots enter"
            made.append(row(condition, "recover_recreate", "PENDING", effects))
    elif condition == "CLEANUP_RESUBMIT":
        made.append(row(condition, "recover_delete", "CLEANUP_DELETE"))
        made.append(
            row(
                condition,
                "recover_recreate",
                "PENDING",
                "cancel_jobs wish_port release_host clear_deploy_id enter",
            )
        )
    else:
        made.append(row(condition, "recover_delete", "CLEANUP_DELETE", _cleaning(condition, "note_action")))
        effects = _cleaning(condition, "note_action lose_disk_snapshots")
        made.append(row(condition, "recover_recreate", "CLEANUP_RESUBMIT", effects))
    return made


def _cleaning(condition: str, note: str) -> str:
    """The effects of cleaning up after a VM that is on a host, in whatever condition."""
    leaves = "end_previous leave_previous_host " if condition in ("MIGRATE", "SAVE_MIGRATE") else ""
    saves = "saveas_broken " if condition.startswith("HOTPLUG_SAVEAS") else ""
    return (
        f"{note} clear_resched cancel_jobs lose_snapshots {saves}drop_marks {leaves}close_record "
        f"job:{_cleaner(condition)}"
    )


def _cleaner(condition: str) -> str:
    """The operation that removes what may be there."""
    if condition.startswith("PROLOG_MIGRATE"):
        return "tm.EPILOG_DELETE/both"
    if condition.startswith(_BY_FRONT_END):
        return "tm.EPILOG_DELETE/front_end"
    if condition == "MIGRATE":
        return "vmm.CLEANUP/both"
    if condition == "SAVE_MIGRATE":
        return "vmm.CLEANUP/previous"
    is_off = condition.endswith(("_POWEROFF", "_SUSPENDED", "_UNDEPLOYED", "_STOPPED"))
    if condition.startswith(("PROLOG", "EPILOG")) or (is_off and condition.startswith(("DISK_", "HOTPLUG_"))):
        return "tm.EPILOG_DELETE"
    return "vmm.CLEANUP"
