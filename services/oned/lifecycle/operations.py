"""What users may ask of a VM: each operation with its method and the events that it can fire.

The reference page and the tests read this list; what an operation does in a condition is in the table.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.oned.lifecycle.states import LcmState, VmState
from services.oned.lifecycle.transitions import TABLE, Row


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; ``events`` in the order in which the first that has a row is taken."""

    name: str
    method: str
    events: tuple[str, ...]


def _action(name: str) -> Operation:
    return Operation(name, "one.vm.action", (name.replace("-", "_"),))


def _one(name: str, method: str, *events: str) -> Operation:
    return Operation(name, f"one.vm.{method}", events)


OPERATIONS: tuple[Operation, ...] = (
    _one("deploy", "deploy", "deploy", "deploy_stopped", "deploy_undeployed"),
    _one("deploy-imported", "deploy", "import", "import_off"),
    *(
        _action(name)
        for name in (
            *("terminate", "terminate-hard", "undeploy", "undeploy-hard", "poweroff", "poweroff-hard"),
            *("reboot", "reboot-hard", "hold", "release", "stop", "suspend", "resume"),
            *("resched", "unresched"),
        )
    ),
    _one("migrate-live", "migrate", "migrate_live", "migrate"),
    _one("migrate-cold", "migrate", "migrate"),
    _one("migrate-poff", "migrate", "migrate_poweroff"),
    _one("migrate-poff-hard", "migrate", "migrate_poweroff_hard"),
    _one("disk-attach", "attach", "attach_disk"),
    _one("disk-detach", "detach", "detach_disk"),
    _one("nic-attach", "attachnic", "attach_nic", "attach_nic_offline"),
    _one("nic-detach", "detachnic", "detach_nic", "detach_nic_offline"),
    _one("snapshot-create", "snapshotcreate", "snapshot_create"),
    _one("snapshot-revert", "snapshotrevert", "snapshot_revert"),
    _one("snapshot-delete", "snapshotdelete", "snapshot_delete"),
    _one("disk-snapshot-create", "disksnapshotcreate", "disk_snapshot_create"),
    _one("disk-snapshot-revert", "disksnapshotrevert", "disk_snapshot_revert"),
    _one("disk-snapshot-delete", "disksnapshotdelete", "disk_snapshot_delete"),
    _one("disk-resize", "diskresize", "resize_disk"),
    _one("disk-saveas", "disksaveas", "saveas"),
    _one("resize", "resize", "resize"),
    _one("updateconf", "updateconf", "updateconf"),
    _one("recover-failure", "recover", "recover_failure"),
    _one("recover-success", "recover", "recover_success"),
    _one("recover-retry", "recover", "recover_retry"),
    _one("recover-delete", "recover", "recover_delete"),
    _one("recover-recreate", "recover", "recover_recreate"),
    _one("recover-delete-db", "recover", "recover_delete_db"),
)


def conditions() -> list[str]:
    """Every condition that a VM can be in, states first."""
    states = [state.name for state in VmState if state is not VmState.ACTIVE]
    return states + [state.name for state in LcmState if state is not LcmState.LCM_INIT]


def rows_of(operation: Operation, condition: str) -> list[Row]:
    """The rows of an operation in a condition, variants too; none is a refusal."""
    return [
        row
        for (origin, event), row in TABLE.items()
        if origin == condition and event.partition("/")[0] in operation.events
    ]
