"""What is done to the devices, snapshots, sizes and configuration of a VM, running or not."""

from __future__ import annotations

from services.oned.lifecycle.rows.base import Row, row


def _work(
    origin: str,
    event: str,
    through: str,
    effects: str,
    ok: str = "",
    failed: str = "",
    *,
    end: str = "",
) -> list[Row]:
    """The rows of one piece of work: into the state of it, and back both ways. end: effects of both ends."""
    return [
        row(origin, event, through, effects),
        row(through, f"{event}_ok", origin, f"{ok} {end}"),
        row(through, f"{event}_failed", origin, f"{failed} {end} set_error"),
    ]


# Every piece of work on a VM that is powered off or suspended counts as its time off.
_OFF = "running_ends"
_HOT = "clear_resched work_record"
# Records show the VM in the state of the work; only those of a detach and of a disk's revert show it as it
# was before: the state is entered after the record is written.
_TAKEN = f"{_HOT} enter"

ROWS: list[Row] = [
    # disks
    *_work("RUNNING", "attach_disk", "HOTPLUG", f"{_HOT} job:vmm.ATTACH_DISK", "keep_disk", "drop_disk"),
    *_work("RUNNING", "detach_disk", "HOTPLUG", f"{_TAKEN} job:vmm.DETACH_DISK", "drop_disk", "keep_disk"),
    *_work(
        "POWEROFF",
        "attach_disk",
        "HOTPLUG_PROLOG_POWEROFF",
        f"{_HOT} job:tm.PROLOG_ATTACH",
        "keep_disk",
        "drop_disk",
        end=_OFF,
    ),
    *_work(
        "POWEROFF",
        "detach_disk",
        "HOTPLUG_EPILOG_POWEROFF",
        f"{_TAKEN} job:tm.EPILOG_DETACH",
        "drop_disk",
        "keep_disk",
        end=_OFF,
    ),
    # interfaces; offline: the driver needs not be told about a machine that does not run
    *_work("RUNNING", "attach_nic", "HOTPLUG_NIC", f"{_HOT} job:vmm.ATTACH_NIC", "keep_nic", "drop_nic"),
    *_work("RUNNING", "detach_nic", "HOTPLUG_NIC", f"{_TAKEN} job:vmm.DETACH_NIC", "drop_nic", "keep_nic"),
    *_work(
        "POWEROFF",
        "attach_nic",
        "HOTPLUG_NIC_POWEROFF",
        f"{_HOT} job:vmm.ATTACH_NIC",
        "keep_nic",
        "drop_nic",
        end=_OFF,
    ),
    *_work(
        "POWEROFF",
        "detach_nic",
        "HOTPLUG_NIC_POWEROFF",
        f"{_TAKEN} job:vmm.DETACH_NIC",
        "drop_nic",
        "keep_nic",
        end=_OFF,
    ),
    row("POWEROFF", "attach_nic_offline", "=", f"{_HOT} keep_nic {_OFF}"),
    row("POWEROFF", "detach_nic_offline", "=", f"{_HOT} drop_nic {_OFF}"),
    # snapshots of the machine; a driver that keeps them can delete one while the machine is off
    *_work(
        "RUNNING",
        "snapshot_create",
        "HOTPLUG_SNAPSHOT",
        "clear_resched job:vmm.SNAPSHOT_CREATE",
        "keep_new_snapshot",
        "drop_snapshot",
    ),
    *_work(
        "RUNNING",
        "snapshot_revert",
        "HOTPLUG_SNAPSHOT",
        "clear_resched job:vmm.SNAPSHOT_REVERT",
        "keep_snapshot",
        "keep_snapshot",
    ),
    *_work(
        "RUNNING",
        "snapshot_delete",
        "HOTPLUG_SNAPSHOT",
        "clear_resched job:vmm.SNAPSHOT_DELETE",
        "drop_snapshot",
        "keep_snapshot",
    ),
    row("POWEROFF", "snapshot_delete", "HOTPLUG_SNAPSHOT", "clear_resched job:vmm.SNAPSHOT_DELETE"),
    row("HOTPLUG_SNAPSHOT", "snapshot_delete_ok/off", "POWEROFF", "drop_snapshot"),
    row("HOTPLUG_SNAPSHOT", "snapshot_delete_failed/off", "POWEROFF", "keep_snapshot set_error"),
    # snapshots of a disk
    *_work(
        "RUNNING",
        "disk_snapshot_create",
        "DISK_SNAPSHOT",
        "work_record job:vmm.DISK_SNAPSHOT_CREATE",
        "take_disk_snapshot",
        "drop_disk_snapshot",
    ),
    *_work(
        "RUNNING",
        "disk_snapshot_delete",
        "DISK_SNAPSHOT_DELETE",
        "work_record job:tm.DISK_SNAPSHOT_DELETE",
        "drop_disk_snapshot",
        "keep_disk_snapshot",
    ),
    *(
        line
        for off in ("POWEROFF", "SUSPENDED")
        for what, through, recorded, ok, failed in (
            ("create", "DISK_SNAPSHOT", "work_record", "take_disk_snapshot", "drop_disk_snapshot"),
            (
                "revert",
                "DISK_SNAPSHOT_REVERT",
                "work_record enter",
                "revert_disk_snapshot",
                "keep_disk_snapshot",
            ),
            ("delete", "DISK_SNAPSHOT_DELETE", "work_record", "drop_disk_snapshot", "keep_disk_snapshot"),
        )
        for line in _work(
            off,
            f"disk_snapshot_{what}",
            f"{through}_{off}",
            f"{recorded} job:tm.DISK_SNAPSHOT_{what.upper()}",
            ok,
            failed,
            end=_OFF,
        )
    ),
    # size of a disk
    *_work(
        "RUNNING",
        "resize_disk",
        "DISK_RESIZE",
        "work_record job:vmm.RESIZE_DISK",
        "keep_disk_size",
        "undo_disk_size",
    ),
    *_work(
        "POWEROFF",
        "resize_disk",
        "DISK_RESIZE_POWEROFF",
        "work_record job:tm.RESIZE",
        "keep_disk_size",
        "undo_disk_size",
        end=_OFF,
    ),
    *_work(
        "UNDEPLOYED",
        "resize_disk",
        "DISK_RESIZE_UNDEPLOYED",
        "work_record job:tm.RESIZE",
        "keep_disk_size",
        "undo_disk_size",
        end="undeployed_record",
    ),
    # a disk becomes an image: the datastore makes room first, then the driver copies
    *(
        line
        for origin, through in (
            ("RUNNING", "HOTPLUG_SAVEAS"),
            ("POWEROFF", "HOTPLUG_SAVEAS_POWEROFF"),
            ("SUSPENDED", "HOTPLUG_SAVEAS_SUSPENDED"),
            ("UNDEPLOYED", "HOTPLUG_SAVEAS_UNDEPLOYED"),
            ("STOPPED", "HOTPLUG_SAVEAS_STOPPED"),
        )
        for line in (
            *_work(origin, "saveas", through, "", "saveas_done", "saveas_broken"),
            row(through, "saveas_source", "=", "job:tm.SAVEAS"),
        )
    ),
    # capacity and configuration
    *_work(
        "RUNNING",
        "resize",
        "HOTPLUG_RESIZE",
        "clear_resched job:vmm.RESIZE",
        "keep_capacity",
        "undo_capacity",
    ),
    *(
        row(still, "resize", "=")
        for still in ("POWEROFF", "PENDING", "HOLD", "UNDEPLOYED", "CLONING", "CLONING_FAILURE")
    ),
    *_work("RUNNING", "updateconf", "HOTPLUG", "clear_resched job:vmm.UPDATE_CONF"),
    *(
        row(still, "updateconf", "=")
        for still in (
            *("PENDING", "HOLD", "POWEROFF", "UNDEPLOYED", "CLONING", "CLONING_FAILURE", "PROLOG", "EPILOG"),
            *(
                "SHUTDOWN",
                "CLEANUP_RESUBMIT",
                "SHUTDOWN_POWEROFF",
                "CLEANUP_DELETE",
                "HOTPLUG_SAVEAS_POWEROFF",
            ),
            *("SHUTDOWN_UNDEPLOY", "EPILOG_UNDEPLOY", "PROLOG_UNDEPLOY", "HOTPLUG_PROLOG_POWEROFF"),
            *("HOTPLUG_EPILOG_POWEROFF", "BOOT_FAILURE", "PROLOG_FAILURE", "EPILOG_FAILURE"),
            *("EPILOG_UNDEPLOY_FAILURE", "PROLOG_MIGRATE_POWEROFF", "PROLOG_MIGRATE_POWEROFF_FAILURE"),
            *("BOOT_UNDEPLOY_FAILURE", "PROLOG_UNDEPLOY_FAILURE", "DISK_SNAPSHOT_POWEROFF"),
            *("DISK_SNAPSHOT_REVERT_POWEROFF", "DISK_SNAPSHOT_DELETE_POWEROFF"),
        )
    ),
]
