"""Names of the states and actions of VMs; the position in a list is the number on the wire."""
# ruff: noqa: SIM905 - as literals these lists would take 200 lines

from __future__ import annotations

from xml.etree.ElementTree import Element

STATES = (
    "INIT PENDING HOLD ACTIVE STOPPED SUSPENDED DONE FAILED POWEROFF UNDEPLOYED CLONING CLONING_FAILURE"
).split()
_SHORT_STATES = ("init pend hold actv stop susp done fail poff unde clon fail").split()
LCM_STATES = (
    "LCM_INIT PROLOG BOOT RUNNING MIGRATE SAVE_STOP SAVE_SUSPEND SAVE_MIGRATE PROLOG_MIGRATE "
    "PROLOG_RESUME EPILOG_STOP EPILOG SHUTDOWN CANCEL FAILURE CLEANUP_RESUBMIT UNKNOWN HOTPLUG "
    "SHUTDOWN_POWEROFF BOOT_UNKNOWN BOOT_POWEROFF BOOT_SUSPENDED BOOT_STOPPED CLEANUP_DELETE "
    "HOTPLUG_SNAPSHOT HOTPLUG_NIC HOTPLUG_SAVEAS HOTPLUG_SAVEAS_POWEROFF HOTPLUG_SAVEAS_SUSPENDED "
    "SHUTDOWN_UNDEPLOY EPILOG_UNDEPLOY PROLOG_UNDEPLOY BOOT_UNDEPLOY HOTPLUG_PROLOG_POWEROFF "
    "HOTPLUG_EPILOG_POWEROFF BOOT_MIGRATE BOOT_FAILURE BOOT_MIGRATE_FAILURE PROLOG_MIGRATE_FAILURE "
    "PROLOG_FAILURE EPILOG_FAILURE EPILOG_STOP_FAILURE EPILOG_UNDEPLOY_FAILURE "
    "PROLOG_MIGRATE_POWEROFF PROLOG_MIGRATE_POWEROFF_FAILURE PROLOG_MIGRATE_SUSPEND "
    "PROLOG_MIGRATE_SUSPEND_FAILURE BOOT_UNDEPLOY_FAILURE BOOT_STOPPED_FAILURE PROLOG_RESUME_FAILURE "
    "PROLOG_UNDEPLOY_FAILURE DISK_SNAPSHOT_POWEROFF DISK_SNAPSHOT_REVERT_POWEROFF "
    "DISK_SNAPSHOT_DELETE_POWEROFF DISK_SNAPSHOT_SUSPENDED DISK_SNAPSHOT_REVERT_SUSPENDED "
    "DISK_SNAPSHOT_DELETE_SUSPENDED DISK_SNAPSHOT DISK_SNAPSHOT_REVERT DISK_SNAPSHOT_DELETE "
    "PROLOG_MIGRATE_UNKNOWN PROLOG_MIGRATE_UNKNOWN_FAILURE DISK_RESIZE DISK_RESIZE_POWEROFF "
    "DISK_RESIZE_UNDEPLOYED HOTPLUG_NIC_POWEROFF HOTPLUG_RESIZE HOTPLUG_SAVEAS_UNDEPLOYED "
    "HOTPLUG_SAVEAS_STOPPED"
).split()
_SHORT_LCM_STATES = (
    "init prol boot runn migr save save save migr prol epil epil shut shut fail clea unkn hotp shut "
    "boot boot boot boot clea snap hotp hotp hotp hotp shut epil prol boot hotp hotp boot fail fail "
    "fail fail fail fail fail migr fail migr fail fail fail fail fail snap snap snap snap snap snap "
    "snap snap snap migr fail drsz drsz drsz hotp hotp hotp hotp"
).split()
# History actions, as the commands call them.
ACTIONS = (
    "none migrate live-migrate shutdown shutdown-hard undeploy undeploy-hard hold release stop "
    "suspend resume boot delete delete-recreate reboot reboot-hard resched unresched poweroff "
    "poweroff-hard disk-attach disk-detach nic-attach nic-detach disk-snapshot-create "
    "disk-snapshot-delete terminate terminate-hard disk-resize deploy chown chmod updateconf rename "
    "resize update snapshot-create snapshot-delete snapshot-revert disk-saveas disk-snapshot-revert "
    "recover retry monitor disk-snapshot-rename alias-attach alias-detach poweroff-migrate "
    "poweroff-hard-migrate"
).split()
ACTIVE, SUSPENDED, POWEROFF = "3", "5", "8"


def state_name(vm: Element) -> str:
    """STATE in words; a number of a newer release stays a number."""
    return _name(STATES, vm.findtext("STATE", ""))


def lcm_state_name(vm: Element) -> str:
    """LCM_STATE in words."""
    return _name(LCM_STATES, vm.findtext("LCM_STATE", ""))


def short_state(vm: Element) -> str:
    """The four letters of the STAT column."""
    state = vm.findtext("STATE", "")
    if state == ACTIVE:
        return _name(_SHORT_LCM_STATES, vm.findtext("LCM_STATE", ""))
    return _name(_SHORT_STATES, state)


def action_name(number: int) -> str:
    """A history action in words."""
    return ACTIONS[number] if 0 <= number < len(ACTIONS) else str(number)


def _name(names: list[str], number: str) -> str:
    return names[int(number)] if number.isdigit() and int(number) < len(names) else number
