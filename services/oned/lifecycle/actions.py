"""What a history record says was done to a VM; wire numbers. Source: history actions of release 6.0."""

from __future__ import annotations

from enum import IntEnum


class HistoryAction(IntEnum):
    """ACTION of a history record."""

    NONE = 0
    MIGRATE = 1
    LIVE_MIGRATE = 2
    UNDEPLOY = 5
    UNDEPLOY_HARD = 6
    HOLD = 7
    RELEASE = 8
    STOP = 9
    SUSPEND = 10
    RESUME = 11
    DELETE = 13
    DELETE_RECREATE = 14
    REBOOT = 15
    REBOOT_HARD = 16
    RESCHED = 17
    UNRESCHED = 18
    POWEROFF = 19
    POWEROFF_HARD = 20
    DISK_ATTACH = 21
    DISK_DETACH = 22
    NIC_ATTACH = 23
    NIC_DETACH = 24
    DISK_SNAPSHOT_CREATE = 25
    DISK_SNAPSHOT_DELETE = 26
    TERMINATE = 27
    TERMINATE_HARD = 28
    DISK_RESIZE = 29
    DEPLOY = 30
    CHOWN = 31
    CHMOD = 32
    UPDATECONF = 33
    RENAME = 34
    RESIZE = 35
    UPDATE = 36
    SNAPSHOT_CREATE = 37
    SNAPSHOT_DELETE = 38
    SNAPSHOT_REVERT = 39
    DISK_SAVEAS = 40
    DISK_SNAPSHOT_REVERT = 41
    RECOVER = 42
    RETRY = 43
    MONITOR = 44
    DISK_SNAPSHOT_RENAME = 45
    ALIAS_ATTACH = 46
    ALIAS_DETACH = 47
    POFF_MIGRATE = 48
    POFF_HARD_MIGRATE = 49


# The last action of a VM whose disks have come to the front-end.
LEFT_HOST = frozenset({HistoryAction.STOP, HistoryAction.UNDEPLOY, HistoryAction.UNDEPLOY_HARD})
# Migrations that start the machine anew on its new host.
COLD_START = frozenset({HistoryAction.POFF_MIGRATE, HistoryAction.POFF_HARD_MIGRATE})
