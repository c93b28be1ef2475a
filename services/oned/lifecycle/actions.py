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
    TERMINATE = 27
    TERMINATE_HARD = 28
    DEPLOY = 30
    RECOVER = 42
    RETRY = 43
    MONITOR = 44
