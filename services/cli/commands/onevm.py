"""onevm: virtual machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.cli import listing, vm_options
from services.cli.commands.vm_part_subs import ENFORCE, SCHEDULE, SUBS
from services.cli.decl import ID, Arg, Command, Opt, Sub
from services.cli.kinds import VM
from services.cli.subs import (
    JSON,
    chown_subs,
    list_sub,
    lock_subs,
    rename_sub,
    replaced_sub,
    show_sub,
    top_sub,
    update_sub,
)

_LIST = "services.cli.views.vm:LIST"
_VM = "services.cli.commands.vm_handlers"
_PARTS = "services.cli.commands.vm_parts"
_CHARTS = "services.cli.commands.vm_charts"
_REACH = "services.cli.commands.vm_reach"
_SAVING = "services.cli.commands.vm_saving"
_BACKUPS = "services.cli.commands.vm_backups"
_SEARCH = Opt("search", "machines whose attributes match, such as NAME=web", "search")
_HARD = Opt("hard", "do not wait for the guest: cut the power")
_LIST_OPTIONS = (listing.EXTENDED, listing.KILOBYTES)
_NIC_ID = Opt("nic-id", "the interface to use", "nic_id", type="integer")


def _action(
    name: str, help: str, done: str, *, hard: bool = False, scheduled: bool = True, args: str = "vmid_list"
) -> Sub:
    """A subcommand that asks for one of the VM actions; --hard asks for its hard form."""
    wanted: str | Callable[[Any], str] = name
    if hard:

        def wanted(inv: Any) -> str:
            return f"{name}-hard" if inv.opts.hard else name

    return Sub(
        name,
        args,
        help,
        options=((_HARD,) if hard else ()) + (SCHEDULE if scheduled else ()),
        call=("vm.action", wanted, ID),
        run=f"{_CHARTS}:act" if scheduled else None,
        done=done,
    )


COMMAND = Command(
    "onevm",
    VM,
    "manages virtual machines",
    [
        Sub(
            "create",
            "[file]",
            "create machines from a template in a file, on standard input or in options",
            options=(*vm_options.OPTIONS, vm_options.HOLD, vm_options.MULTIPLE, vm_options.DRY),
            run=f"{_VM}:create",
        ),
        list_sub(_LIST, "[filterflag:text]", (*_LIST_OPTIONS, _SEARCH)),
        top_sub(_LIST, "[filterflag:text]", _LIST_OPTIONS),
        show_sub(
            VM,
            "services.cli.views.vm_show:show",
            options=(
                Opt("decrypt", "show encrypted attributes decrypted"),
                Opt("all", "show the whole template"),
            ),
        ),
        Sub(
            "wait",
            "vmid_list",
            "wait until machines are in a state",
            run="services.cli.commands.vm_wait:wait",
            options=(
                Opt("state", "names of states, any of which ends the wait (RUNNING)", "x,y", type="words"),
                Opt("timeout", "give up after that many seconds", "seconds", type="seconds"),
            ),
            extra=True,
        ),
        Sub(
            "deploy",
            "vmid_list hostid [datastoreid]",
            "start on a host, without the scheduler",
            options=(ENFORCE, Opt("file", "file with attributes for the placement", "file", "f", "file")),
            run=f"{_VM}:deploy",
            done="deployed",
        ),
        Sub(
            "migrate",
            "vmid_list hostid [datastoreid]",
            "move to another host, after saving their memory unless an option says otherwise",
            options=(
                ENFORCE,
                Opt("live", "without stopping them"),
                Opt("poff", "power off, move and start again"),
                Opt("poff-hard", "cut the power, move and start again"),
            ),
            call=(
                "vm.migrate",
                ID,
                Arg("hostid"),
                lambda inv: bool(inv.opts.live),
                lambda inv: bool(inv.opts.enforce),
                Arg("datastoreid", -1),
                lambda inv: 1 if inv.opts.poff else 2 if inv.opts.poff_hard else 0,
            ),
            done="migrating",
        ),
        _action("hold", "keep the scheduler from placing them", "on hold"),
        _action("release", "let the scheduler place them", "released"),
        _action("poweroff", "power off; the host keeps the disks", "powering off", hard=True),
        _action("reboot", "reboot", "rebooting", hard=True),
        _action("resume", "run again after suspend, stop, poweroff or undeploy", "resuming"),
        _action("suspend", "save the memory on the host", "suspending"),
        _action("stop", "save the memory and leave the host", "stopping"),
        _action("undeploy", "shut down and leave the host", "undeploying", hard=True),
        _action("terminate", "shut down and delete", "terminating", hard=True),
        _action("resched", "ask the scheduler for another host", "to be rescheduled", scheduled=False),
        _action("unresched", "take that back", "not to be rescheduled", scheduled=False),
        Sub(
            "recover",
            "vmid_list",
            "get stuck machines going again; exactly one of the options is needed",
            options=(
                Opt("success", "go on as if the pending operation had succeeded"),
                Opt("failure", "go on as if it had failed"),
                Opt("retry", "do it again"),
                Opt("interactive", "with --retry, on the front-end: run its transfers one by one"),
                Opt("delete", "delete the machine, whatever its state"),
                Opt("recreate", "delete it and start again from pending"),
                Opt("delete-db", "only forget it; nothing is cleaned up"),
            ),
            call=("vm.recover", ID, lambda inv: _recovery(inv)),
            run=f"{_VM}:recover",
            done="recovering",
        ),
        *SUBS,
        Sub(
            "save",
            "vmid name",
            "save a powered off machine as a new template with images of its disks",
            options=(Opt("persistent", "make the new images persistent"),),
            run=f"{_SAVING}:save",
            done="saved",
        ),
        Sub(
            "backup",
            "vmid",
            "save a machine to the marketplace that its BACKUP attribute names",
            options=(
                Opt("logger", "file for what is done", "logger"),
                Opt("keep-backup", "keep the backup before this one"),
                Opt("oneshot", "once, whatever BACKUP says; needs --market"),
                Opt("market", "marketplace of --oneshot", "market_id", type="marketplaceid"),
            ),
            run=f"{_BACKUPS}:backup",
            done="backed up",
        ),
        Sub(
            "restore",
            "vmid",
            "start a new machine from the newest backup; prints its id",
            options=(
                Opt("datastore", "datastore for its images", "id|name", "d", "datastoreid"),
                Opt("logger", "file for what is done", "logger"),
            ),
            run=f"{_BACKUPS}:restore",
            done="restored",
        ),
        Sub(
            "ssh",
            "vmid [login:text]",
            "log in to a machine (as root)",
            options=(
                _NIC_ID,
                Opt("cmd", "run this command there", "cmd"),
                Opt("ssh-options", "options of ssh", "options"),
            ),
            run=f"{_REACH}:ssh",
        ),
        Sub(
            "vnc",
            "vmid",
            "open a machine's screen for browsers, on the front-end as oneadmin: its address and password",
            run="services.cli.commands.vm_console:vnc",
            extra=True,
        ),
        Sub(
            "port-forward",
            "vmid [port:integer]",
            "at which address and port of the host a port of the machine is reached",
            options=(_NIC_ID,),
            run=f"{_REACH}:port_forward",
        ),
        rename_sub(VM),
        update_sub(VM),
        Sub(
            "updateconf",
            "vmid [file]",
            "replace OS, FEATURES, INPUT, GRAPHICS, RAW, CPU_MODEL and CONTEXT; without a file in an editor",
            run=f"{_PARTS}:updateconf",
            done="configuration updated",
        ),
        Sub(
            "create-chart",
            "vmid",
            "add the scheduled actions that are configured as charters in etc/cli/onevm.yaml",
            run=f"{_CHARTS}:create",
        ),
        Sub(
            "update-chart",
            "vmid sched_id:integer [file]",
            "replace a scheduled action; without a file in an editor",
            run=f"{_CHARTS}:update",
            done="scheduled action updated",
        ),
        Sub(
            "delete-chart",
            "vmid sched_id:integer",
            "delete a scheduled action",
            run=f"{_CHARTS}:delete",
            done="scheduled action deleted",
        ),
        Sub(
            "explain",
            "[vmid_list]",
            "why machines wait, and which host they would get; changes nothing",
            options=(
                Opt("plan", "what the scheduler would do now with all machines that wait"),
                vm_options.CPU,
                vm_options.MEMORY,
                Opt(
                    "host-down",
                    "as if these hosts were down and their machines waited",
                    "hosts",
                    type="hostid_list",
                ),
                Opt("all", "list every host, not only the nearest"),
                JSON,
            ),
            run="services.cli.commands.vm_explain:explain",
            extra=True,
        ),
        *lock_subs(VM),
        *chown_subs(VM),
        replaced_sub("delete", "recover --delete"),
        replaced_sub("shutdown", "terminate"),
    ],
)


def _recovery(inv: Any) -> int:
    """The number of the recover operation that the options ask for (system interface, one.vm.recover)."""
    operations = {"failure": 0, "success": 1, "retry": 2, "delete": 3, "recreate": 4, "delete_db": 5}
    return next(number for option, number in operations.items() if getattr(inv.opts, option))
